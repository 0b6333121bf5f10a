"""What attacks for the least distance share with those for a budget: a limit, and the ball at the end."""

import math

import torch
from torch import Tensor

from gauntlet.attacks.balls import into_box, lengths, per_image

_DIAMETERS = {"linf": lambda size: 1.0, "l2": math.sqrt, "l1": float}
_SHARE = 1e-6


def limits(eps: float | Tensor | None, x: Tensor, *, norm: str) -> Tensor:
    """Return the greatest distance allowed to each image, [B].

    Args:
        eps: A number, [B], or None for no limit but the box itself.
        x: B x C x H x W.
        norm: "linf", "l2" or "l1".
    """
    if eps is None:
        eps = _DIAMETERS[norm](math.prod(x.shape[1:]))
    return per_image(eps, x).flatten().expand(len(x))


def confined(x: Tensor, x_adv: Tensor, *, eps: Tensor, norm: str) -> Tensor:
    """Return x_adv, projected where it lies outside the ball and untouched elsewhere.

    An image on the decision boundary falls back over it by a rounding error: so no arithmetic unless it is needed.

    Args:
        x: B x C x H x W in [0, 1].
        x_adv: Like x.
        eps: [B].
        norm: "linf", "l2" or "l1".
    """
    outside = per_image(lengths(x_adv - x, norm) > eps * (1 + _SHARE), x).bool()
    return torch.where(outside, into_box(x, x_adv - x, eps=eps, norm=norm), x_adv)
