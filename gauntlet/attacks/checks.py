"""What an attack refuses before it computes: one line that says what must hold, what came, and the likely slip."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from gauntlet.attacks.balls import NORMS
from gauntlet.errors import ArgumentError

_SUM_TOLERANCE = 1e-3


def check_inputs(x: Tensor, y: Tensor, *, eps: float | Tensor, norm: str) -> None:
    """Check images, labels and radius.

    Args:
        x: Must be float32, B x C x H x W, in [0, 1].
        y: Must be int64 [B].
        eps: Must lie in [0, the diameter of [0, 1]^d in the norm]; a number or [B].
        norm: Must be one of NORMS.

    Raises:
        ArgumentError: One of them does not hold.
    """
    if norm not in NORMS:
        raise ArgumentError(f"norm must be one of {', '.join(NORMS)}; got {norm!r}")
    if x.dtype != torch.float32 or x.dim() != 4:
        shape = " x ".join(map(str, x.shape))
        raise ArgumentError(f"x must be float32 B x C x H x W (a uint8 image over 255); got {x.dtype} {shape}")
    if y.dtype != torch.int64 or y.shape != x.shape[:1]:
        raise ArgumentError(f"y must be int64 [{len(x)}], one label an image; got {y.dtype} {list(y.shape)}")
    if x.device != y.device:
        raise ArgumentError(f"x and y must be on one device; got {x.device} and {y.device}")
    _check_pixels(x)
    check_eps(eps, x, norm=norm)


def check_eps(eps: float | Tensor, x: Tensor, *, norm: str) -> None:
    """Check a radius.

    Args:
        eps: A number or [B].
        x: B x C x H x W.
        norm: "linf", "l2" or "l1".

    Raises:
        ArgumentError: A wrong shape; not a number; below 0; beyond the farthest image.
    """
    radii = torch.as_tensor(eps)
    if radii.dim() > 1 or (radii.dim() == 1 and len(radii) != len(x)):
        raise ArgumentError(f"eps must be a number or one an image [{len(x)}]; got the shape {list(radii.shape)}")
    size = math.prod(x.shape[1:])
    limit = {"linf": 1.0, "l2": math.sqrt(size), "l1": float(size)}[norm]
    wrong = ~((radii >= 0) & (radii <= limit))
    if wrong.any():
        got = float(radii.reshape(-1)[wrong.reshape(-1)][0])
        raise ArgumentError(f"eps must lie in [0, {limit:.4g}] for {norm} (8/255, not 8); got {got:g}")


def check_logits(logits: Tensor, y: Tensor) -> None:
    """Check what a model returned.

    Args:
        logits: Must be float, B x K with K at least 2, finite, and not probabilities.
        y: int64 [B]; must lie in [0, K).

    Raises:
        ArgumentError: One of them does not hold.
    """
    if logits.dim() != 2 or len(logits) != len(y) or logits.shape[1] < 2 or not logits.is_floating_point():
        shape = " x ".join(map(str, logits.shape))
        raise ArgumentError(f"the model must return float logits {len(y)} x classes; got {logits.dtype} {shape}")
    if not len(y):
        return
    classes = logits.shape[1]
    low, high = (int(bound) for bound in y.aminmax())
    if low < 0 or high >= classes:
        raise ArgumentError(
            f"labels must lie in [0, {classes - 1}], the model's classes; got {low if low < 0 else high}"
        )
    values = logits.detach().float()
    if not values.isfinite().all():
        count = int((~values.isfinite()).any(1).sum())
        raise ArgumentError(f"logits must be finite; {count} of {len(y)} images got NaN or infinity")
    if (values >= 0).all() and ((values.sum(1) - 1).abs() < _SUM_TOLERANCE).all():
        raise ArgumentError("the model must return logits; its rows are probabilities: leave its softmax out")


def checking_first(loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the loss with `check_logits` before its first call: a label that fits no class must not reach it.

    Args:
        loss: (logits, y) to [B].
    """
    waiting = [check_logits]

    def checked(logits: Tensor, y: Tensor) -> Tensor:
        while waiting:
            waiting.pop()(logits, y)
        return loss(logits, y)

    return checked


def _check_pixels(x: Tensor) -> None:
    if not x.numel():
        return
    low, high = (float(bound) for bound in x.aminmax())
    if not (low >= 0 and high <= 1):
        raise ArgumentError(
            f"pixels must lie in [0, 1] (divide by 255, normalise in the model); got [{low:g}, {high:g}]"
        )
