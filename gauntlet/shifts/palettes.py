"""Few colours for many: the palette of an object and the smooth patches in which each of its colours lies."""

import cv2
import numpy as np


def palette(pixels: np.ndarray, *, colours: int, generator: np.random.Generator) -> np.ndarray:
    """Choose the colours that stand best for given pixels, darkest first.

    Args:
        pixels: uint8 N x 3 RGB, N at least 1.
        colours: how many, at least 1.
        generator: draws the sample of at most 2,000 pixels.

    Returns:
        float32 colours x 3.

    Source: Lloyd, Least squares quantization in PCM, 1982 (k-means), started at even steps of brightness.
    """
    sample = pixels[generator.integers(0, len(pixels), min(2_000, 4 * len(pixels)))].astype(np.float32)
    sample = sample[np.argsort(sample.sum(1), kind="stable")]
    centres = sample[np.linspace(0, len(sample) - 1, 2 * colours + 1).astype(int)[1::2]].copy()
    for _ in range(8):
        nearest = _nearest(sample, centres)
        for index in range(colours):
            if (nearest == index).any():
                centres[index] = sample[nearest == index].mean(0)
    return centres[np.argsort(centres.sum(1), kind="stable")]


def patches(x: np.ndarray, centres: np.ndarray, *, smooth_px: float) -> np.ndarray:
    """Deal each pixel to a colour of the palette, with calm borders.

    Args:
        x: uint8 HW3 RGB.
        centres: float32 C x 3, as `palette` gives.
        smooth_px: width of the vote that calms the borders, above 0.

    Returns:
        uint8 HW, index into centres.
    """
    nearest = _nearest(x.reshape(-1, 3).astype(np.float32), centres).reshape(x.shape[:2])
    votes = [cv2.GaussianBlur(np.float32(nearest == index), (0, 0), smooth_px) for index in range(len(centres))]
    return np.argmax(np.stack(votes), 0).astype(np.uint8)


def _nearest(pixels: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return np.argmin((centres**2).sum(1) - 2 * pixels @ centres.T, 1)


def vivid(colours: np.ndarray, *, saturation: float, lift: float) -> np.ndarray:
    """Strengthen colours (float32 C x 3, 0..255) about their grey and lift them toward white."""
    grey = colours.mean(1, keepdims=True)
    return np.clip((grey + saturation * (colours - grey)) * (1 - lift) + 255 * lift, 0, 255).astype(np.float32)


STOCK = np.float32(
    [
        (250, 248, 240), (222, 210, 188), (168, 164, 158), (96, 96, 100), (34, 32, 36), (206, 40, 48), (236, 112, 52),
        (250, 204, 60), (160, 196, 70), (52, 132, 70), (40, 150, 150), (104, 176, 224), (44, 84, 168), (92, 60, 140),
        (172, 108, 184), (238, 150, 176), (150, 92, 56), (92, 58, 42),
    ]
)  # fmt: skip
"""The colours that felt, clay and paper are sold in: 18 x 3, RGB 0..255."""


def from_stock(colours: np.ndarray, *, fidelity: float, generator: np.random.Generator) -> np.ndarray:
    """Replace colours by those that are at hand: of the right brightness first, of the right hue as far as one cares.

    Args:
        colours: float32 C x 3 RGB, 0..255.
        fidelity: weight of the hue against the brightness; at 0 a brown cow may well become purple.
        generator: makes the choice among what is about equally near.

    Returns:
        float32 C x 3, rows of STOCK.
    """
    grey, stock_grey = colours.mean(1, keepdims=True), STOCK.mean(1, keepdims=True)
    brightness = (grey - stock_grey.T) ** 2 + 15.0**2
    hue = (((colours - grey)[:, None] - (STOCK - stock_grey)[None]) ** 2).mean(2)
    distance = (brightness + fidelity * hue) * np.exp(generator.normal(0, 0.5, brightness.shape))
    return STOCK[distance.argmin(1)]
