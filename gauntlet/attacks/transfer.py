"""Attacks made to transfer: momentum over gradients that are smoothed by views of the image or of its surroundings.

All take every step on every image, since it is meant for another model. Defaults are ARES-Bench's: 20 steps of eps/18.
Beside every attack's arguments they share

    alpha: Length of a step; a number or [B]; None takes eps/18.
    steps: At least 1.
    decay: What the sum of gradients keeps from step to step, in [0, 1]; 0 gives BIM, where nothing else is added.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gauntlet.attacks.balls import direction, into_box, per_image
from gauntlet.attacks.checks import check_inputs, checking_first
from gauntlet.attacks.gradient import Gradient, gradient
from gauntlet.attacks.losses import cross_entropy
from gauntlet.attacks.noise import Noise
from gauntlet.attacks.views import blurred, shrinking
from gauntlet.errors import ArgumentError

STEPS_TO_RADIUS = 18
_TINY = 1e-30


def mim(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float | Tensor,
    alpha: float | Tensor | None = None,
    steps: int = 20,
    decay: float = 1.0,
    norm: str = "linf",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Follow the decaying sum of normalised gradients.

    Args:
        model, x, y, eps, norm, generator: As every attack's, see `gauntlet.attacks`.
        alpha, steps, decay: As every attack's of this module.

    Source: Dong et al., CVPR 2018 (algorithm 1); the gradient is divided by its mean size, not by its l1 length, as
    in the authors' code.
    """
    check_inputs(x, y, eps=eps, norm=norm)
    loss = checking_first(cross_entropy)

    def slope(x_adv: Tensor, _: Tensor) -> Gradient:
        return gradient(model, x_adv, y, loss=loss)

    return _climbed(slope, x, eps=eps, alpha=alpha, steps=steps, decay=decay, norm=norm)


def dim(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float | Tensor,
    alpha: float | Tensor | None = None,
    steps: int = 20,
    decay: float = 1.0,
    norm: str = "linf",
    smallest: float = 0.85,
    chance: float = 0.7,
    generator: torch.Generator,
) -> Tensor:
    """Follow momentum over gradients through images that are shrunk and shifted at random.

    Args:
        model, x, y, eps, norm, generator: As every attack's, see `gauntlet.attacks`.
        alpha, steps, decay: As every attack's of this module.
        smallest: Least side of the shrunk image as a share of the side, in (0, 1].
        chance: That an image is shrunk in a step, in [0, 1].

    Source: Xie et al., CVPR 2019 (equations 4 and 5); sizes are drawn for each image, there for each batch.
    """
    check_inputs(x, y, eps=eps, norm=norm)
    loss = checking_first(cross_entropy)
    if not (0 < smallest <= 1 and 0 <= chance <= 1):
        raise ArgumentError(f"smallest must lie in (0, 1] and chance in [0, 1]; got {smallest} and {chance}")
    noise = Noise.of(x, generator)

    def slope(x_adv: Tensor, _: Tensor) -> Gradient:
        rows, columns = shrinking(noise, x, smallest=smallest, chance=chance)
        return gradient(lambda views: model(rows @ views @ columns.mT), x_adv, y, loss=loss)

    return _climbed(slope, x, eps=eps, alpha=alpha, steps=steps, decay=decay, norm=norm)


