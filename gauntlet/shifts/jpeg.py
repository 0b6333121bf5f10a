"""JPEG as a differentiable function: coefficients are rounded, and the gradient passes straight through.

Source: ITU-T T.81, annexes A and K (tables); libjpeg's scaling of the tables by quality.
"""

import torch
from torch import Tensor
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.shifts.spectral import dct_matrix

LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
YCBCR = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def jpeg(x: Tensor, *, quality: float) -> Tensor:
    """Compress and decompress, colours at half the resolution (4:2:0).

    Args:
        x: [B, 3, H, W] in [0, 1], any size.
        quality: 1 to 100, as libjpeg counts.

    Returns:
        Like x; may ring out of [0, 1].

    Raises:
        ArgumentError: A quality out of its range.
    """
    if not 1 <= quality <= 100:
        raise ArgumentError(f"quality must lie in 1 to 100; got {quality}; a share?")
    height, width = x.shape[-2:]
    x = functional.pad(x, (0, -width % 16, 0, -height % 16), mode="replicate")
    colours = torch.tensor(YCBCR, device=x.device, dtype=torch.float32)
    ycc = torch.einsum("ij,bjhw->bihw", colours, x.float() * 255) - colours.new_tensor([128, 0, 0])[:, None, None]
    luma = _coded(ycc[:, :1], LUMA, quality=quality)
    chroma = _coded(functional.avg_pool2d(ycc[:, 1:], 2), CHROMA, quality=quality)
    chroma = functional.interpolate(chroma, scale_factor=2, mode="bilinear")
    ycc = torch.cat([luma + 128, chroma], 1)
    rgb = torch.einsum("ij,bjhw->bihw", torch.linalg.inv(colours), ycc) / 255
    return rgb[..., :height, :width].to(x.dtype)


def _coded(planes: Tensor, table: tuple, *, quality: float) -> Tensor:
    """Round the coefficients of 8 x 8 blocks of [B, C, H, W] to multiples of the table's."""
    dct = dct_matrix(8).to(planes.device)
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    steps = torch.tensor(table, device=planes.device, dtype=torch.float32)
    steps = ((steps * scale + 50) / 100).floor().clamp(1, 255)
    blocks = planes.unflatten(3, (-1, 8)).unflatten(2, (-1, 8)).transpose(3, 4)
    coefficients = dct @ blocks @ dct.T / steps
    coefficients = coefficients + (coefficients.round() - coefficients).detach()
    blocks = dct.T @ (coefficients * steps) @ dct
    return blocks.transpose(3, 4).flatten(4, 5).flatten(2, 3)
