"""Square: random search with square patches, by queries alone."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gauntlet.attacks.losses import margin
from gauntlet.attacks.patches import PATCHES
from gauntlet.attacks.slots import Found, Look, Rows, search
from gauntlet.attacks.standing import Standing, standing
from gauntlet.errors import ArgumentError

# The share of pixels in a patch is halved from these queries on.
_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
# Queries ahead are asked as long as at most about this share of them comes after a success, hence in vain,
_WASTE = 0.1
# and as long as they fill no more than so many forward passes: what surrounds these is then shared by many queries.
_PASSES = 4


def square(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float | Tensor,
    steps: int = 5000,
    share: float = 0.8,
    norm: str = "linf",
    batch: int | None = None,
    generator: torch.Generator,
) -> Tensor:
    """Change random squares, keeping each change that lowers the margin.

    Args:
        x, y, eps, norm, batch, generator: As every attack's, see `gauntlet.attacks`.
        model: As every attack's; its gradients are not used.
        steps: Queries an image, at least 1; one that would change nothing counts, though nobody asks it.
        share: Of the pixels in the first patches, in (0, 1].

    Returns:
        Like x, inside the ball and the box. Images that the model gets wrong, or that no query broke, are unchanged.

    Source: Andriushchenko et al., ECCV 2020 (algorithms 1 to 3); for l1 as in AutoAttack. The sizes follow its
        schedule for 10,000 queries whatever `steps` is, as AutoAttack's do; places are drawn for each image,
        and evenly over all places, where its code shares one among images and leaves out the last row and column.
    """
    still = standing(model, x, y, eps=eps, norm=norm, batch=batch, generator=generator)
    found = query(model, still, steps=steps, share=share, norm=norm)
    return x.index_copy(0, still.index, found.x_adv)


def query(model: nn.Module, still: Standing, *, steps: int, share: float, norm: str) -> Found:
    """Run Square over images that stand; arguments as in `square`."""
    if steps < 1 or not 0 < share <= 1:
        raise ArgumentError(f"steps must be at least 1 and share lie in (0, 1]; got {steps} and {share}")
    if not len(still.x):
        return Found(still.x, still.y.bool())
    return search(_Queries(model, still, norm=norm, steps=steps, share=share), still, runs=1)


def sides(steps: int, *, share: float, size: int, pixels: int) -> list[int]:
    """Return the side of the square, in px, of each query after the first point.

    Args:
        steps: Queries.
        share: Of the pixels, at first.
        size: The greatest side, px.
        pixels: H x W.
    """
    shares = (share / 2 ** sum(step > bound for bound in _HALVINGS) for step in range(steps))
    return [min(max(round(math.sqrt(part * pixels)), 1), size) for part in shares]


@dataclass
class _Best(Rows):
    """A row of Square: the image, its class and radius, and the best point with its loss; `step` counts queries."""

    x: Tensor
    y: Tensor
    eps: Tensor
    point: Tensor
    loss: Tensor


class _Queries:
    """Square, one row an image.

    Late in the search few changes are kept, so a pass may ask several queries of an image at once, all from its
    present best point: those before and at the first that is kept are what asking one by one would have asked,
    and the later ones are asked again. How many depends on how often changes are kept; the outcome does not.
    """

    def __init__(self, model: nn.Module, still: Standing, *, norm: str, steps: int, share: float) -> None:
        self.model, self.still, self.steps = model, still, steps
        _, _, height, width = still.x.shape
        side = sides(steps, share=share, size=min(height, width), pixels=height * width)
        self.patches = PATCHES[norm](still.x, side)
        self.kept = 1.0

    def begin(self, image: Tensor, run: Tensor) -> _Best:
        """Draw all chances of the images; the first query is the start, which any loss betters."""
        x, eps = self.still.x[image], self.still.eps[image]
        self.patches.draw(image, self.still.streams(image, run))
        loss = torch.full_like(eps, torch.inf)
        return _Best(image, run, torch.zeros_like(run), x, self.still.y[image], eps, x, loss)

    def advance(self, rows: _Best) -> Look:
        """Ask the next queries of each row, and keep the first that lowers its loss."""
        ahead = self._ahead(len(rows.image))
        steps = rows.step[:, None] + torch.arange(ahead, device=rows.step.device)
        points = self.patches.propose(rows, steps.clamp_max(self.steps))
        ask = (points != rows.point[:, None]).flatten(2).any(2) & (steps <= self.steps)
        row, _ = ask.nonzero().unbind(1)
        loss = torch.full(ask.shape, torch.inf, device=ask.device)
        loss[ask] = -self._margin(points[ask], rows.y[row])
        kept = loss < rows.loss[:, None]
        any_kept, first = kept.any(1), kept.int().argmax(1)
        done = torch.where(any_kept, first + 1, ahead)
        place = torch.arange(len(first), device=first.device)
        rows.point = torch.where(any_kept[:, None, None, None], points[place, first], rows.point)
        rows.loss = torch.where(any_kept, loss[place, first], rows.loss)
        rows.step = rows.step + done
        self.kept += 0.1 * (float(any_kept.sum() / done.sum()) - self.kept)
        return Look(rows.loss < 0, rows.step > self.steps, rows.point)

    def _ahead(self, rows: int) -> int:
        return max(1, min(_PASSES * self.still.batch // rows, int(1 + 2 * _WASTE / max(self.kept, 1e-3))))

    def _margin(self, points: Tensor, y: Tensor) -> Tensor:
        logits = [self.model(part) for part in points.split(self.still.batch)]
        return margin(torch.cat(logits), y) if logits else points.new_zeros(0)
