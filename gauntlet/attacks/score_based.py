"""Attacks that see logits and no gradient: NES, SPSA and NAttack, each an estimate of the gradient by sampling."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gauntlet.attacks.ascents import Adam, Ascent, Steepest, alphas
from gauntlet.attacks.balls import into_box, per_image
from gauntlet.attacks.losses import margin
from gauntlet.attacks.noise import Noise
from gauntlet.attacks.standing import Standing, standing
from gauntlet.errors import ArgumentError

Draw = Callable[[Noise, tuple[int, ...]], Tensor]

_SQUEEZE = 1 - 1e-6
"""Keeps black and white pixels off the ends of tanh."""

_FIRST_MEAN = 1e-3
_TINY = 1e-7
AT_ONCE = 1024
"""Images a forward pass, unless the batch itself is larger: a limit of memory that changes no result."""


def nes(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float | Tensor,
    alpha: float | Tensor = 1 / 255,
    steps: int = 100,
    samples: int = 50,
    sigma: float = 0.01,
    norm: str = "linf",
    at_once: int = AT_ONCE,
    generator: torch.Generator,
) -> Tensor:
    """Take steepest steps along a gradient estimated from mirrored Gaussian samples.

    Args:
        x, y, eps, norm, at_once, generator: As every attack's, see `gauntlet.attacks`.
        model: As every attack's; asked a little outside the box, too, by sigma.
        alpha: Length of a step, above 0; a number or [B].
        steps: At least 1; each asks the model 2 samples + 1 times about each image that stands.
        samples: Pairs of samples a step, at least 1.
        sigma: Deviation of the samples on [0, 1], above 0.

    Source: Ilyas et al., ICML 2018 (algorithm 1), on the margin, as ARES; they take sigma 0.001 and cross-entropy.
    ARES's launcher has the same step, 10 samples, sigma 0.02 and 20 steps.
    """
    estimate = _Differences(model, Noise.normal, samples=samples, sigma=sigma, at_once=at_once)
    begin = partial(Steepest, norm=norm)
    return _ascended(estimate, x, y, eps=eps, alpha=alpha, begin=begin, steps=steps, norm=norm, generator=generator)


def spsa(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float | Tensor,
    alpha: float | Tensor = 0.01,
    steps: int = 100,
    samples: int = 64,
    sigma: float = 0.01,
    norm: str = "linf",
    at_once: int = AT_ONCE,
    generator: torch.Generator,
) -> Tensor:
    """Let Adam ascend a gradient estimated from mirrored random signs.

    Args:
        x, y, eps, norm, at_once, generator: As every attack's, see `gauntlet.attacks`.
        model: As every attack's; asked a little outside the box, too, by sigma.
        alpha: Adam's learning rate, above 0; a number or [B].
        steps: At least 1; each asks the model 2 samples + 1 times about each image that stands.
        samples: Pairs of samples a step, at least 1.
        sigma: Size of the sampled change on [0, 1] (delta in the paper), above 0.

    Source: Uesato et al., ICML 2018 (algorithm 1), with up to 4096 pairs there. ARES's launcher takes rate 0.2 and
    sigma 0.1, far beyond its ball; the paper's 0.01 is the default here.
    """
    estimate = _Differences(model, Noise.signs, samples=samples, sigma=sigma, at_once=at_once)
    begin = partial(Adam, like=x)
    return _ascended(estimate, x, y, eps=eps, alpha=alpha, begin=begin, steps=steps, norm=norm, generator=generator)


@torch.no_grad()
def nattack(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float | Tensor,
    alpha: float | Tensor = 0.02,
    steps: int = 100,
    samples: int = 100,
    sigma: float = 0.1,
    norm: str = "linf",
    at_once: int = AT_ONCE,
    generator: torch.Generator,
) -> Tensor:
    """Move the mean of a Gaussian in tanh space until one of its samples, brought into the ball, is adversarial.

    Args:
        model, x, y, eps, norm, at_once, generator: As every attack's, see `gauntlet.attacks`.
        alpha: Learning rate of the mean in tanh space, above 0; a number or [B].
        steps: At least 1; each asks the model `samples` times about each image that stands.
        samples: At least 2.
        sigma: Deviation of the Gaussian in tanh space, above 0.

    Returns:
        Like x, inside the ball and the box: the most adversarial sample seen; images that the model gets wrong come
        back as they are.

    Source: Li et al., ICML 2019 (algorithm 1), with 300 samples there and 100 in ARES. Scores are the margins
    themselves, not cut off at 0: images leave there anyway.
    """
    _check(alpha, steps=steps, samples=samples - 1, sigma=sigma, at_once=at_once)
    stand = standing(model, x, y, eps=eps, norm=norm, batch=at_once, generator=generator)
    result, rates = x.clone(), alphas(alpha, x)[stand.index]
    mean = _FIRST_MEAN * stand.noise.normal(tuple(x.shape[1:]))
    best, most = stand.x, torch.full_like(stand.eps, -torch.inf)
    for step in range(steps):
        if not len(stand.x):
            break
        place = torch.atanh((2 * stand.x - 1) * _SQUEEZE) + mean
        weighted, plain, gaps = torch.zeros_like(mean), torch.zeros_like(mean), []
        for draws in _drawn(stand.noise, Noise.normal, mean, samples=samples, rows=at_once):
            points = _from_tanh(place[:, None] + sigma * draws, stand, norm=norm)
            gaps.append(_gaps(model, points, stand.y))
            best, most = _bettered(best, most, points=points, gaps=gaps[-1])
            weighted += torch.einsum("bs,bschw->bchw", gaps[-1], draws)
            plain += draws.sum(1)
        scores = torch.cat(gaps, 1)
        centred = weighted - per_image(scores.mean(1), mean) * plain
        mean = mean + rates * centred / (samples * sigma * per_image(scores.std(1) + _TINY, mean))
        result[stand.index] = best
        left = most <= 0
        if step < steps - 1 and not left.all():
            stand, (rates, mean, best, most) = stand.keep(left), [part[left] for part in (rates, mean, best, most)]
    return result


def _bettered(best: Tensor, most: Tensor, *, points: Tensor, gaps: Tensor) -> tuple[Tensor, Tensor]:
    """Return the most adversarial image so far and its margin, after a look at points B x S x C x H x W."""
    top, which = gaps.max(1)
    picked = points[torch.arange(len(which), device=which.device), which]
    return torch.where(per_image(top > most, best).bool(), picked, best), torch.maximum(most, top)


def _from_tanh(points: Tensor, stand: Standing, *, norm: str) -> Tensor:
    """Return images of the ball and the box for points B x S x C x H x W in tanh space."""
    count = points.shape[1]
    x = stand.x.repeat_interleave(count, 0)
    delta = (points.flatten(0, 1).tanh() + 1) / 2 - x
    return into_box(x, delta, eps=stand.eps.repeat_interleave(count), norm=norm).view_as(points)


class _Differences(NamedTuple):
    """An estimate of the margin's gradient: its slope along random directions, each tried both ways."""

    model: nn.Module
    draw: Draw
    samples: int
    sigma: float
    at_once: int

    def gradient(self, x_now: Tensor, stand: Standing) -> Tensor:
        """Return the estimate at x_now, which has its shape."""
        total = torch.zeros_like(x_now)
        for draws in _drawn(stand.noise, self.draw, x_now, samples=self.samples, rows=self.at_once // 2):
            moved = self.sigma * torch.stack([draws, -draws], 2)
            gaps = _gaps(self.model, x_now[:, None, None] + moved, stand.y)
            slopes = (gaps[..., 0] - gaps[..., 1]) / (2 * self.sigma)
            total += torch.einsum("bs,bschw->bchw", slopes, draws)
        return total / self.samples


@torch.no_grad()
def _ascended(
    estimate: _Differences,
    x: Tensor,
    y: Tensor,
    *,
    eps: float | Tensor,
    alpha: float | Tensor,
    begin: Callable[[Tensor], Ascent],
    steps: int,
    norm: str,
    generator: torch.Generator,
) -> Tensor:
    """Attack the images that stand with steps along the estimate; `begin` makes the ascent of all from their alphas."""
    _check(alpha, steps=steps, samples=estimate.samples, sigma=estimate.sigma, at_once=estimate.at_once)
    stand = standing(estimate.model, x, y, eps=eps, norm=norm, batch=estimate.at_once, generator=generator)
    ascent = begin(alphas(alpha, x)).keep(stand.index)
    result, x_now = x.clone(), stand.x
    for step in range(steps):
        if not len(x_now):
            break
        delta = x_now - stand.x + ascent.step(estimate.gradient(x_now, stand))
        x_now = into_box(stand.x, delta, eps=stand.eps, norm=norm)
        result[stand.index] = x_now
        if step < steps - 1:
            left = _gaps(estimate.model, x_now[:, None], stand.y)[:, 0] <= 0
            if not left.all():
                stand, ascent, x_now = stand.keep(left), ascent.keep(left), x_now[left]
    return result


def _drawn(noise: Noise, draw: Draw, like: Tensor, *, samples: int, rows: int) -> Iterator[Tensor]:
    """Yield the samples in groups that fill `rows`, B x S x C x H x W; drawn singly, so that groups change nothing."""
    group = max(1, rows // len(like))
    for begin in range(0, samples, group):
        count = min(group, samples - begin)
        yield torch.stack([draw(noise, tuple(like.shape[1:])) for _ in range(count)], 1)


def _gaps(model: nn.Module, points: Tensor, y: Tensor) -> Tensor:
    """Return the margins of B x ... x C x H x W points, B x ...: positive where the model errs."""
    shape = points.shape[:-3]
    logits = model(points.flatten(0, -4))
    return margin(logits, y.repeat_interleave(math.prod(shape[1:]))).view(shape)


def _check(alpha: float | Tensor, *, steps: int, samples: int, sigma: float, at_once: int) -> None:
    if steps < 1 or samples < 1 or at_once < 1:
        raise ArgumentError(
            f"steps, samples and at_once must be at least 1 (NAttack's samples 2); got {steps}, {samples}, {at_once}"
        )
    if not sigma > 0 or not bool((torch.as_tensor(alpha) > 0).all()):
        raise ArgumentError(f"alpha and sigma must be above 0; got {alpha} and {sigma}")
