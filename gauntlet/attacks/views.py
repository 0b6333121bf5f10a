"""Views of an image that a gradient is taken through: each image its own, and the same wherever it stands."""

import torch
from torch import Tensor
from torch.nn import functional

from gauntlet.attacks.noise import Noise


def shrinking(noise: Noise, x: Tensor, *, smallest: float, chance: float) -> tuple[Tensor, Tensor]:
    """Return matrices that shrink each image at random and set it somewhere on black: rows @ x @ columns.mT.

    Args:
        noise: The images' streams.
        x: B x C x H x W; gives sizes and device.
        smallest: Least side of the shrunk image as a share of the side, in (0, 1].
        chance: That an image is shrunk at all, in [0, 1].

    Returns:
        Rows, B x 1 x H x H, and columns, B x 1 x W x W: bilinear weights with pixel centres at halves, as
        interpolate(align_corners=False) and zeros around it.

    Source: Xie et al., CVPR 2019 (section 3.2).
    """
    unchanged = noise.uniform(()) >= chance
    share, down, across = noise.uniform((3,)).unbind(1)
    return (
        _weights(share, down, side=x.shape[2], smallest=smallest, unchanged=unchanged),
        _weights(share, across, side=x.shape[3], smallest=smallest, unchanged=unchanged),
    )


def blurred(x: Tensor, *, kernel_px: int, deviations: float) -> Tensor:
    """Blur every plane with a Gaussian kernel, black around the image.

    Args:
        x: B x C x H x W.
        kernel_px: Side of the kernel, odd.
        deviations: Standard deviations from the kernel's middle to its rim, above 0.

    Returns:
        Like x.
    """
    kernel = torch.exp(-torch.linspace(-deviations, deviations, kernel_px, device=x.device).square() / 2)
    column = (kernel / kernel.sum()).view(1, 1, -1, 1)
    planes = x.flatten(0, 1)[:, None]
    planes = functional.conv2d(functional.conv2d(planes, column, padding="same"), column.mT, padding="same")
    return planes.view_as(x)


def _weights(share: Tensor, place: Tensor, *, side: int, smallest: float, unchanged: Tensor) -> Tensor:
    least = max(int(smallest * side), 1)
    size = torch.where(unchanged, side, least + (share * (side - least)).floor())[:, None]
    begin = (place[:, None] * (side - size)).floor()
    pixels = torch.arange(side, device=share.device)
    source = ((pixels - begin + 0.5) * side / size - 0.5).clamp(0, side - 1)
    inside = (pixels >= begin) & (pixels < begin + size)
    weights = (1 - (source[..., None] - pixels).abs()).clamp_min(0) * inside[..., None]
    return weights[:, None]
