"""The fifteen corruptions of ImageNet-C and CIFAR-C, at five severities, on pictures and batches."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gauntlet.errors import ArgumentError
from gauntlet.shifts import corruptions_blur as blur
from gauntlet.shifts import corruptions_digital as digital
from gauntlet.shifts import corruptions_noise as noise
from gauntlet.shifts import corruptions_weather as weather
from gauntlet.shifts.arguments import check_image, check_severity

CONSTANTS = ("imagenet_c", "cifar_c")
SMALL_PX = 84
"""Shorter sides up to this are nearer to CIFAR's 32 px than to ImageNet's 224 (their geometric mean)."""


@dataclass(frozen=True)
class Corruption:
    """One corruption; call it as any shift: `(x, *, severity, generator) -> x`.

    Attributes:
        apply: `(x, level, generator) -> x` on one uint8 HW3.
        imagenet_c: what `apply` takes as level at severity 1 to 5, as for ImageNet-C's 224 px.
        cifar_c: the same as for CIFAR-C's 32 px.
        random: whether the result depends on the generator.
    """

    apply: Callable[[np.ndarray, Any, np.random.Generator], np.ndarray]
    imagenet_c: Sequence[Any]
    cifar_c: Sequence[Any]
    random: bool = True

    def __call__(
        self, x: np.ndarray, *, severity: int, generator: np.random.Generator, constants: str | None = None
    ) -> np.ndarray:
        """Corrupt a picture or a batch of pictures of one size.

        Args:
            x: H x W x 3 or N x H x W x 3 RGB, sides at least 32 px: uint8, or float in [0, 1], which is rounded to
                8 bits first, because the released sets are 8-bit files.
            severity: 1 to 5.
            generator: Source of all randomness; a batch draws as its pictures would one after the other.
            constants: "imagenet_c" or "cifar_c"; None takes those whose pictures are nearer in size.

        Returns:
            Of the shape and dtype of x.

        Raises:
            ArgumentError: A wrong picture, severity or name of constants.

        Source: Hendrycks and Dietterich, ICLR 2019; constants and formulas of its make_imagenet_c.py and
        make_cifar_c.py. Sizes are in px of those sets: at 128 px ImageNet-C's blurs weigh more than at 224.
        """
        level = check_severity(severity)
        batch = _as_bytes(x)
        if constants is None:
            constants = CONSTANTS[min(batch.shape[1:3]) <= SMALL_PX]
        if constants not in CONSTANTS:
            raise ArgumentError(f"constants must be one of {', '.join(CONSTANTS)}, or None; got {constants!r}")
        setting = getattr(self, constants)[level]
        out = np.stack([self.apply(picture, setting, generator) for picture in batch]).reshape(x.shape)
        return out if x.dtype == np.uint8 else (out / np.array(255, x.dtype)).astype(x.dtype, copy=False)


def _as_bytes(x: np.ndarray) -> np.ndarray:
    """Return x as a uint8 batch, or say what is wrong with it."""
    if isinstance(x, np.ndarray) and x.dtype.kind == "f":
        if x.size and not (x.min() >= 0 and x.max() <= 1):
            raise ArgumentError(f"a float image must lie in [0, 1] (not 0..255); got {x.min():g} to {x.max():g}")
        x = np.uint8(np.round(x * 255))
    batch = x[None] if isinstance(x, np.ndarray) and x.ndim != 4 else x
    check_image(batch[0] if isinstance(batch, np.ndarray) and len(batch) else batch)
    return np.ascontiguousarray(batch)


def _zooms(step: float, *stops: float) -> tuple[tuple[float, float], ...]:
    return tuple((stop, step) for stop in stops)


CORRUPTIONS = {
    entry.apply.__name__: entry
    for entry in (
        Corruption(noise.gaussian_noise, (0.08, 0.12, 0.18, 0.26, 0.38), (0.04, 0.06, 0.08, 0.09, 0.10)),
        Corruption(noise.shot_noise, (60, 25, 12, 5, 3), (500, 250, 100, 75, 50)),
        Corruption(noise.impulse_noise, (0.03, 0.06, 0.09, 0.17, 0.27), (0.01, 0.02, 0.03, 0.05, 0.07)),
        Corruption(
            blur.defocus_blur,
            ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
            ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
            random=False,
        ),
        Corruption(
            blur.glass_blur,
            ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
            ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
        ),
        Corruption(
            blur.motion_blur,
            ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
            ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
        ),
        Corruption(
            blur.zoom_blur,
            (*_zooms(0.01, 1.11, 1.16), *_zooms(0.02, 1.21, 1.26), *_zooms(0.03, 1.31)),
            _zooms(0.01, 1.06, 1.11, 1.16, 1.21, 1.26),
            random=False,
        ),
        Corruption(
            weather.snow,
            (
                (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
                (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
                (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
                (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
                (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
            ),
            (
                (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
                (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
                (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
                (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
                (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
            ),
        ),
        Corruption(
            weather.frost,
            ((1, 0.4, 1), (0.8, 0.6, 1), (0.7, 0.7, 1), (0.65, 0.7, 1), (0.6, 0.75, 1)),
            ((1, 0.2, 0.2), (1, 0.3, 0.2), (0.9, 0.4, 0.2), (0.85, 0.4, 0.2), (0.75, 0.45, 0.2)),
        ),
        Corruption(
            weather.fog,
            ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
            ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
        ),
        Corruption(digital.brightness, (0.1, 0.2, 0.3, 0.4, 0.5), (0.05, 0.1, 0.15, 0.2, 0.3), random=False),
        Corruption(digital.contrast, (0.4, 0.3, 0.2, 0.1, 0.05), (0.75, 0.5, 0.4, 0.3, 0.15), random=False),
        Corruption(
            digital.elastic_transform,
            # ImageNet-C reckons with 244 px on pictures of 224
            tuple(
                tuple(244 / 224 * share for share in shares)
                for shares in (
                    (2, 0.7, 0.1),
                    (2, 0.08, 0.2),
                    (0.05, 0.01, 0.02),
                    (0.07, 0.01, 0.02),
                    (0.12, 0.01, 0.02),
                )
            ),
            ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
        ),
        Corruption(digital.pixelate, (0.6, 0.5, 0.4, 0.3, 0.25), (0.95, 0.9, 0.85, 0.75, 0.65), random=False),
        Corruption(digital.jpeg_compression, (25, 18, 15, 10, 7), (80, 65, 58, 50, 40), random=False),
    )
}
"""By name, in the paper's order: three of noise, four of blur, three of weather, five digital ones."""
