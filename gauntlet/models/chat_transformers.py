"""A transformers model in this process as a chat model; one question at a time, so that no answer depends on others."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch

from gauntlet.errors import DataError
from gauntlet.models.chat import Answer, Question, asked


class ChatTransformers:
    """Any causal language model with a chat template.

    Args:
        folder: A folder that transformers reads, or a name that it knows.
        device: Where it runs.
        system_prompt: Put before every conversation.
        context_tokens: Longest prompt and answer together; the model's own limit where none is given.

    Raises:
        DataError: transformers cannot load it.
    """

    def __init__(
        self, folder: Path | str, *, device: str = "cpu", system_prompt: str = "", context_tokens: int | None = None
    ) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        try:
            self._tokenizer = AutoTokenizer.from_pretrained(folder)
            self._model = AutoModelForCausalLM.from_pretrained(folder).to(device).eval()
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise DataError(f"{folder} must be a chat model of transformers; {reason}; misspelt?") from None
        self.name = Path(folder).name
        self._system_prompt = system_prompt
        self._context = context_tokens or self._model.config.max_position_embeddings

    def ask(self, questions: Iterable[Question], *, logprobs: int = 0) -> Iterator[Answer]:
        """Yield one answer for each question, in their order."""
        for question in questions:
            yield self._answer(question, logprobs)

    @torch.inference_mode()
    def _answer(self, question: Question, logprobs: int) -> Answer:
        messages = list(asked(self._system_prompt, question.messages))
        goes_on = messages[-1]["role"] == "assistant"
        text = self._tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=not goes_on, continue_final_message=goes_on
        )
        prompt = self._tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids.to(self._model.device)
        decode, read = question.decode, prompt.shape[1]
        if read >= self._context:
            return Answer(question.id, finish="error", error="context")
        ends, most = self._ends(), min(decode.max_tokens, self._context - read)
        generator = torch.Generator().manual_seed(_seed(question))
        tokens, cache, first = [], None, None
        while len(tokens) < most:
            output = self._model(prompt, past_key_values=cache, use_cache=True)
            cache, logits = output.past_key_values, output.logits[0, -1].float().cpu()
            if logprobs and first is None:
                first = self._first_token(logits, logprobs)
            token = draw(logits, temperature=decode.temperature, top_p=decode.top_p, generator=generator)
            if token in ends:
                break
            tokens.append(token)
            prompt = torch.tensor([[token]], device=self._model.device)
        response = self._tokenizer.decode(tokens, skip_special_tokens=True)
        finish = "empty" if not response.strip() else "length" if len(tokens) == most else "stop"
        return Answer(question.id, response, finish, "", read, len(tokens), first)

    def _ends(self) -> set[int]:
        found = self._model.generation_config.eos_token_id
        own = found if isinstance(found, list) else [found]
        return {token for token in [*own, self._tokenizer.eos_token_id] if token is not None}

    def _first_token(self, logits: torch.Tensor, count: int) -> dict[str, float]:
        best = logits.log_softmax(0).topk(count)
        found: dict[str, float] = {}
        for token, value in zip(best.indices.tolist(), best.values.tolist(), strict=True):
            found.setdefault(self._tokenizer.decode([token]), value)
        return found


def draw(logits: torch.Tensor, *, temperature: float, top_p: float, generator: torch.Generator) -> int:
    """Draw a token: the likeliest at temperature 0, else from the smallest set that holds `top_p` of the probability.

    Source: Holtzman et al., ICLR 2020, section 3.1 (nucleus sampling), on probabilities before temperature as llama.cpp
    does here.
    """
    if temperature == 0:
        return int(logits.argmax())
    shares, order = logits.softmax(0).sort(descending=True, stable=True)
    kept = shares.cumsum(0) - shares < top_p
    weights = (logits[order[kept]] / temperature).softmax(0)
    return int(order[kept][torch.multinomial(weights, 1, generator=generator)])


def _seed(question: Question) -> int:
    """Mix the seed with the conversation, so that questions of one seed do not share their draws."""
    content = repr((question.decode.seed, question.messages)).encode()
    return int.from_bytes(hashlib.sha256(content).digest()[:7], "big")
