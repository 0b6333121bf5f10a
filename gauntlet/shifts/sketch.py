"""Pencil: a whole picture redrawn in lines and hatching, and the sheets that drawings are made on."""

import math

import cv2
import numpy as np

from gauntlet.errors import ArgumentError
from gauntlet.shifts.arguments import SMALLEST_SIDE_PX, check_image, check_severity
from gauntlet.shifts.fields import along, grain, luma, orientation, plasma, shaded, toward


def lines(x: np.ndarray, *, width_px: float, strictness: float = 0.012) -> np.ndarray:
    """Find the lines a pen would draw, smoothed along the edges.

    Args:
        x: uint8 HW3 RGB.
        width_px: of the lines, above 0.
        strictness: contrast that an edge must exceed, on [0, 1]; higher draws fewer lines.

    Returns:
        float32 HW in [0, 1], 1 where the line is full black.

    Source: Winnemoeller, Kyprianidis and Olsen, XDoG, Computers & Graphics 2012, on an edge tangent flow.
    """
    grey = luma(x)
    sigma = max(0.5, 0.5 * width_px)
    cos, sin, _ = orientation(grey, sigma_px=2.5 * sigma)
    difference = cv2.GaussianBlur(grey, (0, 0), 1.6 * sigma) - cv2.GaussianBlur(grey, (0, 0), sigma)
    flowing = along(difference, cos, sin, length_px=8 * sigma, taps=7)
    return np.tanh(np.clip((flowing - strictness) * 45, 0, 3))


