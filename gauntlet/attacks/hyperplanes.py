"""The shortest way from a point of the unit box onto a hyperplane, staying in the box: linf, l2 and l1."""

from collections.abc import Callable

import torch
from torch import Tensor

from gauntlet.attacks.balls import NORMS
from gauntlet.errors import ArgumentError

# Newton ascends a concave, piecewise linear function: each step ends on a later piece. A handful suffices, since
# few pixels reach the box on the way; what a far plane leaves undone is left to the next projection.
_NEWTON = 5
_TINY = 1e-12
# Part of the rise that float32 cannot tell from nothing.
_CLOSE = 1e-6
_IN_CACHE = 2**17


def onto_hyperplane(points: Tensor, slope: Tensor, rise: Tensor, *, norm: str) -> Tensor:
    """Return the shortest delta, points + delta in [0, 1], with slope . delta = rise.

    Args:
        points: B x D in [0, 1].
        slope: B x D.
        rise: [B]; where the box is too small for it, delta goes as far as the box allows.
        norm: "linf", "l2" or "l1": the length that is least.

    Returns:
        B x D.

    Raises:
        ArgumentError: An unknown norm.

    Source: Hein and Andriushchenko, NeurIPS 2017 (appendix). They sort the pixels by when each reaches the box;
        for linf and l2 Newton's method finds the same multiplier without a sort.
    """
    if norm not in NORMS:
        raise ArgumentError(f"norm must be one of {', '.join(NORMS)}; got {norm!r}")
    # On a CPU, few enough rows at a time that the dozen passes over them stay in a core's cache.
    rows = max(_IN_CACHE // max(points.shape[1], 1), 1) if points.device.type == "cpu" else max(len(points), 1)
    parts = zip(points.split(rows), slope.split(rows), rise[:, None].split(rows), strict=True)
    return torch.cat([_nearest(*part, size=_SIZES[norm]) for part in parts])


def _nearest(
    points: Tensor, slope: Tensor, rise: Tensor, *, size: Callable[[Tensor, Tensor, Tensor], Tensor]
) -> Tensor:
    way = slope * rise.sign()
    room = torch.where(way > 0, 1 - points, points)
    return size(way.abs(), room, rise.abs()) * way.sign()


def _even(steep: Tensor, room: Tensor, rise: Tensor) -> Tensor:
    return _up_to_room((steep > 0).to(steep.dtype), steep, room, rise=rise)


def _steep(steep: Tensor, room: Tensor, rise: Tensor) -> Tensor:
    return _up_to_room(steep, steep, room, rise=rise)


def _up_to_room(speed: Tensor, steep: Tensor, room: Tensor, *, rise: Tensor) -> Tensor:
    """Return min(time * speed, room), the time such that steep . that = rise."""
    time = torch.zeros_like(rise)
    gain = speed * steep
    for _ in range(_NEWTON):
        way = time * speed
        free = way < room
        lost = rise - (steep * torch.minimum(way, room)).sum(1, keepdim=True)
        if not (lost > _CLOSE * rise).any():
            break
        time = time + (lost / (gain * free).sum(1, keepdim=True).clamp_min(_TINY)).clamp_min(0)
    return torch.minimum(time * speed, room)


def _greedy(steep: Tensor, room: Tensor, rise: Tensor) -> Tensor:
    """Return whole rooms, steepest pixels first, and a part of the last one."""
    steep, order = steep.sort(1, descending=True)
    gains = steep * room.gather(1, order)
    left = (rise - gains.cumsum(1) + gains).clamp_min(0)
    size = torch.minimum(left / steep.clamp_min(_TINY), room.gather(1, order)) * (steep > 0)
    return torch.zeros_like(size).scatter_(1, order, size)


_Size = Callable[[Tensor, Tensor, Tensor], Tensor]
_SIZES: dict[str, _Size] = {"linf": _even, "l2": _steep, "l1": _greedy}
