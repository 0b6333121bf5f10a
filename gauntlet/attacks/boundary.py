"""The boundary attack: from a far image that the model gets wrong, walk along the decision boundary towards x.

It sees nothing but the model's decision.
"""

from dataclasses import dataclass, fields, replace
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.attacks.balls import lengths, per_image
from gauntlet.attacks.minimal import confined, limits
from gauntlet.attacks.noise import Noise
from gauntlet.attacks.standing import Standing, standing
from gauntlet.errors import ArgumentError

_AT_ONCE = 1024
_BISECTIONS = 12
_PROBE = 5
"""Every so many steps the point on the sphere is looked at by itself: what tells how curved the boundary is."""

_PROBES, _TRIES = 5, 15
"""Looks after which the steps along the sphere, and towards x, are made larger or smaller."""

_ALONG, _TOWARDS = (0.2, 0.5), (0.1, 0.25)
"""Shares of successes below which a step shrinks and above which it grows."""

_DONE = 1e-7
_TINY = 1e-30


@dataclass
class _Walk:
    """Images on their way; every field but noise is a tensor, one row an image."""

    index: Tensor
    x: Tensor
    y: Tensor
    enough: Tensor
    best: Tensor
    along: Tensor
    towards: Tensor
    probes: Tensor
    tries: Tensor
    noise: Noise

    @classmethod
    def of(cls, stand: Standing, best: Tensor, *, bounded: bool, along: float, towards: float) -> Self:
        """Return the walk's begin at the points `best`, over at eps if it is bounded."""
        counts = torch.zeros(len(best), device=best.device)
        enough = stand.eps if bounded else torch.zeros_like(counts)
        sizes = torch.full_like(counts, along), torch.full_like(counts, towards)
        return cls(stand.index, stand.x, stand.y, enough, best, *sizes, counts, counts.clone(), stand.noise)

    def keep(self, which: Tensor) -> Self:
        """Return the images that stay, bool [B]."""
        rest = {field.name: getattr(self, field.name) for field in fields(self)}
        noise = rest.pop("noise").keep(which)
        return replace(self, noise=noise, **{name: part[which] for name, part in rest.items()})


@torch.no_grad()
def boundary(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float | Tensor | None = None,
    steps: int = 1000,
    along: float = 0.1,
    towards: float = 0.01,
    adaptation: float = 1.5,
    starts: int = 100,
    generator: torch.Generator,
) -> Tensor:
    """Walk along the decision boundary towards each image.

    Args:
        x, y, generator: As every attack's, see `gauntlet.attacks`.
        model: As every attack's; only the greatest logit counts.
        eps: L2 radius on [0, 1]; a number or [B]. An image that is broken within it leaves. None: go on.
        steps: At least 1; each asks the model 1.2 times about each image that stands.
        along: First step along the sphere around x, as a share of the distance; above 0.
        towards: First step towards x, as a share of the distance; above 0.
        adaptation: Factor by which either grows or shrinks, above 1.
        starts: Images tried in search of one that the model gets wrong, at least 1: evenly drawn blocks, from one
            colour to single pixels.

    Returns:
        Like x: the nearest adversarial image found, projected onto the ball where it lies outside; x where no start
        was found or the model errs as it is.

    Source: Brendel et al., ICLR 2018. Differs: starts are blocks of all sizes, as most models give one class to all
    white noise; then bisection towards x; `along` begins at 0.1, not 0.01, and both steps adapt sooner: nearer after
    a thousand steps, where they take 25,000. ARES's launcher stops after 20.
    """
    radius = limits(eps, x, norm="l2")
    _check(steps, starts, along=along, towards=towards, adaptation=adaptation)
    stand = standing(model, x, y, eps=radius, norm="l2", batch=_AT_ONCE, generator=generator)
    result = x.clone()
    begin, found = _starts(model, stand, starts)
    best = _bisected(model, stand.x[found], y=stand.y[found], far=begin[found])
    result[stand.index[found]] = best
    walk = _Walk.of(stand.keep(found), best, bounded=eps is not None, along=along, towards=towards)
    for step in range(steps):
        going = (lengths(walk.best - walk.x, "l2") > walk.enough) & (walk.towards > _DONE)
        if not going.all():
            walk = walk.keep(going)
        if not len(walk.index):
            break
        _step(model, walk, probe=step % _PROBE == 0)
        result[walk.index] = walk.best
        _adapt(walk, step + 1, factor=adaptation)
    return confined(x, result, eps=radius, norm="l2")


