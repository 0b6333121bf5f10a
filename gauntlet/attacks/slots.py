"""Run many searches in few passes of the model: (image, run) pairs share one batch and leave it as they end.

A run is one try at an image: a random restart, or one target class. Waiting pairs, run by run, fill the rows
that others leave, so that the batch stays full while there is work: few images have all their runs side by
side, many images pass through in order. The outcome does not depend on that: the lowest run that finds
something gives an image's result, exactly as if its runs had come one after the other.
"""

from dataclasses import dataclass, fields, replace
from typing import NamedTuple, Protocol, Self

import torch
from torch import Tensor

from gauntlet.attacks.standing import Standing


@dataclass
class Rows:
    """What a search remembers; all fields are tensors whose first axis is the row.

    Attributes:
        image: int64 [R], places among the standing images.
        run: int64 [R].
        step: int64 [R], passes made.
    """

    image: Tensor
    run: Tensor
    step: Tensor

    def keep(self, which: Tensor) -> Self:
        """Return the rows that stay, bool [R]."""
        index = which.nonzero()[:, 0]
        return replace(self, **{field.name: getattr(self, field.name)[index] for field in fields(self)})

    def join(self, other: Self) -> Self:
        """Return these rows and then the others."""
        names = [field.name for field in fields(self)]
        return replace(self, **{name: torch.cat([getattr(self, name), getattr(other, name)]) for name in names})


class Look(NamedTuple):
    """What one pass saw: bool [R] found and bool [R] over (nothing more will come), and the points it looked at."""

    found: Tensor
    over: Tensor
    points: Tensor


class Walk(Protocol):
    """A search, one row a pair."""

    def begin(self, image: Tensor, run: Tensor) -> Rows:
        """Return fresh rows; asks the model nothing."""

    def advance(self, rows: Rows) -> Look:
        """Look at the rows' points, then move the rows in place to where they look next."""


class Found(NamedTuple):
    """What the runs found: x_adv, S x C x H x W, with x where nothing was; broken, bool [S]."""

    x_adv: Tensor
    broken: Tensor


@torch.no_grad()
def search(walk: Walk, standing: Standing, *, runs: int) -> Found:
    """Walk all pairs, at most `standing.batch` side by side.

    Args:
        walk: The search.
        standing: The images.
        runs: Runs over each image.
    """
    count, batch = len(standing.x), standing.batch
    x_adv = standing.x.clone()
    winner = torch.full_like(standing.y, runs)
    waiting, rows = 0, None
    while rows is not None or waiting < runs * count:
        size = 0 if rows is None else len(rows.image)
        # Joining copies every row: worth it only for a good part of the batch.
        if waiting < runs * count and (batch - size) * 4 >= batch:
            pairs, waiting = _next(winner, waiting, total=runs * count, room=batch - size)
            if len(pairs):
                fresh = walk.begin(pairs % count, pairs // count)
                rows = fresh if rows is None else rows.join(fresh)
        if rows is None:
            continue
        look = walk.advance(rows)
        leave = look.found | look.over
        if leave.any():
            _record(rows, look, winner=winner, x_adv=x_adv)
            rows = rows.keep(~leave & (rows.run < winner[rows.image]))
            rows = rows if len(rows.image) else None
    return Found(x_adv, winner < runs)


def _next(winner: Tensor, waiting: int, *, total: int, room: int) -> tuple[Tensor, int]:
    """Return up to `room` waiting pairs that can still matter, and where the queue then begins."""
    chosen: list[Tensor] = []
    while room and waiting < total:
        pairs = torch.arange(waiting, min(waiting + room, total), device=winner.device)
        waiting += len(pairs)
        chosen.append(pairs[winner[pairs % len(winner)] > pairs // len(winner)])
        room -= len(chosen[-1])
    return torch.cat(chosen), waiting


def _record(rows: Rows, look: Look, *, winner: Tensor, x_adv: Tensor) -> None:
    """Note what was found; of an image's runs the lowest wins, and later passes may still lower it."""
    row = look.found.nonzero()[:, 0]
    winner.scatter_reduce_(0, rows.image[row], rows.run[row], "amin")
    row = row[rows.run[row] == winner[rows.image[row]]]
    x_adv[rows.image[row]] = look.points[row]