def pencil(x: np.ndarray, *, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Redraw a picture in pencil: contour lines, hatching where it is dark, on a grained sheet.

    Args:
        x: uint8 HW3 RGB.
        severity: 1 (fully shaded drawing) to 5 (bare contours).
        generator: source of all randomness.

    Returns:
        uint8 HW3.

    Raises:
        ArgumentError: a wrong image or severity.
    """
    height, width = check_image(x)
    level = check_severity(severity)
    unit = max(1.0, min(height, width) / 240)
    drawn = lines(x, width_px=1.1 * unit, strictness=(0.008, 0.01, 0.012, 0.014, 0.016)[level])
    grey = cv2.createCLAHE(2, (4, 4)).apply(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY))
    dark = 1 - np.float32(cv2.GaussianBlur(grey, (0, 0), unit)) / 255
    turn = generator.uniform(-0.9, -0.6)
    shade = np.zeros((height, width), np.float32)
    for angle, start in ((turn, 0.2), (turn + 1.9, 0.5), (turn + 0.6, 0.7)):
        stroke = _hatching(height, width, angle=angle, unit=unit, generator=generator)
        tone = np.clip((dark - start) / (1 - start), 0, 1)
        shade += (1 - shade) * np.clip((tone * 1.9 - stroke) * 1.6, 0, 1) * (0.25 + 0.6 * tone)
    shade *= (0.95, 0.75, 0.5, 0.25, 0.0)[level]
    tooth = 1 - 0.13 * np.clip(grain(height, width, generator=generator, size_px=unit), -1, 1.5)
    graphite = np.clip(np.maximum(drawn * 0.95, shade) * tooth, 0, 1)
    sheet = _drawing_paper(height, width, generator)
    return toward(sheet, cv2.convertScaleAbs(graphite, alpha=255), (46, 46, 52))


def _hatching(height: int, width: int, *, angle: float, unit: float, generator: np.random.Generator) -> np.ndarray:
    """Draw parallel pencil strokes as a field in [0, 1], low on a stroke's crest."""
    noise = grain(height, width, generator=generator, size_px=1.5 * unit)
    bend = angle + 0.25 * (plasma(height, width, generator=generator, cells=2, octaves=2) - 0.5)
    strokes = along(noise, np.cos(bend), np.sin(bend), length_px=24 * unit, taps=17)
    return np.clip(0.5 + 0.28 * strokes / max(float(strokes.std()), 1e-6), 0, 1)


def paper(height: int, width: int, *, generator: np.random.Generator) -> np.ndarray:
    """Make a sheet to draw on: one of the kinds in PAPERS, as the generator falls, unevenly lit.

    Args:
        height: px, at least 32.
        width: px, at least 32.
        generator: source of all randomness.

    Returns:
        uint8 HW3 RGB, light enough that dark lines read on it.

    Raises:
        ArgumentError: a side under 32 px.
    """
    if min(height, width) < SMALLEST_SIDE_PX:
        raise ArgumentError(f"both sides must be at least {SMALLEST_SIDE_PX} px (height first); got {height, width}")
    kind = tuple(PAPERS.values())[generator.integers(len(PAPERS))]
    sheet = kind(height, width, generator)
    lamp = plasma(height, width, generator=generator, cells=1, octaves=2)
    return shaded(sheet, 0.86 + 0.14 * lamp)


def _drawing_paper(height: int, width: int, generator: np.random.Generator) -> np.ndarray:
    tint = np.float32([246, 243, 236]) - generator.uniform(0, 10) * np.float32([0.3, 0.6, 1.6])
    tooth = grain(height, width, generator=generator, size_px=max(1, min(height, width) / 300))
    return shaded(np.full((height, width, 3), np.uint8(tint), np.uint8), 1 + 0.013 * tooth)


def _kraft_paper(height: int, width: int, generator: np.random.Generator) -> np.ndarray:
    tint = np.float32([205, 172, 131]) + generator.normal(0, 8)
    fibre = grain(height, width, generator=generator, size_px=max(1, min(height, width) / 320))
    fibre = along(fibre, *_direction(height, width, generator), length_px=6, taps=5)
    blotch = plasma(height, width, generator=generator, cells=6, octaves=4, decay=0.8)
    return shaded(np.full((height, width, 3), np.uint8(tint), np.uint8), 0.96 + 0.07 * fibre + 0.08 * blotch)


def _direction(height: int, width: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    turn = 2 * math.pi * plasma(height, width, generator=generator, cells=12, octaves=2)
    return np.cos(turn), np.sin(turn)


def _notebook(height: int, width: int, generator: np.random.Generator) -> np.ndarray:
    sheet = _drawing_paper(height, width, generator)
    step = min(height, width) / generator.uniform(12, 20)
    thick = max(1, round(min(height, width) / 400))
    tilt = round(width * generator.normal(0, 0.008))
    ink = cv2.addWeighted(sheet, 0.55, np.full_like(sheet, (130, 165, 215)), 0.45, 0)
    for row in np.arange(step * generator.uniform(0.6, 2.5), height + step, step):
        ends = np.int32([[0, row * 16], [width * 16, (row + tilt) * 16]])
        cv2.polylines(sheet, [ends], False, tuple(int(v) for v in ink[0, 0]), thick, cv2.LINE_AA, 4)
    margin = round(width * generator.uniform(0.06, 0.14))
    cv2.line(sheet, (margin, 0), (margin - tilt, height), (228, 150, 152), thick, cv2.LINE_AA)
    return sheet


def _squared(height: int, width: int, generator: np.random.Generator) -> np.ndarray:
    sheet = _drawing_paper(height, width, generator)
    step = min(height, width) / generator.uniform(14, 24)
    thick = max(1, round(min(height, width) / 480))
    start_y, start_x = generator.uniform(0, step, 2)
    for row in np.arange(start_y, height, step):
        cv2.line(sheet, (0, round(row)), (width, round(row)), (190, 208, 226), thick)
    for column in np.arange(start_x, width, step):
        cv2.line(sheet, (round(column), 0), (round(column), height), (190, 208, 226), thick)
    return sheet


def _whiteboard(height: int, width: int, generator: np.random.Generator) -> np.ndarray:
    sheet = np.full((height, width, 3), (240, 244, 246), np.uint8)
    angle = generator.uniform(-0.5, 0.5)
    wiped = along(
        plasma(height, width, generator=generator, cells=10, octaves=3, decay=0.8),
        np.full((height, width), math.cos(angle), np.float32), np.full((height, width), math.sin(angle), np.float32),
        length_px=min(height, width) / 4, taps=15,
    )  # fmt: skip
    ghost = tuple(float(v) for v in generator.choice([(120, 140, 200), (190, 120, 120), (120, 125, 130)]))
    smear = np.clip((wiped - wiped.mean()) * 2.2, 0, 1) * plasma(height, width, generator=generator)
    sheet = toward(sheet, cv2.convertScaleAbs(smear, alpha=70), ghost)
    gleam = np.clip(plasma(height, width, generator=generator, cells=1, octaves=1) - 0.6, 0, 1)
    return toward(sheet, cv2.convertScaleAbs(gleam, alpha=380), (255, 255, 255))


PAPERS = {
    "drawing": _drawing_paper,
    "notebook": _notebook,
    "squared": _squared,
    "whiteboard": _whiteboard,
    "kraft": _kraft_paper,
}
