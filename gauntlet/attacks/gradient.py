"""FGSM, BIM and PGD, and the gradient that every white-box attack shares."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gauntlet.attacks.balls import direction, into_box, per_image
from gauntlet.attacks.balls import random_start as start_at_random
from gauntlet.attacks.checks import check_inputs, check_logits, checking_first
from gauntlet.attacks.losses import LOSSES
from gauntlet.attacks.noise import Noise
from gauntlet.errors import ArgumentError


class Gradient(NamedTuple):
    """The gradient of a loss in the pixels, with what the forward pass gave: logits B x K and losses [B]."""

    gradient: Tensor
    logits: Tensor
    losses: Tensor


def gradient(model: nn.Module, x: Tensor, y: Tensor, *, loss: Callable[[Tensor, Tensor], Tensor]) -> Gradient:
    """Return the gradient of each image's loss in its own pixels; no gradient of a weight is computed or kept.

    Args:
        model: Pixels in [0, 1] to logits, in eval mode.
        x: float32, B x C x H x W.
        y: int64 [B], or whatever the loss takes second.
        loss: (logits, y) to [B], such as those in LOSSES.

    Returns:
        All three detached; the gradient has the shape of x.
    """
    leaf = x.detach().requires_grad_()
    with torch.enable_grad():
        logits = model(leaf)
        losses = loss(logits, y)
        (slope,) = torch.autograd.grad(losses.sum(), leaf)
    return Gradient(slope, logits.detach(), losses.detach())


@torch.no_grad()
def right(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Return which images the model gets right, bool [B], after a check of its logits.

    Args:
        model: Pixels in [0, 1] to logits, in eval mode.
        x: float32, B x C x H x W.
        y: int64 [B].

    Raises:
        ArgumentError: Logits that no attack can use.
    """
    if not len(x):
        return torch.zeros_like(y, dtype=torch.bool)
    logits = model(x)
    check_logits(logits, y)
    return logits.argmax(1) == y


