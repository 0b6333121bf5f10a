"""What a picture meets on its way: differentiable for training, and as it truly happens for scoring.

`x` is [B, 3, H, W] in [0, 1] throughout, and so is what comes out, of the same size. Every differentiable form is
`(x, strength, *, generator) -> x`; the true forms of JPEG, resizing and screenshots run Pillow, and all end on whole
levels.
"""

import io
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Generator, Tensor
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.shifts.jpeg import jpeg

ENLARGED = 1.5
"""Of a screenshot: how much larger than the picture the screen shows it."""


def identity(x: Tensor, strength: float, *, generator: Generator) -> Tensor:
    """Return the picture; `strength` is not looked at."""
    return x


def compress(x: Tensor, strength: float, *, generator: Generator) -> Tensor:
    """Compress by JPEG of quality `strength`, 1 to 100."""
    return jpeg(x, quality=strength)


def resize(x: Tensor, strength: float, *, generator: Generator) -> Tensor:
    """Scale both sides by `strength`, above 0, and back; bilinear, smoothed as it shrinks."""
    return _scaled(_scaled(x, _sides(x, strength)), x.shape[-2:])


def crop(x: Tensor, strength: float, *, generator: Generator) -> Tensor:
    """Keep a rectangle of the share `strength` of the area at its place, in (0, 1]; the rest turns grey.

    Source: HiDDeN's crop, as MBRS has it: what is left stays where it was, as a face that is found again does.
    """
    height, width = (max(1, round(side * strength**0.5)) for side in x.shape[-2:])
    top, left = (
        int(torch.randint(side - kept + 1, (), generator=generator))
        for side, kept in zip(x.shape[-2:], (height, width), strict=True)
    )
    mask = torch.zeros(x.shape[-2:], dtype=torch.bool, device=x.device)
    mask[top : top + height, left : left + width] = True
    return torch.where(mask, x, 0.5)


def noise(x: Tensor, strength: float, *, generator: Generator) -> Tensor:
    """Add Gaussian noise of standard deviation `strength`, on [0, 1]."""
    return x + strength * torch.randn(x.shape, generator=generator).to(x)


def blur(x: Tensor, strength: float, *, generator: Generator) -> Tensor:
    """Blur by a Gaussian of standard deviation `strength` px, above 0."""
    reach = min(max(1, round(3 * strength)), min(x.shape[-2:]) - 1)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / strength) ** 2).to(x)
    kernel = (kernel / kernel.sum()).repeat(x.shape[1], 1, 1)
    x = functional.pad(x, (reach,) * 4, mode="reflect")
    x = functional.conv2d(x, kernel[:, :, :, None], groups=x.shape[1])
    return functional.conv2d(x, kernel[:, :, None, :], groups=x.shape[1])


def brightness(x: Tensor, strength: float, *, generator: Generator) -> Tensor:
    """Add `strength`, on [0, 1]."""
    return x + strength


def contrast(x: Tensor, strength: float, *, generator: Generator) -> Tensor:
    """Scale the distance from mid grey by `strength`, at least 0."""
    return 0.5 + (x - 0.5) * strength


def dropout(x: Tensor, strength: float, *, generator: Generator) -> Tensor:
    """Lose the share `strength` of the pixels, in [0, 1]; each is filled with the mean of the square around it."""
    lost = torch.rand(len(x), 1, *x.shape[-2:], generator=generator).to(x.device) < strength
    around = functional.avg_pool2d(functional.pad(x, (1,) * 4, mode="reflect"), 3, 1)
    return torch.where(lost, around, x)


def screenshot(x: Tensor, strength: float, *, generator: Generator) -> Tensor:
    """Show the picture larger, a little darker, photograph the screen by JPEG of quality `strength`, scale it back."""
    shown = contrast(_scaled(x, _sides(x, ENLARGED)), 0.95, generator=generator)
    return _scaled(jpeg(shown.clamp(0, 1), quality=strength), x.shape[-2:])


DISTORTIONS: dict[str, Callable[..., Tensor]] = {
    f.__name__: f for f in (identity, resize, crop, noise, blur, brightness, contrast, dropout, screenshot)
} | {"jpeg": compress}
"""The differentiable forms by name."""

SWEEP: dict[str, tuple[str, float]] = {
    "jpeg_90": ("jpeg", 90),
    "jpeg_75": ("jpeg", 75),
    "jpeg_50": ("jpeg", 50),
    "resize_0.75": ("resize", 0.75),
    "resize_0.5": ("resize", 0.5),
    "crop_0.8": ("crop", 0.8),
    "crop_0.5": ("crop", 0.5),
    "noise": ("noise", 0.02),
    "blur": ("blur", 0.7),
    "brightness": ("brightness", 0.1),
    "contrast": ("contrast", 0.8),
    "dropout": ("dropout", 0.2),
    "screenshot": ("screenshot", 80),
}
"""Distortion and strength by the name under which it is scored."""


def distort(x: Tensor, name: str, strength: float, *, generator: Generator) -> Tensor:
    """Apply the differentiable form of a distortion.

    Args:
        x: [B, 3, H, W] in [0, 1].
        name: A key of DISTORTIONS.
        strength: As the distortion says.
        generator: On the CPU, of what is drawn.

    Raises:
        ArgumentError: There is no such distortion.
    """
    if name not in DISTORTIONS:
        raise ArgumentError(f"a distortion must be one of {', '.join(DISTORTIONS)}; got {name!r}; misspelt?")
    return DISTORTIONS[name](x, strength, generator=generator).clamp(0, 1)


@torch.no_grad()
def distort_truly(x: Tensor, name: str, strength: float, *, generator: Generator) -> Tensor:
    """Apply a distortion as it truly happens: a JPEG file, whole levels; no gradient. See `distort`."""
    if name not in ("jpeg", "resize", "screenshot"):
        return _levels(distort(_levels(x), name, strength, generator=generator))
    pictures = (_levels(x) * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    done = np.stack([np.asarray(_TRUE[name](Image.fromarray(picture), strength)) for picture in pictures])
    return torch.from_numpy(done).permute(0, 3, 1, 2).to(x) / 255


def _file(image: Image.Image, quality: float) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=round(quality))
    return Image.open(stream).convert("RGB")


def _resized(image: Image.Image, factor: float) -> Image.Image:
    small = tuple(max(1, round(side * factor)) for side in image.size)
    return image.resize(small, Image.Resampling.BILINEAR).resize(image.size, Image.Resampling.BILINEAR)


def _screenshot(image: Image.Image, quality: float) -> Image.Image:
    large = image.resize(tuple(round(side * ENLARGED) for side in image.size), Image.Resampling.BILINEAR)
    shown = np.asarray(large).astype(np.float32)
    shown = Image.fromarray((127.5 + (shown - 127.5) * 0.95).round().astype(np.uint8))
    return _file(shown, quality).resize(image.size, Image.Resampling.BILINEAR)


_TRUE = {"jpeg": _file, "resize": _resized, "screenshot": _screenshot}


def _levels(x: Tensor) -> Tensor:
    return (x.clamp(0, 1) * 255).round() / 255


def _sides(x: Tensor, factor: float) -> tuple[int, int]:
    return max(1, round(x.shape[-2] * factor)), max(1, round(x.shape[-1] * factor))


def _scaled(x: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(x, size=tuple(size), mode="bilinear", antialias=True)
