"""What Square proposes: for linf stripes and then flat squares, for l2 and l1 tiles and then peaked ones."""

from typing import Protocol

import torch
from torch import Tensor

from gauntlet.attacks.balls import into_box, lengths, per_image
from gauntlet.attacks.noise import Noise

_TINY = 1e-12
_TILES = 5
_DECAY = {2: -2, 1: -4}


class Current(Protocol):
    """The rows whose points are changed: places among the images, and each row's image, radius and best point."""

    image: Tensor
    x: Tensor
    eps: Tensor
    point: Tensor


class FlatPatches:
    """Squares of one colour of +-eps a channel; the start is vertical stripes.

    Source: Andriushchenko et al., ECCV 2020 (algorithm 2).
    """

    def __init__(self, x: Tensor, sides: list[int]) -> None:
        count, channels, height, width = x.shape
        self.side = torch.tensor([0, *sides], device=x.device)
        self.shape = (height, width)
        self.corner = torch.zeros(count, len(sides) + 1, 2, device=x.device)
        self.sign = torch.zeros(count, len(sides) + 1, channels, dtype=torch.int8, device=x.device)
        self.stripes = torch.zeros(count, channels, 1, width, dtype=torch.int8, device=x.device)

    def draw(self, image: Tensor, noise: Noise) -> None:
        """Draw the chances of all queries of these images."""
        self.corner[image] = noise.uniform(tuple(self.corner.shape[1:]))
        self.sign[image] = noise.signs(tuple(self.sign.shape[1:])).to(torch.int8)
        self.stripes[image] = noise.signs(tuple(self.stripes.shape[1:])).to(torch.int8)

    def propose(self, rows: Current, steps: Tensor) -> Tensor:
        """Return the points that the queries ask about, R x A x C x H x W, for the queries R x A."""
        image = rows.image[:, None]
        side = self.side[steps]
        inside = window(self.corner[image, steps], side, self.shape)[:, :, None]
        sign = self.sign[image, steps][..., None, None]
        eps = per_image(rows.eps, rows.x)
        # Best points lie within eps of x, so that adding +-2 eps and clipping leads to x +- eps.
        high, low = (rows.x + eps).clamp_(max=1)[:, None], (rows.x - eps).clamp_(min=0)[:, None]
        points = torch.where(inside, torch.where(sign > 0, high, low), rows.point[:, None])
        if (steps == 0).any():
            start = torch.where(self.stripes[rows.image] > 0, high[:, 0], low[:, 0])[:, None]
            points = torch.where((steps == 0)[..., None, None, None], start, points)
        return points