def fgsm(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float | Tensor,
    norm: str = "linf",
    loss: str = "cross_entropy",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Take one step of length eps along the steepest direction.

    Args:
        model, x, y, eps, norm, generator: As every attack's, see `gauntlet.attacks`.
        loss: A key of LOSSES.

    Source: Goodfellow et al., ICLR 2015.
    """
    return bim(model, x, y, eps=eps, alpha=eps, steps=1, norm=norm, loss=loss, generator=generator)


def bim(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float | Tensor,
    alpha: float | Tensor,
    steps: int,
    norm: str = "linf",
    loss: str = "cross_entropy",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Iterate small steepest steps from the image itself: PGD without a random start.

    Args:
        model, x, y, eps, norm, generator: As every attack's, see `gauntlet.attacks`.
        alpha: Length of a step, at least 0; a number or [B].
        steps: At least 1.
        loss: A key of LOSSES.

    Source: Kurakin et al., ICLR workshop 2017.
    """
    return pgd(
        model,
        x,
        y,
        eps=eps,
        alpha=alpha,
        steps=steps,
        norm=norm,
        loss=loss,
        random_start=False,
        generator=generator,
    )


def pgd(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float | Tensor,
    alpha: float | Tensor,
    steps: int,
    restarts: int = 1,
    norm: str = "linf",
    loss: str = "cross_entropy",
    random_start: bool = True,
    stop_early: bool = True,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Iterate small steepest steps, each followed by a projection, from random starts.

    Args:
        model, x, y, eps, norm: As every attack's, see `gauntlet.attacks`.
        alpha: Length of a step, at least 0; a number or [B].
        steps: At least 1.
        restarts: Starts in all, at least 1; an image that is broken takes no further one.
        loss: A key of LOSSES.
        random_start: Start anywhere in the ball; otherwise at x, where one start is all there is.
        stop_early: Images leave once the model errs on them, or once a step no longer moves them. Otherwise every
            image takes every step, also those that the model gets wrong, and one start is all there is.
        generator: On the CPU; one number is drawn from it. None only without a random start.

    Returns:
        Like x, inside the ball and the box. With `stop_early`, images that the model gets wrong come back as they
        are. The last iterate is not looked at: whether it succeeds is for the caller's own forward pass.

    Source: Madry et al., ICLR 2018; for l1 SLIDE, Tramèr and Boneh, NeurIPS 2019.
    """
    check_inputs(x, y, eps=eps, norm=norm)
    _check_settings(alpha, steps=steps, restarts=restarts, loss=loss)
    _check_chance(generator, restarts=restarts, random_start=random_start, stop_early=stop_early)
    eps, alpha = (per_image(value, x).expand(len(x), 1, 1, 1) for value in (eps, alpha))
    result, ascended = x.clone(), checking_first(LOSSES[loss])
    # Without a random start the first step's own forward pass is at x and tells who is wrong already.
    left = right(model, x, y) if random_start and stop_early else torch.ones_like(y, dtype=torch.bool)
    index = left.nonzero()[:, 0]
    noise = Noise.of(x, generator).keep(index) if random_start else None
    for restart in range(restarts):
        if restart:
            left = right(model, result[index], y[index])
            index, noise = index[left], noise.keep(left)
        if not len(index):
            break
        images, radii = x[index], eps[index]
        begin = start_at_random(noise, images, eps=radii, norm=norm) if noise else images
        climb = _Climb(images, begin, y[index], radii, alpha[index])
        result[index] = _climbed(model, climb, steps=steps, norm=norm, loss=ascended, stop_early=stop_early)
    return result


class _Climb(NamedTuple):
    x: Tensor
    x_adv: Tensor
    y: Tensor
    eps: Tensor
    alpha: Tensor


def _climbed(
    model: nn.Module,
    climb: _Climb,
    *,
    steps: int,
    norm: str,
    loss: Callable[[Tensor, Tensor], Tensor],
    stop_early: bool,
) -> Tensor:
    result = climb.x_adv.clone()
    place = torch.arange(len(result), device=result.device)
    for _ in range(steps):
        slope, logits, _ = gradient(model, climb.x_adv, climb.y, loss=loss)
        delta = climb.x_adv - climb.x + climb.alpha * direction(slope, norm)
        moved = into_box(climb.x, delta, eps=climb.eps, norm=norm)
        if stop_early:
            # An image that a step leaves in its place would stay there: the next gradient is the same.
            stay = (logits.argmax(1) == climb.y) & (moved != climb.x_adv).flatten(1).any(1)
            staying = stay.nonzero()[:, 0]
            if len(staying) < len(place):
                result[place] = climb.x_adv
                place, moved = place[staying], moved[staying]
                climb = _Climb(*(part[staying] for part in climb))
            if not len(staying):
                return result
        climb = climb._replace(x_adv=moved)
    result[place] = climb.x_adv
    return result


def _check_settings(alpha: float | Tensor, *, steps: int, restarts: int, loss: str) -> None:
    if not bool((torch.as_tensor(alpha) >= 0).all()):
        raise ArgumentError(f"alpha must be a number of at least 0 (a step on [0, 1]); got {alpha}")
    if steps < 1 or restarts < 1:
        raise ArgumentError(f"steps and restarts must be at least 1; got {steps} and {restarts}")
    if loss not in LOSSES:
        raise ArgumentError(f"loss must be one of {', '.join(LOSSES)}; got {loss!r}")


def _check_chance(generator: torch.Generator | None, *, restarts: int, random_start: bool, stop_early: bool) -> None:
    if restarts > 1 and not (random_start and stop_early):
        raise ArgumentError(f"restarts above 1 need random_start and stop_early; got {restarts} without")
    if random_start and generator is None:
        raise ArgumentError("generator must be given with random_start; got None")
