"""Weather of ImageNet-C: its flat snow, frost and fog, milder to look at than `weather`'s; one picture at a time.

`weather` renders a scene for COCO-O. These keep ImageNet-C's formulas and constants, which mCE's are measured with.
"""

import math

import cv2
import numpy as np

from gauntlet.shifts.corruptions_blur import along_line, enlarged
from gauntlet.shifts.corruptions_rounding import to_bytes
from gauntlet.shifts.crystals import TILE_PX, frost_bank
from gauntlet.shifts.fields import in_strips

FROST_LIGHT = (115.0, 205.0)
FROST_TINT = np.float32([-14, 2, 12])
FROST_CONTRAST = 0.5


def snow(
    x: np.ndarray, level: tuple[float, float, float, float, int, float, float], generator: np.random.Generator
) -> np.ndarray:
    """Whiten the picture and drive flakes over it.

    Args:
        x: uint8 HW3.
        level: `(mean, deviation, size, threshold, radius_px, sigma_px, kept)`: of the normal noise that flakes are
            made of; how much it is enlarged; below what it is no flake; of the motion blur; the picture's share.
        generator: source of all randomness.

    Returns:
        uint8 HW3.
    """
    mean, deviation, size, threshold, radius_px, sigma_px, kept = level
    noise = generator.standard_normal(x.shape[:2], np.float32)
    noise = enlarged(noise * np.float32(deviation) + np.float32(mean), size)
    flakes = cv2.threshold(noise, threshold, 0, cv2.THRESH_TOZERO)[1]
    angle = math.radians(generator.uniform(-135, -45))
    flakes = along_line(np.clip(flakes, 0, 1), angle, radius_px=radius_px, sigma_px=sigma_px)
    flakes = np.round(flakes * 255)
    flakes += flakes[::-1, ::-1]
    start = x.astype(np.float32)
    white = cv2.cvtColor(cv2.cvtColor(start, cv2.COLOR_RGB2GRAY) * 1.5 + 127.5, cv2.COLOR_GRAY2RGB)
    bleached = cv2.addWeighted(start, kept, cv2.max(start, white), 1 - kept, 0)
    return to_bytes(bleached + cv2.merge([flakes] * 3))


def frost(x: np.ndarray, level: tuple[float, float, float], generator: np.random.Generator) -> np.ndarray:
    """Add a picture of ice.

    Args:
        x: uint8 HW3.
        level: `(kept, added, scale)`: weights of the picture and of the ice; how large the ice is, 1 as at 224 px.
        generator: source of all randomness.

    Returns:
        uint8 HW3.

    Source: ImageNet-C; its five photographs of ice are replaced by the tiles of `crystals`, brought to the
    photographs' range of brightness, contrast and tint.
    """
    kept, added, scale = level
    height, width = x.shape[:2]
    fit = min(1 / scale, TILE_PX / height, TILE_PX / width)
    rows, columns = math.floor(height * fit), math.floor(width * fit)
    tile = np.rot90(frost_bank()[generator.integers(len(frost_bank()))], generator.integers(4))
    top, left = generator.integers(0, (TILE_PX - rows + 1, TILE_PX - columns + 1))
    ice = np.ascontiguousarray(tile[top : top + rows, left : left + columns])
    ice = cv2.resize(ice, (width, height), interpolation=cv2.INTER_AREA if fit > 1 else cv2.INTER_LINEAR)
    tones = FROST_CONTRAST * (np.arange(256, dtype=np.float32)[:, None] - 128) + generator.uniform(*FROST_LIGHT)
    coloured = np.uint8(np.clip(tones + FROST_TINT, 0, 255))[:, None]
    iced = cv2.LUT(cv2.merge([ice] * 3), coloured)
    return to_bytes(np.float32(kept) * x + np.float32(added) * iced)


def fog(x: np.ndarray, level: tuple[float, float], generator: np.random.Generator) -> np.ndarray:
    """Add a fractal cloud and take the contrast down by as much.

    Args:
        x: uint8 HW3.
        level: `(amount, decay)`: of the cloud against white; each octave is decay^2 times weaker than the last.
        generator: source of all randomness.

    Returns:
        uint8 HW3.
    """
    amount, decay = level
    height, width = x.shape[:2]
    cloud = diamond_square(max(height, width), decay=decay**2, generator=generator)[:height, :width]
    brightest = float(x.max())
    if brightest == 0:
        return x.copy()
    share = brightest / (brightest + 255 * amount)
    cloud = cloud * np.float32(255 * amount * share)

    def veiled(x: np.ndarray, cloud: np.ndarray) -> np.ndarray:
        return to_bytes(cv2.scaleAdd(x.astype(np.float32), share, cv2.merge([cloud] * 3)))

    return in_strips(veiled, x, cloud)


def diamond_square(side: int, *, decay: float, generator: np.random.Generator) -> np.ndarray:
    """Grow a fractal that tiles: midpoints are the mean of four neighbours and a random step.

    Args:
        side: at least as many px; the next power of two is made.
        decay: how many times smaller the step is at each halving, above 0.
        generator: source of all randomness.

    Returns:
        float32, square, stretched to exactly [0, 1].

    Source: Fournier, Fussell and Carpenter, 1982, with wrapped edges as in ImageNet-C.
    """
    field, step = np.zeros((1, 1), np.float32), 1.0
    while len(field) < side:
        steps = generator.random((3, *field.shape), np.float32)
        steps -= np.float32(0.5)
        steps *= np.float32(2 * step)
        wrapped = cv2.copyMakeBorder(field, 0, 1, 0, 1, cv2.BORDER_WRAP)
        across, down = wrapped[:, :-1] + wrapped[:, 1:], wrapped[:-1, :-1] + wrapped[1:, :-1]
        centres = steps[0] + (across[:-1] + across[1:]) * np.float32(0.25)
        around = cv2.copyMakeBorder(centres, 1, 0, 1, 0, cv2.BORDER_WRAP)
        grown = np.empty((2 * len(field), 2 * len(field)), np.float32)
        grown[::2, ::2], grown[1::2, 1::2] = field, centres
        grown[::2, 1::2] = steps[1] + (across[:-1] + centres + around[:-1, 1:]) * np.float32(0.25)
        grown[1::2, ::2] = steps[2] + (down + centres + around[1:, :-1]) * np.float32(0.25)
        field, step = grown, step / decay
    field -= field.min()
    return field / max(float(field.max()), 1e-12)
