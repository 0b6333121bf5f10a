"""What a picture meets on its way: differentiable for training, and as it truly happens for scoring.

`x` is [B, 3, H, W] in [0, 1] throughout, and so is what comes out, of the same size.
"""

from torch import Generator, Tensor

SWEEP: dict[str, tuple[str, float]] = {
    "jpeg_90": ("jpeg", 90),
    "jpeg_75": ("jpeg", 75),
    "jpeg_50": ("jpeg", 50),
    "resize_0.75": ("resize", 0.75),
    "resize_0.5": ("resize", 0.5),
    "crop_3.5": ("crop", 0.035),
    "crop_20": ("crop", 0.2),
    "noise": ("noise", 0.02),
    "blur": ("blur", 0.7),
    "brightness": ("brightness", 0.15),
    "contrast": ("contrast", 0.8),
    "dropout": ("dropout", 0.1),
    "screenshot": ("screenshot", 80),
}
"""Distortion and strength by the name under which it is scored."""


def distort(x: Tensor, name: str, strength: float, *, generator: Generator) -> Tensor:
    """Apply the differentiable form of a distortion."""
    raise NotImplementedError


def distort_truly(x: Tensor, name: str, strength: float, *, generator: Generator) -> Tensor:
    """Apply a distortion as it truly happens: a JPEG file, whole levels; no gradient."""
    raise NotImplementedError
