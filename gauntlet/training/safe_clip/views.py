"""Augmentation views of few-shot pictures, and what CLIP's frozen trunk and pooling make of them, computed once."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from gauntlet.errors import ArgumentError, DataError


class Views(NamedTuple):
    """Pictures as the frozen trunk sees them, V times each.

    Attributes:
        maps: [V, N, *]: what the pooling takes: [C, h, w] for a ResNet CLIP, tokens for a ViT; any float type.
        pooled: float32, [V, N, D]: the pre-trained pooling's features, not normalised.
        labels: int64, [N], from 0.
    """

    maps: Tensor
    pooled: Tensor
    labels: Tensor

    def take(self, index: Tensor | Sequence[int]) -> "Views":
        """Return the pictures at these places, with all their views."""
        index = torch.as_tensor(index)
        return Views(self.maps[:, index], self.pooled[:, index], self.labels[index])
