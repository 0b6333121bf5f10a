"""One vector a text: the mean of an encoder's last states."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def sentence_vectors(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str], *, tokens: int = 128
) -> np.ndarray:
    """Embed texts as sentence-transformers' MiniLM models do.

    Args:
        model: Encoder in evaluation mode; its output has `last_hidden_state` [1, T, D].
        tokenizer: Of the encoder.
        texts: N of them; each goes alone, so that no vector depends on the others or on padding.
        tokens: A longer text is cut here.

    Returns:
        float64 [N, D], rows of length 1.

    Source: Reimers and Gurevych 2019, mean pooling.
    """
    rows = []
    with torch.inference_mode():
        for text in texts:
            read = tokenizer(text, truncation=True, max_length=tokens, return_tensors="pt")
            states = model(**read).last_hidden_state[0].double()
            rows.append((states.mean(dim=0) / states.mean(dim=0).norm()).numpy())
    return np.stack(rows) if rows else np.zeros((0, model.config.hidden_size))
