"""Low-pass filtering: what an image keeps when its fine detail goes."""

import torch
from torch import Tensor

from gauntlet.errors import ArgumentError


def low_pass(x: Tensor, *, radius: float) -> Tensor:
    """Keep the Fourier coefficients within a radius of the spectrum's centre.

    Args:
        x: float, B x C x H x W in [0, 1].
        radius: Cut-off in cycles an image (coefficients from the centre of the shifted spectrum), at least 0: 0 keeps
            the mean alone. From half the shorter side on nothing is filtered.

    Returns:
        Like x, in [0, 1].

    Raises:
        ArgumentError: A radius below 0, or integer pixels.

    Source: ARES-Bench, eval_frequency_response.py: the ideal disc, and the absolute value of the inverse transform. Its
    last point, labelled 112 at 224 px, is the unfiltered image, which the disc of that radius would not give: hence the
    limit of half a side. We clip what rings above 1, so that the result remains an image.
    """
    if not radius >= 0 or not x.is_floating_point():
        raise ArgumentError(f"radius must be 0 or more and x float in [0, 1]; got {radius} and {x.dtype}")
    height, width = x.shape[-2:]
    if radius >= min(height, width) / 2:
        return x.clone()
    rows = torch.fft.fftfreq(height, 1 / height, device=x.device)
    columns = torch.fft.rfftfreq(width, 1 / width, device=x.device)
    kept = rows[:, None] ** 2 + columns**2 <= radius**2
    return torch.fft.irfft2(torch.fft.rfft2(x) * kept, s=(height, width)).abs().clamp(max=1)