class PeakedPatches:
    """Squares of two opposite peaks; what another square held pays for each; the start is five by five tiles.

    Source: Andriushchenko et al., ECCV 2020 (algorithm 3), whose order is 2; for order 1 AutoAttack's variant.
    """

    def __init__(self, x: Tensor, sides: list[int], *, order: int) -> None:
        count, channels, height, width = x.shape
        self.order, self.shape, self.norm = order, (height, width), f"l{order}"
        odd = [min(max(side, 3) | 1, height, width) for side in sides]
        tile = max(height // _TILES, 1)
        sizes = sorted({tile, *odd})
        self.level = torch.tensor([sizes.index(side) for side in (tile, *odd)], device=x.device)
        self.side = torch.tensor([tile, *odd], device=x.device)
        self.peaks = x.new_zeros(len(sizes), 2, sizes[-1], sizes[-1])
        for level, size in enumerate(sizes):
            peak = _peaks(size, order=order)
            self.peaks[level, 0, :size, :size], self.peaks[level, 1, :size, :size] = peak, peak.T
        self.corner = torch.zeros(count, len(sides) + 1, 4, device=x.device)
        self.sign = torch.zeros(count, len(sides) + 1, channels + 1, dtype=torch.int8, device=x.device)
        self.start = torch.zeros_like(x)

    def draw(self, image: Tensor, noise: Noise) -> None:
        """Draw the chances of all queries of these images."""
        self.corner[image] = noise.uniform(tuple(self.corner.shape[1:]))
        self.sign[image] = noise.signs(tuple(self.sign.shape[1:])).to(torch.int8)
        self.start[image] = self._tiles(noise)

    def propose(self, rows: Current, steps: Tensor) -> Tensor:
        """Return the points that the queries ask about, R x A x C x H x W, for the queries R x A."""
        image, order = rows.image[:, None], self.order
        delta = (rows.point - rows.x)[:, None]
        corner, side, sign = self.corner[image, steps], self.side[steps], self.sign[image, steps]
        into = window(corner[..., :2], side, self.shape)[:, :, None]
        both = into | window(corner[..., 2:], side, self.shape)[:, :, None]
        powers = delta.abs() ** order
        peaks = self._placed(corner[..., :2], side, self.level[steps], turned=sign[..., -1] > 0)
        fresh = peaks[:, :, None] * into * sign[..., :-1, None, None]
        held = (powers * into).sum((-2, -1), keepdim=True) ** (1 / order)
        fresh = fresh + delta * into / (held + _TINY)
        # A channel may grow by what it held in the two squares, and by its part of what the ball has left.
        left = (per_image(rows.eps, rows.x)[:, None] ** order - powers.sum((-3, -2, -1), keepdim=True)).clamp_min(0)
        budget = left / delta.shape[-3] + (powers * both).sum((-2, -1), keepdim=True)
        length = (fresh.abs() ** order).sum((-2, -1), keepdim=True) ** (1 / order)
        # AutoAttack's l1 variant overdraws by the number of channels, and leaves it to the projection.
        budget = budget ** (1 / order) * (delta.shape[-3] if order == 1 else 1)
        changed = torch.where(both, 0.0, delta) + fresh / (length + _TINY) * budget
        begin = (steps == 0)[..., None, None, None]
        changed = torch.where(begin, self.start[rows.image][:, None], changed).flatten(0, 1)
        return self._filled(rows, changed, ahead=steps.shape[1]).unflatten(0, steps.shape)

    def _filled(self, rows: Current, delta: Tensor, *, ahead: int) -> Tensor:
        """Bring perturbations into ball and box, those for l2 after stretching them to the radius."""
        x, eps = rows.x.repeat_interleave(ahead, 0), rows.eps.repeat_interleave(ahead)
        if self.order == 2:
            delta = delta * per_image(eps / lengths(delta, "l2").clamp_min(_TINY), delta)
        return into_box(x, delta, eps=eps, norm=self.norm)

    def _placed(self, corner: Tensor, side: Tensor, level: Tensor, *, turned: Tensor) -> Tensor:
        """Return the peaks in their squares, R x A x H x W; what lies outside these means nothing."""
        rows, columns = (_from(corner[..., axis], side, self.shape[axis]) for axis in (0, 1))
        width = self.peaks.shape[-1]
        # One flat index is several times faster than an index for each of the table's axes.
        place = (2 * level + turned)[..., None] * width + rows.clamp(0, width - 1)
        place = place[..., :, None] * width + columns.clamp(0, width - 1)[..., None, :]
        return self.peaks.flatten().take(place)

    def _tiles(self, noise: Noise) -> Tensor:
        """Return the start: tiles of peaks with random signs and turns, B x C x H x W."""
        height, width = self.shape
        size, channels = int(self.side[0]), self.start.shape[1]
        rows, columns = (
            torch.arange(length, device=self.side.device) - (length - size * _TILES) // 2 for length in self.shape
        )
        down, across = height // size + 2, width // size + 2
        sign = noise.signs((channels, down, across))
        turned = noise.integers((down, across), 2)
        row, column = rows.div(size, rounding_mode="floor") + 1, columns.div(size, rounding_mode="floor") + 1
        row, column = row.clamp(0, down - 1), column.clamp(0, across - 1)
        peaks = self.peaks[
            self.level[0], turned[:, row][:, :, column], (rows % size)[:, None], (columns % size)[None, :]
        ]
        return peaks[:, None] * sign[:, :, row][:, :, :, column]


def window(corner: Tensor, side: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return where the squares lie, bool R x A x H x W.

    Args:
        corner: R x A x 2 in [0, 1), the place among all that the square has, down and across.
        side: int64 [A] or R x A, px.
        shape: H and W.
    """
    down, across = (_from(corner[..., axis], side, shape[axis]) for axis in (0, 1))
    in_rows, in_columns = ((place >= 0) & (place < side[..., None]) for place in (down, across))
    return in_rows[..., :, None] & in_columns[..., None, :]


def _from(corner: Tensor, side: Tensor, length: int) -> Tensor:
    """Return how far each line lies beyond the square's first one, R x A x length."""
    first = (corner * (length - side + 1)).long()
    return torch.arange(length, device=corner.device) - first[..., None]


def _peaks(size: int, *, order: int) -> Tensor:
    """Return two peaks of opposite signs, one over the other, size x size, of length 1 in the norm."""
    half = size // 2
    upper = _peak(half, size, order=order)
    both = torch.cat([upper, -_peak(size - half, size, order=order)])
    return both / (both.abs() ** order).sum() ** (1 / order)


def _peak(height: int, width: int, *, order: int) -> Tensor:
    """Return a peak that falls with the distance (the greater of down and across) from the middle; of length 1."""
    if not height:
        return torch.zeros(0, width)
    down = (torch.arange(height) - height // 2).abs()
    across = (torch.arange(width) - width // 2).abs()
    rings = max(height, width) // 2 + 1
    weights = torch.arange(1, rings + 1, dtype=torch.float32) ** _DECAY[order]
    # Ring n covers all within distance n, with a weight of 1 / (n + 1)^2 for l2 and ^4 for l1.
    sums = weights.flip(0).cumsum(0).flip(0)
    peak = sums[torch.maximum(down[:, None], across[None, :])]
    return peak / (peak**order).sum() ** (1 / order)


def _l2(x: Tensor, sides: list[int]) -> PeakedPatches:
    return PeakedPatches(x, sides, order=2)


def _l1(x: Tensor, sides: list[int]) -> PeakedPatches:
    return PeakedPatches(x, sides, order=1)


PATCHES = {"linf": FlatPatches, "l2": _l2, "l1": _l1}
