"""One vector a text: the mean of an encoder's last states."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


ROWS = 64
"""Texts that the encoder reads at once."""


def sentence_vectors(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str], *, tokens: int = 128
) -> np.ndarray:
    """Embed texts as sentence-transformers' MiniLM models do.

    Args:
        model: Encoder in evaluation mode; its output has `last_hidden_state` [B, T, D].
        tokenizer: Of the encoder.
        texts: N of them; those of one length are read together, so that none is padded.
        tokens: A longer text is cut here.

    Returns:
        float64 [N, D], rows of length 1.

    Source: Reimers and Gurevych 2019, mean pooling.
    """
    read = [tokenizer(text, truncation=True, max_length=tokens)["input_ids"] for text in texts]
    vectors = np.zeros((len(texts), model.config.hidden_size))
    for length in sorted({len(ids) for ids in read}):
        places = [place for place, ids in enumerate(read) if len(ids) == length]
        for start in range(0, len(places), ROWS):
            here = places[start : start + ROWS]
            with torch.inference_mode():
                states = model(input_ids=torch.tensor([read[place] for place in here])).last_hidden_state
            vectors[here] = states.double().mean(dim=1).numpy()
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
