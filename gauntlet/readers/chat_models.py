"""Read a chat model's folder for training: weights, tokenizer, chat template."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from gauntlet.errors import DataError
from gauntlet.models.chat import Message


@dataclass(frozen=True)
class ChatModel:
    """A model of transformers and its tokenizer.

    Attributes:
        model: The language model, in evaluation mode, its weights frozen.
        tokenizer: With a chat template.
        end: The text that ends a turn.
    """

    model: nn.Module
    tokenizer: object
    end: str

    def encode(self, text: str) -> list[int]:
        """Return a text's tokens; special ones in it are read as such."""
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def written(self, messages: Sequence[Message]) -> str:
        """Write a conversation by the chat template, up to where the answer begins."""
        return self.tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)


def read_chat_model(folder: Path, *, dtype: torch.dtype, device: str = "cpu") -> ChatModel:
    """Load a folder of transformers.

    Args:
        folder: With config.json, model.safetensors, tokenizer.json and a chat template.
        dtype: Of the weights.
        device: Where they go.

    Raises:
        DataError: The folder is not whole, or has no chat template.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:160]
        raise DataError(f"{folder} must be a chat model's folder; {reason}; was s_eval.convert run?") from None
    if not tokenizer.chat_template or not tokenizer.eos_token:
        raise DataError(f"{folder} must have a chat template and a token that ends a turn; is it a base model?")
    return ChatModel(model.to(device).eval().requires_grad_(False), tokenizer, tokenizer.eos_token)
