"""Blur of ImageNet-C: out of focus, frosted glass, motion, zoom; one picture at a time."""

import math
from functools import lru_cache

import cv2
import numpy as np

from gauntlet.shifts.corruptions_rounding import to_bytes


def defocus_blur(x: np.ndarray, level: tuple[float, float], generator: np.random.Generator) -> np.ndarray:
    """Blur with a disc, as a lens out of focus does.

    Args:
        x: uint8 HW3.
        level: `(radius_px, alias_px)`: of the disc, and of the Gaussian that softens its rim.
        generator: not used.

    Returns:
        uint8 HW3.
    """
    return to_bytes(cv2.filter2D(x.astype(np.float32), -1, _disc(*level)))


@lru_cache(maxsize=16)
def _disc(radius_px: float, alias_px: float) -> np.ndarray:
    reach, size = (8, 3) if radius_px <= 8 else (int(radius_px), 5)
    across, down = np.meshgrid(np.arange(-reach, reach + 1), np.arange(-reach, reach + 1))
    disc = np.float32(across**2 + down**2 <= radius_px**2)
    # softened on its own grid, where a disc of 8 px touches the rim, and cut to what is not zero afterwards
    disc = cv2.GaussianBlur(disc / disc.sum(), (size, size), alias_px)
    bare = max(0, reach - math.ceil(radius_px) - size // 2)
    return disc[bare : disc.shape[0] - bare, bare : disc.shape[1] - bare]


def glass_blur(x: np.ndarray, level: tuple[float, int, int], generator: np.random.Generator) -> np.ndarray:
    """Look through frosted glass: soften, let pixels take a neighbour's colour at random, soften again.

    Args:
        x: uint8 HW3.
        level: `(sigma_px, reach_px, rounds)`: of the softening; how far a neighbour may be, -reach to reach - 1 in
            each direction; how often all pixels take one.
        generator: source of all randomness.

    Returns:
        uint8 HW3.

    Source: ImageNet-C. Its code reads as if pixels were swapped, but a swap of numpy's views copies the neighbour
    over both, and so the released pictures have copies, as here.
    """
    sigma_px, reach, rounds = level
    soft = to_bytes(_softened(x, sigma_px))
    height, width = x.shape[:2]
    own = np.arange(height * width, dtype=np.int32).reshape(height, width)
    pixels = cv2.cvtColor(soft, cv2.COLOR_RGB2RGBA).view(np.uint32).ravel()
    for _ in range(rounds):
        away = np.int32(generator.random((2, height, width), np.float32) * np.float32(2 * reach)) - reach
        neighbour = own.copy()
        inner = slice(reach + 1, height - reach + 1), slice(reach + 1, width - reach + 1)
        neighbour[inner] += (away[0] * width + away[1])[inner]
        pixels = pixels[handed_on(neighbour.ravel())]
    shuffled = cv2.cvtColor(pixels.view(np.uint8).reshape(height, width, 4), cv2.COLOR_RGBA2RGB)
    return to_bytes(_softened(shuffled, sigma_px))


def _softened(x: np.ndarray, sigma_px: float) -> np.ndarray:
    size = 2 * int(4 * sigma_px + 0.5) + 1
    return cv2.GaussianBlur(x.astype(np.float32), (size, size), sigma_px, borderType=cv2.BORDER_REPLICATE)


def handed_on(neighbour: np.ndarray) -> np.ndarray:
    """Find where each value comes from when the places, last one first, copy what their neighbour holds by then.

    Args:
        neighbour: int [P]: the place that each one copies.

    Returns:
        int [P]: the place that held the value at the start. A neighbour further on has copied before, so its own
        source is followed, until one lies at or before the place that names it.
    """
    source = neighbour.copy()
    ahead = np.flatnonzero(neighbour > np.arange(len(neighbour)))
    while ahead.size:
        at = source[ahead]
        onward = neighbour[at]
        source[ahead] = onward
        ahead = ahead[onward > at]
    return source


def motion_blur(x: np.ndarray, level: tuple[int, float], generator: np.random.Generator) -> np.ndarray:
    """Blur along a line within 45 degrees of level, as a moving camera does.

    Args:
        x: uint8 HW3.
        level: `(radius_px, sigma_px)`: the line has 2 radius + 1 pixels, its weights fall with sigma.
        generator: source of all randomness.

    Returns:
        uint8 HW3.
    """
    angle = math.radians(generator.uniform(-45, 45))
    return to_bytes(along_line(x.astype(np.float32), angle, radius_px=level[0], sigma_px=level[1]))


def along_line(x: np.ndarray, angle: float, *, radius_px: int, sigma_px: float) -> np.ndarray:
    """Average along a line that starts at each pixel, with the weights of half a Gaussian.

    Args:
        x: float32 HW or HW3.
        angle: of the line, radians, clockwise from the right.
        radius_px: the line has 2 radius + 1 pixels.
        sigma_px: of the Gaussian.

    Returns:
        float32 of the shape of x; the picture's rim goes on outside it.

    Source: ImageMagick's motion blur, which ImageNet-C calls.
    """
    steps = np.arange(2 * radius_px + 1)
    weights = np.exp(-(steps**2) / (2 * sigma_px**2))
    weights /= weights.sum()
    down = np.ceil(steps * math.sin(angle) - 0.5).astype(int)
    over = np.ceil(steps * math.cos(angle) - 0.5).astype(int)
    height, width = x.shape[:2]
    top, left = max(0, -down.min()), max(0, -over.min())
    padded = cv2.copyMakeBorder(x, top, max(0, down.max()), left, max(0, over.max()), cv2.BORDER_REPLICATE)
    total = np.zeros_like(x)
    for weight, row, column in zip(weights, down + top, over + left, strict=True):
        cv2.scaleAdd(padded[row : row + height, column : column + width], weight, total, total)
    return total


def zoom_blur(x: np.ndarray, level: tuple[float, float], generator: np.random.Generator) -> np.ndarray:
    """Average the picture with enlarged copies of itself, as a zoom during the exposure does.

    Args:
        x: uint8 HW3.
        level: `(stop, step)`: the copies are 1, 1 + step, ... times as large, up to but without stop.
        generator: not used.

    Returns:
        uint8 HW3.
    """
    start = x.astype(np.float32)
    total = start.copy()
    factors = np.arange(1, *level)
    for factor in factors:
        total += enlarged(start, float(factor))
    return to_bytes(total / np.float32(len(factors) + 1))


def enlarged(x: np.ndarray, factor: float) -> np.ndarray:
    """Enlarge the middle of a picture to the size of the whole, linearly, corner pixels on corner pixels.

    Args:
        x: float32 HW or HW3.
        factor: at least 1.

    Returns:
        float32 of the shape of x.
    """
    height, width = x.shape[:2]
    grid = np.zeros((2, 3), np.float32)
    for axis, side in enumerate((width, height)):
        inner = math.ceil(side / factor)
        grid[axis, axis] = (inner - 1) / max(round(inner * factor) - 1, 1)
        grid[axis, 2] = (side - inner) // 2
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(x, grid, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
