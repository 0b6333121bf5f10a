"""Balls around images in the norms linf, l2 and l1: lengths, projections, steepest directions, random starts."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from gauntlet.attacks.noise import Noise
from gauntlet.errors import ArgumentError

NORMS = ("linf", "l2", "l1")
_TINY = 1e-30
_Choice = TypeVar("_Choice")


def per_image(value: float | Tensor, x: Tensor) -> Tensor:
    """Return a number for all images, or one for each, in a shape that broadcasts over the batch.

    Args:
        value: A number, or a tensor [B].
        x: B x anything; gives device and dtype.

    Returns:
        B x 1 x ... or 1 x 1 x ..., with as many axes as x.
    """
    return torch.as_tensor(value, dtype=x.dtype, device=x.device).reshape(-1, *[1] * (x.dim() - 1))


def lengths(delta: Tensor, norm: str) -> Tensor:
    """Return the length of each image's perturbation.

    Args:
        delta: B x anything.
        norm: "linf", "l2" or "l1", over all axes but the first.

    Returns:
        [B].

    Raises:
        ArgumentError: An unknown norm.
    """
    return torch.linalg.vector_norm(delta.flatten(1), ord=_named(norm, _ORDERS), dim=1)


def project(delta: Tensor, eps: float | Tensor, norm: str) -> Tensor:
    """Return the nearest perturbation inside the ball.

    Args:
        delta: B x anything.
        eps: Radius, at least 0; a number or [B].
        norm: "linf", "l2" or "l1".

    Returns:
        B x anything.

    Raises:
        ArgumentError: An unknown norm.
    """
    return _named(norm, _PROJECTIONS)(delta, per_image(eps, delta))


def into_box(x: Tensor, delta: Tensor, *, eps: float | Tensor, norm: str) -> Tensor:
    """Return x + delta brought into the ball around x and into [0, 1].

    Exact for linf and l1, where it is the nearest such image. For l2 the ball comes first and the box after, as
    everywhere in the literature: inside both, not always the nearest.

    Args:
        x: float32, B x anything, in [0, 1].
        delta: Like x.
        eps: Radius, at least 0; a number or [B].
        norm: "linf", "l2" or "l1".

    Returns:
        Like x.

    Raises:
        ArgumentError: An unknown norm.

    Source: for l1 Croce and Hein, Mind the box, ICML 2021 (proposition 2.1).
    """
    if norm == "l1":
        room = torch.where(delta > 0, 1 - x, x)
        return (x + _shrunk(delta, per_image(eps, x), room)).clamp_(0, 1)
    return (x + project(delta, eps, norm)).clamp_(0, 1)


def direction(gradient: Tensor, norm: str, *, share: float = 0.01) -> Tensor:
    """Return the step of length 1 in the norm along which a linear function grows fastest.

    Args:
        gradient: B x anything; an image whose gradient is zero gets zero.
        norm: "linf" gives the sign; "l2" the gradient over its length; "l1" the signs of the greatest entries.
        share: For l1, the share of entries that move, in (0, 1]: one alone would be steepest and slow.

    Returns:
        Like gradient.

    Raises:
        ArgumentError: An unknown norm.

    Source: for l1 SLIDE, Tramèr and Boneh, NeurIPS 2019.
    """
    if norm == "l1":
        return _sparse_sign(gradient, share)
    if _named(norm, _ORDERS) == 2:
        return gradient / per_image(lengths(gradient, "l2").clamp_min(_TINY), gradient)
    return gradient.sign()


def random_start(noise: Noise, x: Tensor, *, eps: float | Tensor, norm: str) -> Tensor:
    """Return a random image of the ball and the box.

    Args:
        noise: The images' streams.
        x: float32, B x anything, in [0, 1].
        eps: Radius, at least 0; a number or [B].
        norm: "linf" draws evenly from the cube; "l2" and "l1" draw a direction, then a length evenly from [0, eps].

    Returns:
        Like x.

    Raises:
        ArgumentError: An unknown norm.

    Source: Madry et al., ICLR 2018, for linf; the even length, which favours the middle, is torchattacks' choice.
    """
    shape = tuple(x.shape[1:])
    if norm == "linf":
        delta = noise.uniform(shape, -1.0, 1.0)
    elif _named(norm, _ORDERS) == 2:
        delta = noise.normal(shape)
    else:
        # Exponential sizes under random signs point evenly over the faces of the l1 ball.
        delta = noise.signs(shape) * -torch.log1p(-noise.uniform(shape))
    if norm != "linf":
        delta = delta * per_image(noise.uniform(()) / lengths(delta, norm).clamp_min(_TINY), x)
    return into_box(x, delta * per_image(eps, x), eps=eps, norm=norm)


def _project_linf(delta: Tensor, eps: Tensor) -> Tensor:
    return torch.minimum(torch.maximum(delta, -eps), eps)


def _project_l2(delta: Tensor, eps: Tensor) -> Tensor:
    return delta * (eps / per_image(lengths(delta, "l2").clamp_min(_TINY), delta)).clamp_max(1)


def _project_l1(delta: Tensor, eps: Tensor) -> Tensor:
    """Project as Duchi et al., ICML 2008: every entry loses the same amount."""
    return _shrunk(delta, eps, torch.full_like(delta, torch.inf))


def _shrunk(delta: Tensor, eps: Tensor, room: Tensor) -> Tensor:
    """Return sign(delta) min(max(|delta| - loss, 0), room), the least loss >= 0 that makes its l1 length at most eps.

    The length falls with the loss along straight pieces whose corners lie where an entry begins to count
    (loss = |delta|) and where it reaches its room (loss = |delta| - room); sorted corners give the piece.
    """
    sizes, room, limit = delta.abs().flatten(1), room.flatten(1), eps.flatten(1).double()
    corners = torch.cat([sizes, sizes - room], 1).clamp_min(0).double()
    weights = torch.ones_like(corners)
    weights[:, sizes.shape[1] :] = -1
    corners, order = corners.sort(1, descending=True)
    weights = weights.gather(1, order)
    slope, total = weights.cumsum(1), (weights * corners).cumsum(1)
    reached = total - corners * slope
    below = (reached < limit).sum(1, keepdim=True)
    piece = (below - 1).clamp_min(0)
    loss = (total.gather(1, piece) - limit) / slope.gather(1, piece).clamp_min(1)
    loss = torch.where(below > 0, loss, corners[:, :1]).clamp_min(0).to(delta.dtype)
    size = torch.minimum((sizes - loss).clamp_min(0), room)
    return delta.sign() * size.view_as(delta)


def _sparse_sign(gradient: Tensor, share: float) -> Tensor:
    sizes = gradient.abs().flatten(1)
    count = max(1, round(share * sizes.shape[1]))
    chosen = torch.zeros_like(sizes).scatter_(1, sizes.topk(count, dim=1).indices, 1 / count)
    return gradient.sign() * chosen.view_as(gradient)


def _named(norm: str, choices: dict[str, _Choice]) -> _Choice:
    if norm not in choices:
        raise ArgumentError(f"norm must be one of {', '.join(NORMS)}; got {norm!r}")
    return choices[norm]


_ORDERS: dict[str, float] = {"linf": torch.inf, "l2": 2, "l1": 1}
_PROJECTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "linf": _project_linf,
    "l2": _project_l2,
    "l1": _project_l1,
}
