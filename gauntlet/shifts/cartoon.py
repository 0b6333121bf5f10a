"""Cel shading: flat areas of few colours under dark lines, for a background that drawn objects stand on."""

import cv2
import numpy as np

from gauntlet.shifts.arguments import check_image, check_severity
from gauntlet.shifts.fields import toward
from gauntlet.shifts.sketch import lines


def cel_shade(x: np.ndarray, *, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Redraw a picture as an animation cel.

    Args:
        x: uint8 HW3 RGB.
        severity: 1 (many tones, fine lines) to 5 (a handful of tones, heavy lines).
        generator: source of all randomness; it moves the tone steps and the colour a little.

    Returns:
        uint8 HW3.

    Raises:
        ArgumentError: a wrong image or severity.

    Source: Winnemoeller, Olsen and Gooch, Real-time video abstraction, SIGGRAPH 2006.
    """
    height, width = check_image(x)
    level = check_severity(severity)
    unit = max(1.0, min(height, width) / 240)
    flat = _flattened(x, rounds=(3, 4, 5, 6, 8)[level], unit=unit)
    lightness, red, blue = cv2.split(cv2.cvtColor(flat, cv2.COLOR_RGB2LAB))
    steps = (11, 9, 7, 6, 5)[level]
    lightness = cv2.LUT(lightness, _stairs(steps, offset=generator.uniform(0.3, 0.7), softness=0.12))
    lightness = cv2.medianBlur(lightness, 3)
    vivid = (1.15, 1.25, 1.35, 1.45, 1.55)[level] * generator.uniform(0.95, 1.05)
    red, blue = (cv2.convertScaleAbs(part, alpha=vivid, beta=128 * (1 - vivid)) for part in (red, blue))
    chroma = _stairs(22, offset=0.5, softness=0.3)
    cel = cv2.cvtColor(cv2.merge([lightness, cv2.LUT(red, chroma), cv2.LUT(blue, chroma)]), cv2.COLOR_LAB2RGB)
    drawn = lines(flat, width_px=(1.0, 1.2, 1.5, 1.8, 2.2)[level] * unit, strictness=0.016)
    return toward(cel, cv2.convertScaleAbs(drawn, alpha=235), (24, 20, 30))


def _flattened(x: np.ndarray, *, rounds: int, unit: float) -> np.ndarray:
    """Smooth within edges: bilateral rounds on a picture scaled down to where they are cheap."""
    height, width = x.shape[:2]
    shrink = max(1.0, unit * 0.8)
    size = (max(32, round(width / shrink)), max(32, round(height / shrink)))
    flat = cv2.resize(x, size, interpolation=cv2.INTER_AREA)
    for _ in range(rounds):
        flat = cv2.bilateralFilter(flat, 7, 28, 4)
    return cv2.resize(flat, (width, height), interpolation=cv2.INTER_CUBIC)


def _stairs(steps: int, *, offset: float, softness: float) -> np.ndarray:
    """Make the lookup table of a staircase on 0..255 whose risers are soft; offset moves the risers."""
    at = np.linspace(0, steps, 256) + offset - 0.5
    tread = np.floor(at)
    rise = np.clip((at - tread - 0.5) / softness + 0.5, 0, 1)
    return np.uint8(np.clip((tread + rise - offset + 0.5) * 255 / steps, 0, 255))
