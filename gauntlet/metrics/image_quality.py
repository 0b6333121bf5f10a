"""Image quality: how far a changed picture lies from its original, as PSNR, SSIM and a distance of features."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from gauntlet.errors import ArgumentError

K1, K2 = 0.01, 0.03
SIGMA_PX, WINDOW_PX = 1.5, 11
EDGE = 1e-10
"""Added to the norm of a feature vector, which may be zero."""

Features = Callable[[Tensor], Tensor | Sequence[Tensor]]
"""From pictures to feature maps (B, C, h, w) or vectors (B, D), of one layer or several."""


def psnr_db(x: Tensor, y: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio of each picture, in dB; infinite where the two are equal.

    Args:
        x: B x C x H x W in [0, 1]; the peak is 1.
        y: Of the same shape.

    Returns:
        B numbers.

    Raises:
        ArgumentError: The shapes differ.

    >>> psnr_db(torch.zeros(1, 3, 8, 8), torch.full((1, 3, 8, 8), 0.1)).tolist()
    [20.0]
    """
    _check(x, y)
    return -10 * (x - y).square().flatten(1).mean(1).log10()


def at_psnr(x: Tensor, y: Tensor, level_db: Tensor) -> Tensor:
    """Scale the change of each picture so that it has a given PSNR, before pixels are cut to [0, 1].

    Args:
        x: B x C x H x W in [0, 1].
        y: Changed pictures of the same shape.
        level_db: B numbers.

    Returns:
        Pictures in [0, 1]; where y equals x, x.

    >>> x = torch.full((1, 3, 8, 8), 0.5)
    >>> psnr_db(x, at_psnr(x, x + 0.2, torch.tensor([40.0]))).round().tolist()
    [40.0]
    """
    found = psnr_db(x, y)
    scale = torch.where(found.isinf(), 0.0, 10 ** ((found - level_db) / 20))
    return (x + scale[:, None, None, None] * (y - x)).clamp(0, 1)


def ssim(x: Tensor, y: Tensor) -> Tensor:
    """Return the structural similarity of each picture, mean over channels and windows that lie inside.

    Args:
        x: B x C x H x W in [0, 1], sides of 11 px at least.
        y: Of the same shape.

    Returns:
        B numbers in [-1, 1].

    Raises:
        ArgumentError: The shapes differ or a side is too short.

    Source: Wang et al., TIP 2004: Gaussian window of 11 px and 1.5 px, K1 = 0.01, K2 = 0.03, colours one by one.
    """
    _check(x, y)
    if min(x.shape[-2:]) < WINDOW_PX:
        raise ArgumentError(f"the sides must have at least {WINDOW_PX} px (SSIM's window); got {tuple(x.shape[-2:])}")
    x, y = x.double(), y.double()
    mean_x, mean_y = _blur(x), _blur(y)
    variance_x, variance_y = _blur(x * x) - mean_x**2, _blur(y * y) - mean_y**2
    covariance = _blur(x * y) - mean_x * mean_y
    alike = (2 * mean_x * mean_y + K1**2) * (2 * covariance + K2**2)
    return (alike / ((mean_x**2 + mean_y**2 + K1**2) * (variance_x + variance_y + K2**2))).flatten(1).mean(1)


def _blur(x: Tensor) -> Tensor:
    place = torch.arange(WINDOW_PX, dtype=x.dtype, device=x.device) - WINDOW_PX // 2
    weights = torch.exp(-(place**2) / (2 * SIGMA_PX**2))
    weights = (weights / weights.sum()).expand(x.shape[1], 1, 1, -1)
    rows = functional.conv2d(x, weights, groups=x.shape[1])
    return functional.conv2d(rows, weights.transpose(-1, -2), groups=x.shape[1])


def perceptual(features: Features, x: Tensor, y: Tensor) -> Tensor:
    """Return the distance of two pictures in a network's features; 0 where they are equal.

    Args:
        features: The network's layers.
        x: B x C x H x W in [0, 1].
        y: Of the same shape.

    Returns:
        B numbers, each at most 4 a layer.

    Raises:
        ArgumentError: The shapes differ.

    Source: Zhang et al., CVPR 2018 (LPIPS), with layers of equal weight: nothing is fitted to what people judge.
    """
    _check(x, y)
    layers = zip(_layers(features(x)), _layers(features(y)), strict=True)
    total = torch.zeros(len(x), dtype=x.dtype, device=x.device)
    for one, other in layers:
        distance = (_unit(one) - _unit(other)).square().sum(1)
        total = total + distance.reshape(len(x), -1).mean(1)
    return total


def _layers(found: Tensor | Sequence[Tensor]) -> Sequence[Tensor]:
    return [found] if isinstance(found, Tensor) else found


def _unit(layer: Tensor) -> Tensor:
    return layer / (layer.norm(dim=1, keepdim=True) + EDGE)


def _check(x: Tensor, y: Tensor) -> None:
    if x.shape != y.shape or x.ndim != 4:
        raise ArgumentError(f"x and y must both be B x C x H x W; got {tuple(x.shape)} and {tuple(y.shape)}; resized?")
