"""Digital corruptions of ImageNet-C: brightness, contrast, elastic, pixelate, JPEG; one picture at a time."""

import math
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image

from gauntlet.shifts.corruptions_rounding import SLACK, to_bytes


def brightness(x: np.ndarray, level: float, generator: np.random.Generator) -> np.ndarray:
    """Raise V of HSV: all three values of a pixel grow by the factor that the largest needs.

    Args:
        x: uint8 HW3.
        level: added to V, a share of white.
        generator: not used.

    Returns:
        uint8 HW3.
    """
    largest = cv2.max(cv2.max(x[..., 0], x[..., 1]), x[..., 2])
    return _brighter(level)[cv2.merge([largest] * 3).astype(np.uint16) << 8 | x]


@lru_cache(maxsize=16)
def _brighter(level: float) -> np.ndarray:
    """Tabulate what becomes of a value beside each largest value of its pixel: uint8, at 256 largest + value."""
    largest = np.arange(256)
    raised = np.minimum(largest + 255 * level, 255)
    factor = raised / np.maximum(largest, 1)
    table = factor[:, None] * np.arange(256) + SLACK
    table[0] = raised[0]  # black has no hue and becomes grey
    return np.uint8(np.minimum(table, 255)).ravel()


def contrast(x: np.ndarray, level: float, generator: np.random.Generator) -> np.ndarray:
    """Pull each channel toward its mean over the picture.

    Args:
        x: uint8 HW3.
        level: share of the contrast that is left, in [0, 1].
        generator: not used.

    Returns:
        uint8 HW3.
    """
    means = np.array(cv2.mean(x)[:3])
    tones = (np.arange(256)[:, None] - means) * level + means
    return cv2.LUT(x, np.uint8(np.clip(tones + SLACK, 0, 255))[:, None])


def elastic_transform(x: np.ndarray, level: tuple[float, float, float], generator: np.random.Generator) -> np.ndarray:
    """Bend the picture: a random affine map, then a smooth random displacement.

    Args:
        x: uint8 HW3.
        level: `(amount, smoothing, shear)`, shares of the shorter side: factor of the displacement, sigma of its
            smoothing, and how far each of three points of the affine map moves at most.
        generator: source of all randomness.

    Returns:
        uint8 HW3.

    Source: Simard, Steinkraus and Platt, 2003, with ImageNet-C's affine map. Both maps are one here: ImageNet-C
    interpolates twice, which blurs a little more.
    """
    height, width = x.shape[:2]
    side = min(height, width)
    amount, smoothing, shear = (side * share for share in level)
    corner, reach = np.float32([height // 2, width // 2]), side // 3
    fixed = np.float32([corner + reach, corner + np.float32([reach, -reach]), corner - reach])
    moved = fixed + generator.uniform(-shear, shear, fixed.shape).astype(np.float32)
    inverse = cv2.invertAffineTransform(cv2.getAffineTransform(fixed, moved)).astype(np.float32)
    steps = generator.uniform(-1, 1, (2, height, width)).astype(np.float32)
    smooth = amount * (_reflecting(height, smoothing) @ steps @ _reflecting(width, smoothing).T)
    across = smooth[0] + np.arange(width, dtype=np.float32)
    down = smooth[1] + np.arange(height, dtype=np.float32)[:, None]
    maps = (across * row[0] + down * row[1] + row[2] for row in inverse)
    return to_bytes(cv2.remap(x.astype(np.float32), *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101))


@lru_cache(maxsize=32)
def _reflecting(side: int, sigma_px: float) -> np.ndarray:
    """Write a Gaussian blur of a line that is reflected at its ends as a matrix, side x side: sigma may exceed side."""
    radius = int(3 * sigma_px + 0.5)
    if radius == 0:
        return np.eye(side, dtype=np.float32)
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-(offsets**2) / (2 * sigma_px**2))
    period = (np.arange(side)[:, None] + offsets) % (2 * side)
    folded = np.minimum(period, 2 * side - 1 - period)
    matrix = np.zeros((side, side))
    np.add.at(matrix, (np.arange(side)[:, None], folded), weights / weights.sum())
    return matrix.astype(np.float32)


def pixelate(x: np.ndarray, level: float, generator: np.random.Generator) -> np.ndarray:
    """Shrink the picture by box averages and blow it up again.

    Args:
        x: uint8 HW3.
        level: size of the shrunken picture, a share of each side.
        generator: not used.

    Returns:
        uint8 HW3.
    """
    height, width = x.shape[:2]
    small = (math.floor(width * level), math.floor(height * level))
    shrunken = Image.fromarray(x).resize(small, Image.Resampling.BOX)
    return np.asarray(shrunken.resize((width, height), Image.Resampling.NEAREST))


def jpeg_compression(x: np.ndarray, level: int, generator: np.random.Generator) -> np.ndarray:
    """Write the picture as JPEG and read it.

    Args:
        x: uint8 HW3.
        level: quality, 1 to 100.
        generator: not used.

    Returns:
        uint8 HW3.
    """
    written = cv2.imencode(".jpg", cv2.cvtColor(x, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, level])[1]
    return cv2.imdecode(written, cv2.IMREAD_COLOR_RGB)
