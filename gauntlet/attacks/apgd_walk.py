"""The walk of APGD for linf and l2: momentum, and a step that is halved where the loss no longer rises."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gauntlet.attacks.balls import direction, into_box, lengths, per_image
from gauntlet.attacks.gradient import gradient
from gauntlet.attacks.noise import Noise
from gauntlet.attacks.slots import Look, Rows
from gauntlet.attacks.standing import Standing

_RISES = 0.75
_STEP = 0.75
_TINY = 1e-12


class Goal(NamedTuple):
    """What runs ascend: loss(logits, wanted) to [R], and S x runs x L labels, the true class first."""

    loss: Callable[[Tensor, Tensor], Tensor]
    labels: Tensor


@dataclass
class Climb(Rows):
    """A row of APGD.

    Attributes:
        x: The image; eps its radius; wanted its labels.
        point: Where it looks next; previous, where it was before that.
        best, best_slope, best_loss: The point of greatest loss.
        loss: At the latest point.
        rises: Steps of this window that raised the loss.
        checked_loss, halved: The best loss at the window's begin, and whether the step was halved there.
        alpha: Step size.
    """

    x: Tensor
    eps: Tensor
    wanted: Tensor
    point: Tensor
    previous: Tensor
    best: Tensor
    best_slope: Tensor
    best_loss: Tensor
    loss: Tensor
    rises: Tensor
    checked_loss: Tensor
    halved: Tensor
    alpha: Tensor


class Ascent:
    """APGD, one row a run.

    Source: Croce and Hein, ICML 2020 (algorithm 1).
    """

    def __init__(self, model: nn.Module, still: Standing, goal: Goal, *, norm: str, steps: int) -> None:
        self.model, self.still, self.goal, self.norm, self.steps = model, still, goal, norm, steps
        places = torch.tensor([0, *checkpoints(steps)])
        window = torch.zeros(steps + 1).index_copy_(0, places[1:], places.diff().float())
        self.window = window.to(still.x.device)

    def begin(self, image: Tensor, run: Tensor) -> Climb:
        """Start anywhere on the sphere, inside the box."""
        x, eps = self.still.x[image], self.still.eps[image]
        point = random_sphere(self.still.streams(image, run), x, eps=eps, norm=self.norm)
        least = torch.full_like(eps, -torch.inf)
        return Climb(
            image=image,
            run=run,
            step=torch.zeros_like(run),
            x=x,
            eps=eps,
            wanted=self.goal.labels[image, run],
            point=point,
            previous=point,
            best=point,
            best_slope=torch.zeros_like(x),
            best_loss=least,
            loss=-least,
            rises=torch.zeros_like(eps),
            checked_loss=least,
            halved=torch.ones_like(run, dtype=torch.bool),
            alpha=2 * eps,
        )

    def advance(self, rows: Climb) -> Look:
        """Look at the rows' points and take a step."""
        point = rows.point
        slope, logits, losses = gradient(self.model, point, rows.wanted, loss=self.goal.loss)
        look = Look(logits.argmax(1) != rows.wanted[:, 0], rows.step >= self.steps, point)
        rows.rises += losses > rows.loss
        remember(rows, slope, losses)
        rows.loss = losses
        point, slope = self._check(rows, slope)
        self._step(rows, point, slope)
        rows.step = rows.step + 1
        return look

    def _check(self, rows: Climb, slope: Tensor) -> tuple[Tensor, Tensor]:
        """Return where each row goes on from: at a checkpoint that halves its step, its best point."""
        window = self.window[rows.step.clamp_max(self.steps)]
        due = window > 0
        if not due.any():
            return rows.point, slope
        stalled = ~rows.halved & (rows.checked_loss >= rows.best_loss)
        halved = due & ((rows.rises <= _RISES * window) | stalled)
        rows.halved = torch.where(due, halved, rows.halved)
        rows.checked_loss = torch.where(due, rows.best_loss, rows.checked_loss)
        rows.rises = rows.rises.masked_fill(due, 0)
        rows.alpha = torch.where(halved, rows.alpha / 2, rows.alpha)
        back = halved[:, None, None, None]
        return torch.where(back, rows.best, rows.point), torch.where(back, rows.best_slope, slope)

    def _step(self, rows: Climb, point: Tensor, slope: Tensor) -> None:
        x, eps, norm = rows.x, rows.eps, self.norm
        ahead = point + per_image(rows.alpha, x) * direction(slope, norm)
        ahead = into_box(x, ahead.sub_(x), eps=eps, norm=norm)
        # The first step has no momentum, and is taken whole.
        share = per_image(torch.where(rows.step > 0, _STEP, 1.0), x)
        delta = point - x + share * (ahead - point) + (1 - share) * (point - rows.previous)
        rows.previous, rows.point = point, into_box(x, delta, eps=eps, norm=norm)


def remember(rows: Climb, slope: Tensor, losses: Tensor) -> None:
    """Note the points whose loss is the greatest so far."""
    better = losses > rows.best_loss
    wide = better[:, None, None, None]
    rows.best = torch.where(wide, rows.point, rows.best)
    rows.best_slope = torch.where(wide, slope, rows.best_slope)
    rows.best_loss = torch.where(better, losses, rows.best_loss)


def random_sphere(noise: Noise, x: Tensor, *, eps: Tensor, norm: str) -> Tensor:
    """Return an image whose random difference from x is as long as the radius, brought into the box.

    Args:
        noise: The rows' streams.
        x: R x C x H x W.
        eps: [R].
        norm: "linf" or "l2".
    """
    shape = tuple(x.shape[1:])
    delta = noise.uniform(shape, -1.0, 1.0) if norm == "linf" else noise.normal(shape)
    return into_box(x, delta * per_image(eps / (lengths(delta, norm) + _TINY), x), eps=eps, norm=norm)


def checkpoints(steps: int) -> list[int]:
    """Return after how many steps, ascending, the step size may be halved.

    Source: Croce and Hein, ICML 2020 (section 3.2), rounded to whole steps as in their code.

    >>> checkpoints(100)
    [22, 41, 57, 70, 80, 87, 93, 99]
    """
    length, least, less = (max(int(share * steps), 1) for share in (0.22, 0.06, 0.03))
    places = [length]
    while places[-1] + max(length - less, least) <= steps:
        length = max(length - less, least)
        places.append(places[-1] + length)
    return places