def _step(model: nn.Module, walk: _Walk, *, probe: bool) -> None:
    """Move each image that still errs after a step along the sphere and one towards x."""
    back = walk.x - walk.best
    distance = per_image(lengths(back, "l2").clamp_min(_TINY), back)
    away = walk.noise.normal(tuple(back.shape[1:]))
    away = away - back * ((away * back).flatten(1).sum(1)[:, None, None, None] / distance**2)
    away = away * per_image(walk.along, back) * distance / per_image(lengths(away, "l2").clamp_min(_TINY), back)
    # Divided so that the point lies on the sphere: the sideways step alone would leave it outward.
    sphere = walk.x + (away - back) / (1 + per_image(walk.along, back) ** 2).sqrt()
    sphere = sphere.clamp(0, 1)
    inward = walk.x - sphere
    reach = per_image(lengths(inward, "l2").clamp_min(_TINY), back)
    share = ((reach - distance + per_image(walk.towards, back) * distance) / reach).clamp(0, 1)
    nearer = sphere + share * inward
    if probe:
        walk.probes += model(sphere).argmax(1) != walk.y
    won = (model(nearer).argmax(1) != walk.y) & (reach * (1 - share) < distance).flatten()
    walk.tries += won
    walk.best = torch.where(per_image(won, back).bool(), nearer, walk.best)


def _adapt(walk: _Walk, steps: int, *, factor: float) -> None:
    """Make steps larger or smaller where it is time, by how often they succeeded since they last were."""
    if steps % _TRIES == 0:
        walk.towards, walk.tries = _adapted(walk.towards, walk.tries / _TRIES, _TOWARDS, factor=factor)
    if steps % (_PROBE * _PROBES) == 0:
        walk.along, walk.probes = _adapted(walk.along, walk.probes / _PROBES, _ALONG, factor=factor)


def _adapted(size: Tensor, rate: Tensor, bounds: tuple[float, float], *, factor: float) -> tuple[Tensor, Tensor]:
    """Return the steps for the next round, and its count of successes: none yet."""
    low, high = bounds
    size = torch.where(rate < low, size / factor, torch.where(rate > high, size * factor, size))
    return size, torch.zeros_like(rate)


def _starts(model: nn.Module, stand: Standing, count: int) -> tuple[Tensor, Tensor]:
    """Return an image that the model gets wrong for each, S x C x H x W, and whether one was found, bool [S]."""
    begin, found = stand.x.clone(), torch.zeros_like(stand.y, dtype=torch.bool)
    side = min(stand.x.shape[-2:])
    sizes = [2**power for power in range(side.bit_length()) if 2**power < side] + [side]
    left, noise = torch.arange(len(found), device=found.device), stand.noise
    for trial in range(count):
        if not len(left):
            break
        cells = sizes[trial % len(sizes)]
        blocks = noise.uniform((stand.x.shape[1], cells, cells))
        images = functional.interpolate(blocks, size=stand.x.shape[-2:], mode="nearest")
        wrong = model(images).argmax(1) != stand.y[left]
        begin[left[wrong]], found[left[wrong]] = images[wrong], True
        left, noise = left[~wrong], noise.keep(~wrong)
    return begin, found


def _bisected(model: nn.Module, x: Tensor, *, y: Tensor, far: Tensor) -> Tensor:
    """Return points on the way from far to x on which the model still errs, near where it stops to."""
    low, high = torch.zeros(len(x), device=x.device), torch.ones(len(x), device=x.device)
    if not len(x):
        return far
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        wrong = model(torch.lerp(x, far, per_image(middle, x))).argmax(1) != y
        low, high = torch.where(wrong, low, middle), torch.where(wrong, middle, high)
    return torch.lerp(x, far, per_image(high, x))


def _check(steps: int, starts: int, *, along: float, towards: float, adaptation: float) -> None:
    if steps < 1 or starts < 1 or not along > 0 or not towards > 0 or not adaptation > 1:
        raise ArgumentError(
            "steps and starts must be at least 1, along and towards above 0, adaptation above 1; got "
            f"{steps}, {starts}, {along}, {towards}, {adaptation}"
        )
