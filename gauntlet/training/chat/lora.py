"""A chat model cut in two: lower layers that stay, computed once; upper layers with low-rank adapters."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gauntlet.errors import ArgumentError
from gauntlet.training.chat.records import Lesson
from gauntlet.training.state import lend

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Adapted:
    """A model of transformers' Llama kind with adapters in its upper layers.

    Attributes:
        peft: The model as peft wraps it, which saves and merges the adapters.
        layers: How many of the upper layers have adapters.
    """

    peft: nn.Module
    layers: int

    @property
    def lm(self) -> nn.Module:
        """The language model inside."""
        return self.peft.base_model.model

    @property
    def below(self) -> int:
        """How many layers stay as they are."""
        return len(self.lm.model.layers) - self.layers

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.lm.lm_head.weight.device

    def adapters(self) -> nn.ParameterDict:
        """Return the trained weights alone, the same tensors: what a checkpoint has to keep."""
        named = self.peft.named_parameters()
        return nn.ParameterDict({name.replace(".", "/"): weight for name, weight in named if weight.requires_grad})


def adapt(model: nn.Module, *, layers: int, rank: int, alpha: float, generator: torch.Generator) -> Adapted:
    """Put adapters into all projections of the upper layers; they change nothing before they are trained.

    Args:
        model: transformers' LlamaForCausalLM or one built alike.
        layers: Upper layers, 1 to all of them.
        rank: Of the adapters, at least 1.
        alpha: Their scale is alpha / rank.
        generator: On the CPU; draws the first factor, the second is zero.

    Raises:
        ArgumentError: The model has fewer layers.

    Source: Hu et al., LoRA (ICLR 2022), section 4.1; S-Eval does not publish how its two models are trained.
    """
    from peft import LoraConfig, get_peft_model

    count = len(model.model.layers)
    if not 1 <= layers <= count:
        raise ArgumentError(f"lora_layers must lie in 1..{count}, the model's layers; got {layers}")
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=0.0,
        target_modules=list(TARGETS),
        layers_to_transform=list(range(count - layers, count)),
        task_type="CAUSAL_LM",
    )
    with lend(generator, device=str(model.device)), warnings.catch_warnings():
        # peft 0.21 asks transformers 5 by a name that is on its way out.
        warnings.simplefilter("ignore", FutureWarning)
        peft = get_peft_model(model, config)
    return Adapted(peft, layers)


@dataclass(frozen=True)
class Frozen:
    """What the lower layers make of lessons.

    Attributes:
        prefix: [1, P, D], of the shared beginning.
        items: [T, D] each.
    """

    prefix: Tensor
    items: list[Tensor]


@torch.no_grad()
def freeze(adapted: Adapted, prefix: Tensor, items: Sequence[Lesson], *, batch: int) -> Frozen:
    """Compute the states below the adapters, once for all epochs.

    Args:
        adapted: The model.
        prefix: [P], the shared beginning.
        items: What follows it.
        batch: Items at once; changes nothing but speed.
    """
    embed, layers = adapted.lm.model.embed_tokens, range(adapted.below)
    start, cache = _through(adapted, embed(prefix[None].to(adapted.device)), layers=layers)
    states: list[Tensor] = [start] * len(items)
    order = sorted(range(len(items)), key=lambda index: len(items[index].tokens))
    for begin in range(0, len(order), batch):
        chosen = order[begin : begin + batch]
        tokens = nn.utils.rnn.pad_sequence([items[index].tokens for index in chosen], batch_first=True)
        hidden, _ = _through(adapted, embed(tokens.to(adapted.device)), layers=layers, before=cache)
        for row, index in enumerate(chosen):
            states[index] = hidden[row, : len(items[index].tokens)].clone()
    return Frozen(start, states)


def upper(adapted: Adapted, prefix: Tensor, hidden: Sequence[Tensor]) -> Tensor:
    """Run the adapted layers over a batch.

    Args:
        adapted: The model.
        prefix: [1, P, D], from `freeze`.
        hidden: [T, D] each, from `freeze`.

    Returns:
        [B, longest T, D], before the last norm; what lies behind an item's end means nothing.
    """
    layers = range(adapted.below, len(adapted.lm.model.layers))
    _, cache = _through(adapted, prefix, layers=layers)
    # Padding stands behind the text, and no token looks ahead: it needs no mask.
    return _through(adapted, nn.utils.rnn.pad_sequence(list(hidden), batch_first=True), layers=layers, before=cache)[0]


def _through(adapted: Adapted, hidden: Tensor, *, layers: range, before: object = None) -> tuple[Tensor, object]:
    """Run some layers over [B, T, D], behind the keys and values of a shared beginning; return these and the states."""
    from transformers import DynamicCache

    llama, batch, count = adapted.lm.model, len(hidden), hidden.shape[1]
    cache, past = DynamicCache(), 0
    if before is not None and layers:
        past = before.layers[layers[0]].keys.shape[2]
        for number in layers:
            kept = before.layers[number]
            cache.update(kept.keys.expand(batch, -1, -1, -1), kept.values.expand(batch, -1, -1, -1), number)
    positions = torch.arange(past, past + count, device=hidden.device)
    seen = torch.arange(past + count, device=hidden.device)[None] <= positions[:, None]
    mask = torch.zeros(seen.shape, dtype=hidden.dtype, device=hidden.device).masked_fill(~seen, float("-inf"))
    turned = llama.rotary_emb(hidden, positions[None])
    for number in layers:
        hidden = llama.layers[number](
            hidden,
            attention_mask=mask[None, None],
            position_ids=positions[None],
            past_key_values=cache,
            use_cache=True,
            position_embeddings=turned,
        )
    return hidden, cache
