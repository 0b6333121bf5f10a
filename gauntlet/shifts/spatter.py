"""Spatter on the lens: water drops that show the scene upside down, or mud."""

import math

import cv2
import numpy as np

from gauntlet.shifts.arguments import check_image, check_severity
from gauntlet.shifts.fields import lit, mixed, plasma, shaded


def spatter(x: np.ndarray, *, severity: int, generator: np.random.Generator) -> np.ndarray:
    """Splash the lens, with water or with mud as the generator falls.

    Args:
        x: uint8 HW3 RGB.
        severity: 1 (a few drops) to 5 (a third of the picture).
        generator: source of all randomness.

    Returns:
        uint8 HW3.

    Raises:
        ArgumentError: a wrong image or severity.
    """
    check_image(x)
    level = check_severity(severity)
    return (_water if generator.random() < 0.5 else _mud)(x, level, generator)


def _blobs(x: np.ndarray, count: int, largest: float, *, tail: float, generator: np.random.Generator) -> np.ndarray:
    """Draw the outline field of many drops, most of them small: uint8 HW, 0 outside."""
    height, width = x.shape[:2]
    side = min(height, width)
    field = np.zeros((height, width), np.uint8)
    radii = np.maximum(largest * side * generator.pareto(2.2, count).clip(0, 3) / 3, 0.006 * side)
    places = generator.uniform((0, 0), (width, height), (count, 2))
    turns = generator.uniform(0, math.pi, count)
    for (right, down), radius, turn in zip(places, radii, turns, strict=True):
        axes = (round(16 * radius * (1 + tail)), round(16 * radius))
        cv2.ellipse(
            field, (round(16 * right), round(16 * down)), axes, math.degrees(turn), 0, 360, 255, -1, cv2.LINE_AA, 4
        )
    return field


def _water(x: np.ndarray, level: int, generator: np.random.Generator) -> np.ndarray:
    height, width = x.shape[:2]
    side = min(height, width)
    count = round((45, 80, 125, 180, 250)[level] * math.sqrt(height * width) / side)
    drops = _blobs(x, count, (0.05, 0.06, 0.065, 0.07, 0.075)[level], tail=0.12, generator=generator)
    soft = max(0.8, side / 160)
    dome = cv2.GaussianBlur(drops, (0, 0), soft)
    wobble = plasma(height, width, generator=generator, cells=10, octaves=2)
    dome = np.float32(dome) / 255 + 0.3 * (wobble - 0.5)
    edge = np.clip((dome - 0.5) * 7, 0, 1)
    coarse = cv2.resize(x, (max(8, width // 6), max(8, height // 6)), interpolation=cv2.INTER_AREA)
    lens = cv2.resize(coarse[::-1, ::-1], (width, height), interpolation=cv2.INTER_LINEAR)
    lens = cv2.addWeighted(lens, 0.55, x, 0.45, 8)
    relief = cv2.GaussianBlur(edge, (0, 0), soft * 0.8)
    light = lit(relief, azimuth=-2.0 + generator.normal(0, 0.3), strength=4.5 * soft)
    return mixed(x, shaded(lens, 0.35 + 0.68 * light), edge * 0.95)


def _mud(x: np.ndarray, level: int, generator: np.random.Generator) -> np.ndarray:
    height, width = x.shape[:2]
    side = min(height, width)
    count = round((120, 190, 270, 360, 460)[level] * math.sqrt(height * width) / side)
    splats = _blobs(x, count, (0.03, 0.034, 0.038, 0.042, 0.046)[level], tail=0.6, generator=generator)
    dome = np.float32(cv2.GaussianBlur(splats, (0, 0), max(0.8, side / 200))) / 255
    rough = plasma(height, width, generator=generator, cells=14, octaves=3, decay=0.7)
    edge = np.clip((dome + 0.7 * (rough - 0.5) - 0.45) * 6, 0, 1)
    earth = np.float32([96, 70, 44]) * generator.uniform(0.65, 1.1) + np.float32([8, 0, -6]) * generator.uniform(-1, 1)
    light = lit(edge + rough, azimuth=-2.2, strength=1.2 * side / 160)
    soil = cv2.convertScaleAbs((light * (0.75 + 0.4 * rough))[..., None] * earth)
    return mixed(x, soil, edge * 0.96)
