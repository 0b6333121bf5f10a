"""Losses that attacks ascend: one number an image, greater where the model errs more."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

_TINY = 1e-12


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """Return the cross-entropy of each image, [B].

    Args:
        logits: B x K.
        y: int64 [B].
    """
    return functional.cross_entropy(logits, y, reduction="none")


def margin(logits: Tensor, y: Tensor) -> Tensor:
    """Return the greatest wrong logit minus the true one, [B]: positive exactly where the model errs.

    Args:
        logits: B x K, K at least 2.
        y: int64 [B].

    Source: Carlini and Wagner, S&P 2017 (f_6 at temperature 1, sign turned).
    """
    true = functional.one_hot(y, logits.shape[1]).bool()
    return logits.masked_fill(true, -torch.inf).amax(1) - logits.gather(1, y[:, None])[:, 0]


def dlr(logits: Tensor, y: Tensor) -> Tensor:
    """Return the difference-of-logits ratio of each image, [B]: the margin, free of shift and scale.

    Args:
        logits: B x K, K at least 3.
        y: int64 [B].

    Source: Croce and Hein, ICML 2020 (equation 6).
    """
    first, _, third = logits.topk(3, dim=1).values.unbind(1)
    return margin(logits, y) / (first - third + _TINY)


def dlr_targeted(logits: Tensor, y: Tensor, target: Tensor) -> Tensor:
    """Return the difference-of-logits ratio towards a target, [B].

    Args:
        logits: B x K, K at least 4.
        y: int64 [B].
        target: int64 [B], other than y.

    Source: Croce and Hein, ICML 2020 (equation 7).
    """
    true, wanted = logits.gather(1, torch.stack([y, target], 1)).unbind(1)
    first, _, third, fourth = logits.topk(4, dim=1).values.unbind(1)
    return (wanted - true) / (first - (third + fourth) / 2 + _TINY)


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {f.__name__: f for f in (cross_entropy, margin, dlr)}
