"""SAFE's residual blending of the tuned and the pre-trained pooled feature."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from gauntlet.errors import ArgumentError


def raw(tuned: Tensor, pooled: Tensor, *, alpha: float) -> Tensor:
    """Mix the features as they are."""
    return alpha * tuned + (1 - alpha) * pooled


def normalised(tuned: Tensor, pooled: Tensor, *, alpha: float) -> Tensor:
    """Mix directions: a tuned feature that grew long weighs no more."""
    return alpha * functional.normalize(tuned, dim=-1) + (1 - alpha) * functional.normalize(pooled, dim=-1)


BLENDS: dict[str, Callable[..., Tensor]] = {f.__name__: f for f in (raw, normalised)}
"""Which of the two the paper means is not known to us."""


def blend(tuned: Tensor, pooled: Tensor, *, alpha: float, kind: str) -> Tensor:
    """Return the blended features, [..., D], not normalised; at 0 and 1 the given ones to the bit.

    Args:
        tuned: [..., D], of the tuned pooling.
        pooled: [..., D], of the pre-trained one.
        alpha: In [0, 1]; 0 is zero-shot CLIP, 1 pure fine-tuning.
        kind: A key of BLENDS.

    Raises:
        ArgumentError: alpha lies outside [0, 1], or there is no such kind.

    Source: SAFE, g = alpha pool(F; T) + (1 - alpha) pool(F; T0).
    """
    if not 0 <= alpha <= 1:
        raise ArgumentError(f"alpha must lie in [0, 1]; got {alpha}; a percentage?")
    if kind not in BLENDS:
        raise ArgumentError(f"blend must be one of {', '.join(BLENDS)}; got {kind!r}; misspelt?")
    if alpha in (0, 1):
        return tuned if alpha else pooled
    return BLENDS[kind](tuned, pooled, alpha=alpha)


def blend_curve(tuned: Tensor, pooled: Tensor, *, alphas: Sequence[float], kind: str) -> Tensor:
    """Return the blended features of each alpha, [alphas, ..., D]."""
    return torch.stack([blend(tuned, pooled, alpha=alpha, kind=kind) for alpha in alphas])
