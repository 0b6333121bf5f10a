"""Carlini and Wagner's L2 attack: the least distance at which the margin turns, by Adam in tanh space."""

import torch
from torch import Tensor, nn

from gauntlet.attacks.ascents import Adam, alphas
from gauntlet.attacks.balls import lengths
from gauntlet.attacks.checks import check_inputs
from gauntlet.attacks.gradient import right
from gauntlet.attacks.losses import margin
from gauntlet.attacks.minimal import confined, limits
from gauntlet.errors import ArgumentError

_SQUEEZE = 1 - 1e-6
"""Keeps black and white pixels off the ends of tanh, where nothing would ever move them."""

_FALLEN = 0.9999
_EVERY = 8
_PATIENCE = 0.3
"""A search in which an image's loss has not fallen by a ten-thousandth for this share of the steps is over for it."""


def cw(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float | Tensor | None = None,
    alpha: float | Tensor = 0.01,
    steps: int = 200,
    searches: int = 4,
    constant: float = 1.0,
    confidence: float = 0.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Minimise squared distance plus constant times margin, and search for each image's least constant that works.

    Args:
        model, x, y, generator: As every attack's, see `gauntlet.attacks`.
        eps: L2 radius on [0, 1]; a number or [B]. An image that is broken within it leaves. None: find the least.
        alpha: Adam's learning rate in tanh space; a number or [B].
        steps: In each search, at least 1; an image whose loss no longer falls sits the rest out.
        searches: For the constant, at least 1: ten times as much while it fails, then bisection.
        constant: The first one, above 0.
        confidence: Margin in logits by which the model has to err.

    Returns:
        Like x: the nearest adversarial image found, projected onto the ball where it lies outside; x where none
        was found or the model errs as it is.

    Source: Carlini and Wagner, S&P 2017, L2. ARES's class takes rate 0.2, first constant 0.01, 200 steps and
    4 searches, its launcher 4 steps in 20: both end farther away than these defaults on the networks that we tried.
    """
    radius = limits(eps, x, norm="l2")
    check_inputs(x, y, eps=radius, norm="l2")
    _check(steps=steps, searches=searches, constant=constant, confidence=confidence)
    best, rate = x.clone(), alphas(alpha, x)
    enough = torch.zeros_like(radius) if eps is None else radius
    least = torch.full_like(radius, torch.inf)
    weight, low, high = torch.full_like(least, constant), torch.zeros_like(least), least.clone()
    index = right(model, x, y).nonzero()[:, 0]
    for _ in range(searches):
        index = index[least[index] > enough[index]]
        if not len(index):
            break
        found = _descend(
            model, x[index], y[index], weight=weight[index], rate=rate[index], steps=steps, confidence=confidence
        )
        distance = lengths(found - x[index], "l2").where((found != x[index]).flatten(1).any(1), torch.inf)
        nearer = distance < least[index]
        least[index[nearer]], best[index[nearer]] = distance[nearer], found[nearer]
        won, tried = distance.isfinite(), weight[index]
        high[index[won]], low[index[~won]] = tried[won], tried[~won]
        weight[index] = torch.where(high[index].isfinite(), (low[index] + high[index]) / 2, 10 * tried)
    return confined(x, best, eps=radius, norm="l2")


def _descend(
    model: nn.Module, x: Tensor, y: Tensor, *, weight: Tensor, rate: Tensor, steps: int, confidence: float
) -> Tensor:
    """Return the nearest image on the way down on which the model errs, or x."""
    best, least = x.clone(), torch.full_like(weight, torch.inf)
    index, adam = torch.arange(len(x), device=x.device), Adam(rate, like=x)
    place = torch.atanh((2 * x - 1) * _SQUEEZE)
    lowest, idle = least.clone(), torch.zeros_like(y)
    for step in range(steps):
        clean, leaf = x[index], place.detach().requires_grad_()
        with torch.enable_grad():
            x_now = (leaf.tanh() + 1) / 2
            gap = margin(model(x_now), y[index])
            square = (x_now - clean).square().flatten(1).sum(1)
            loss = square + weight[index] * (confidence - gap).clamp_min(0)
            (slope,) = torch.autograd.grad(loss.sum(), leaf)
        gap, square, loss = gap.detach(), square.detach(), loss.detach()
        nearer = (gap > confidence) & (square < least[index])
        best[index] = torch.where(nearer[:, None, None, None], x_now.detach(), best[index])
        least[index] = torch.where(nearer, square, least[index])
        idle = torch.where(loss < _FALLEN * lowest, 0, idle + 1)
        lowest = torch.minimum(lowest, loss)
        place = place - adam.step(slope)
        if step % _EVERY == 0:
            going = idle < _PATIENCE * steps
            if not going.any():
                break
            if not going.all():
                index, place, adam = index[going], place[going], adam.keep(going)
                lowest, idle = lowest[going], idle[going]
    return best


def _check(*, steps: int, searches: int, constant: float, confidence: float) -> None:
    if steps < 1 or searches < 1 or not constant > 0 or not confidence >= 0:
        raise ArgumentError(
            f"steps and searches must be at least 1, constant above 0, confidence 0 or more; got {steps}, {searches}, "
            f"{constant}, {confidence}"
        )