def tim(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float | Tensor,
    alpha: float | Tensor | None = None,
    steps: int = 20,
    decay: float = 1.0,
    norm: str = "linf",
    kernel_px: int = 15,
    deviations: float = 3.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Follow momentum over blurred gradients: those of all shifted images, to first order.

    Args:
        model, x, y, eps, norm, generator: As every attack's, see `gauntlet.attacks`.
        alpha, steps, decay: As every attack's of this module.
        kernel_px: Side of the Gaussian kernel, odd.
        deviations: Standard deviations from the kernel's middle to its rim, above 0.

    Source: Dong et al., CVPR 2019 (equation 8), on MIM; without the random shrinking that torchattacks adds.
    """
    check_inputs(x, y, eps=eps, norm=norm)
    loss = checking_first(cross_entropy)
    if kernel_px < 1 or kernel_px % 2 == 0:
        raise ArgumentError(f"kernel_px must be odd and at least 1; got {kernel_px}")

    def slope(x_adv: Tensor, _: Tensor) -> Gradient:
        sharp = gradient(model, x_adv, y, loss=loss)
        return sharp._replace(gradient=blurred(sharp.gradient, kernel_px=kernel_px, deviations=deviations))

    return _climbed(slope, x, eps=eps, alpha=alpha, steps=steps, decay=decay, norm=norm)


def si_ni_fgsm(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float | Tensor,
    alpha: float | Tensor | None = None,
    steps: int = 20,
    decay: float = 1.0,
    norm: str = "linf",
    copies: int = 5,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Follow momentum over gradients at the point ahead, averaged over darker copies of the image.

    Args:
        model, x, y, eps, norm, generator: As every attack's, see `gauntlet.attacks`.
        alpha, steps, decay: As every attack's of this module.
        copies: The image over 1, 2, 4, ..., 2^(copies - 1); at least 1, and each costs a pass.

    Source: Lin et al., ICLR 2020 (equations 6 to 9).
    """
    check_inputs(x, y, eps=eps, norm=norm)
    loss = checking_first(cross_entropy)
    if copies < 1:
        raise ArgumentError(f"copies must be at least 1; got {copies}")
    stride = decay * per_image(eps / STEPS_TO_RADIUS if alpha is None else alpha, x)

    def slope(x_adv: Tensor, momentum: Tensor) -> Gradient:
        ahead = x_adv + stride * momentum
        first = gradient(model, ahead, y, loss=loss)
        total = first.gradient
        for scale in (0.5**copy for copy in range(1, copies)):
            # The inner derivative of the copy is its scale.
            total = total + scale * gradient(model, scale * ahead, y, loss=loss).gradient
        return first._replace(gradient=total / copies)

    return _climbed(slope, x, eps=eps, alpha=alpha, steps=steps, decay=decay, norm=norm)


def vmi_fgsm(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float | Tensor,
    alpha: float | Tensor | None = None,
    steps: int = 20,
    decay: float = 1.0,
    norm: str = "linf",
    samples: int = 10,
    beta: float = 1.5,
    generator: torch.Generator,
) -> Tensor:
    """Follow momentum over gradients corrected by how the last step's neighbours differed from it.

    Args:
        model, x, y, eps, norm, generator: As every attack's, see `gauntlet.attacks`.
        alpha, steps, decay: As every attack's of this module.
        samples: Neighbours a step, at least 1; each costs a pass.
        beta: Half side of the cube that they come from, in units of eps.

    Source: Wang and He, CVPR 2021 (algorithm 1).
    """
    check_inputs(x, y, eps=eps, norm=norm)
    loss = checking_first(cross_entropy)
    if samples < 1:
        raise ArgumentError(f"samples must be at least 1; got {samples}")
    noise, reach = Noise.of(x, generator), beta * per_image(eps, x)
    last: list[tuple[Tensor, Tensor]] = []

    def slope(x_adv: Tensor, _: Tensor) -> Gradient:
        own = gradient(model, x_adv, y, loss=loss)
        # The neighbours of a step serve the next one only, so those of the last step are never asked for.
        variance = _around(*last.pop()) if last else torch.zeros_like(x)
        last.append((x_adv, own.gradient))
        return own._replace(gradient=own.gradient + variance)

    def _around(centre: Tensor, at_centre: Tensor) -> Tensor:
        total = torch.zeros_like(centre)
        for _ in range(samples):
            neighbours = centre + reach * noise.uniform(tuple(x.shape[1:]), -1.0, 1.0)
            total += gradient(model, neighbours, y, loss=loss).gradient
        return total / samples - at_centre

    return _climbed(slope, x, eps=eps, alpha=alpha, steps=steps, decay=decay, norm=norm)


def _climbed(
    slope: Callable[[Tensor, Tensor], Gradient],
    x: Tensor,
    *,
    eps: float | Tensor,
    alpha: float | Tensor | None,
    steps: int,
    decay: float,
    norm: str,
) -> Tensor:
    if steps < 1 or not 0 <= decay <= 1:
        raise ArgumentError(f"steps must be at least 1 and decay in [0, 1]; got {steps} and {decay}")
    if not len(x):
        return x.clone()
    stride = per_image(eps / STEPS_TO_RADIUS if alpha is None else alpha, x)
    x_adv, momentum = x, torch.zeros_like(x)
    for _ in range(steps):
        found = slope(x_adv, momentum)
        sizes = found.gradient.abs().flatten(1).mean(1).clamp_min(_TINY)
        momentum = decay * momentum + found.gradient / per_image(sizes, x)
        x_adv = into_box(x, x_adv - x + stride * direction(momentum, norm), eps=eps, norm=norm)
    return x_adv
