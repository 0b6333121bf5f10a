"""The walk of APGD for l1: sparse steps, and a radius that shrinks to its goal."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gauntlet.attacks.apgd_walk import Goal, remember
from gauntlet.attacks.balls import into_box, per_image
from gauntlet.attacks.gradient import gradient
from gauntlet.attacks.slots import Look, Rows
from gauntlet.attacks.standing import Standing

_RADII = (3.0, 2.0, 1.0)
_SHARES = (0.3, 0.3)
_SPARSER = 0.95
_DENSITY = 1.5
_SHRINK = 1.5
_LEAST = 10.0


@dataclass
class SparseClimb(Rows):
    """A row of APGD for l1.

    Attributes:
        x: The image; eps its radius; wanted its labels.
        point: Where it looks next.
        best, best_slope, best_loss: The point of greatest loss within the present radius.
        moved: Pixels in which the best point differed from x when last counted.
        alpha: Step size.
    """

    x: Tensor
    eps: Tensor
    wanted: Tensor
    point: Tensor
    best: Tensor
    best_slope: Tensor
    best_loss: Tensor
    moved: Tensor
    alpha: Tensor


class SparseAscent:
    """APGD for l1, one row a run: three parts at 3, 2 and 1 times the radius, each from the best point before.

    Source: Croce and Hein, Mind the box, ICML 2021 (sections 3 and 4); `steps` are shared out 30, 30 and 40 %.
    """

    def __init__(self, model: nn.Module, still: Standing, goal: Goal, *, norm: str, steps: int) -> None:
        self.model, self.still, self.goal, self.norm = model, still, goal, norm
        lengths = [math.ceil(share * steps) for share in _SHARES]
        lengths.append(max(steps - sum(lengths), 1))
        # A part looks at its start and after each of its steps.
        parts = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths) + 1)
        self.last = len(parts) - 1
        self.fresh = parts.diff(append=parts[-1:]).bool().to(still.x.device)
        self.first = (parts.diff(prepend=torch.tensor([-1])) != 0).to(still.x.device)
        self.radii = torch.tensor(_RADII)[parts].to(still.x.device)

    def begin(self, image: Tensor, run: Tensor) -> SparseClimb:
        """Start at noise brought into the greatest ball."""
        x, eps = self.still.x[image], self.still.eps[image]
        noise = self.still.streams(image, run).normal(tuple(x.shape[1:]))
        point = into_box(x, noise, eps=_RADII[0] * eps, norm="l1")
        return SparseClimb(
            image=image,
            run=run,
            step=torch.zeros_like(run),
            x=x,
            eps=eps,
            wanted=self.goal.labels[image, run],
            point=point,
            best=point,
            best_slope=torch.zeros_like(x),
            best_loss=torch.full_like(eps, -torch.inf),
            moved=_count(point, x),
            alpha=_RADII[0] * eps,
        )

    def advance(self, rows: SparseClimb) -> Look:
        """Look at the rows' points and take a step."""
        slope, logits, losses = gradient(self.model, rows.point, rows.wanted, loss=self.goal.loss)
        over, pass_ = rows.step >= self.last, rows.step.clamp_max(self.last)
        radius = self.radii[pass_] * rows.eps
        wrong = logits.argmax(1) != rows.wanted[:, 0]
        look = Look(wrong & (self.radii[pass_] == 1), over, rows.point)
        remember(rows, slope, losses)
        point, slope = self._check(rows, slope, first=self.first[pass_], radius=radius)
        share = (rows.moved / rows.x[0].numel() / _DENSITY).clamp(0, 1)
        ahead = point + per_image(rows.alpha, point) * _sparse_sign(slope, share)
        fresh = self.fresh[pass_]
        ahead = torch.where(fresh[:, None, None, None], rows.best, ahead)
        radius = self.radii[(pass_ + 1).clamp_max(self.last)] * rows.eps
        rows.point = into_box(rows.x, ahead - rows.x, eps=radius, norm="l1")
        self._renew(rows, fresh, radius)
        rows.step = rows.step + 1
        return look

    def _check(self, rows: SparseClimb, slope: Tensor, *, first: Tensor, radius: Tensor) -> tuple[Tensor, Tensor]:
        """Return where each row goes on from: its best point, where that has become sparser."""
        moved = _count(rows.best, rows.x)
        sparser = ~first & (moved / rows.moved < _SPARSER)
        alpha = torch.where(sparser | first, radius, rows.alpha / _SHRINK)
        rows.alpha = torch.minimum(torch.maximum(alpha, radius / _LEAST), radius)
        rows.moved = torch.where(first, rows.moved, moved)
        back = sparser[:, None, None, None]
        return torch.where(back, rows.best, rows.point), torch.where(back, rows.best_slope, slope)

    def _renew(self, rows: SparseClimb, fresh: Tensor, radius: Tensor) -> None:
        """Let rows whose radius has just shrunk forget the part before."""
        rows.best = torch.where(fresh[:, None, None, None], rows.point, rows.best)
        rows.best_loss = rows.best_loss.masked_fill(fresh, -torch.inf)
        rows.moved = torch.where(fresh, _count(rows.point, rows.x), rows.moved)
        rows.alpha = torch.where(fresh, radius, rows.alpha)


def _count(point: Tensor, x: Tensor) -> Tensor:
    return (point != x).flatten(1).sum(1).float()


def _sparse_sign(slope: Tensor, share: Tensor) -> Tensor:
    """Return the signs of each row's greatest entries, a share of all, over their number."""
    sizes = slope.abs().flatten(1)
    place = ((1 - share) * sizes.shape[1]).long().clamp(0, sizes.shape[1] - 1)
    bound = sizes.sort(1).values.gather(1, place[:, None])
    signs = slope.flatten(1).sign() * (sizes >= bound)
    return (signs / signs.abs().sum(1, keepdim=True).clamp_min(1)).view_as(slope)
