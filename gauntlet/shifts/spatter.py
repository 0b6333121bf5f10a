"""Spatter on the lens: water drops that show the scene upside down, or mud."""

import math

import cv2
import numpy as np

from gauntlet.shifts.arguments import check_image, check_severity
from gauntlet.shifts.fields import in_strips, lit, mixed, plasma, shaded


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


def _blobs(
    shape: tuple[int, int], count: int, largest: float, *, tail: float, generator: np.random.Generator
) -> np.ndarray:
    """Draw many drops, most of them small: uint8 HW, 255 inside."""
    height, width = shape
    side = min(height, width)
    field = np.zeros((height, width), np.uint8)
    radii = np.maximum(largest * side * generator.pareto(2.2, count).clip(0, 3) / 3, 0.006 * side)
    places = np.int32(generator.uniform((0, 0), (16 * width, 16 * height), (count, 2))).tolist()
    axes = np.int32(16 * radii[:, None] * (1 + tail, 1)).tolist()
    turns = generator.uniform(0, 180, count).tolist()
    for place, axis, turn in zip(places, axes, turns, strict=True):
        cv2.ellipse(field, place, axis, turn, 0, 360, 255, -1, cv2.LINE_AA, 4)
    return field


def _shrunk(x: np.ndarray) -> tuple[int, int]:
    """Choose the size that soft fields are made at: half that of a large picture."""
    shrink = 2 if min(x.shape[:2]) >= 400 else 1
    return math.ceil(x.shape[0] / shrink), math.ceil(x.shape[1] / shrink)


def _grown(field: np.ndarray, x: np.ndarray) -> np.ndarray:
    return field if field.shape == x.shape[:2] else cv2.resize(field, x.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _water(x: np.ndarray, level: int, generator: np.random.Generator) -> np.ndarray:
    height, width = shape = _shrunk(x)
    side = min(shape)
    count = round((45, 80, 125, 180, 250)[level] * math.sqrt(height * width) / side)
    drops = _blobs(shape, count, (0.05, 0.06, 0.065, 0.07, 0.075)[level], tail=0.12, generator=generator)
    soft = max(0.8, side / 160)
    dome = np.float32(cv2.GaussianBlur(drops, (0, 0), soft)) / 255
    dome += 0.3 * (plasma(height, width, generator=generator, cells=10, octaves=2) - 0.5)
    relief = cv2.GaussianBlur(np.clip((dome - 0.5) * 7, 0, 1), (0, 0), soft * 0.8)
    light = lit(relief, azimuth=-2.0 + generator.normal(0, 0.3), strength=4.5 * soft)
    coarse = cv2.resize(x, (max(8, x.shape[1] // 6), max(8, x.shape[0] // 6)), interpolation=cv2.INTER_AREA)
    lens = cv2.resize(coarse[::-1, ::-1], x.shape[1::-1], interpolation=cv2.INTER_LINEAR)

    def wet(x: np.ndarray, *fields: np.ndarray) -> np.ndarray:
        lens, dome, light = fields
        bent = cv2.addWeighted(lens, 0.55, x, 0.45, 8)
        return mixed(x, shaded(bent, 0.35 + 0.68 * light), np.clip((dome - 0.5) * 7, 0, 1) * 0.95)

    return in_strips(wet, x, lens, _grown(dome, x), _grown(light, x))


def _mud(x: np.ndarray, level: int, generator: np.random.Generator) -> np.ndarray:
    height, width = shape = _shrunk(x)
    side = min(shape)
    count = round((120, 190, 270, 360, 460)[level] * math.sqrt(height * width) / side)
    splats = _blobs(shape, count, (0.03, 0.034, 0.038, 0.042, 0.046)[level], tail=0.6, generator=generator)
    dome = np.float32(cv2.GaussianBlur(splats, (0, 0), max(0.8, side / 200))) / 255
    rough = plasma(height, width, generator=generator, cells=14, octaves=3, decay=0.7)
    dome += 0.7 * (rough - 0.5)
    earth = np.float32([96, 70, 44]) * generator.uniform(0.65, 1.1) + np.float32([8, 0, -6]) * generator.uniform(-1, 1)
    light = lit(np.clip((dome - 0.45) * 6, 0, 1) + rough, azimuth=-2.2, strength=1.2 * side / 160)
    light *= 0.75 + 0.4 * rough

    def muddy(x: np.ndarray, dome: np.ndarray, light: np.ndarray) -> np.ndarray:
        soil = cv2.merge([cv2.convertScaleAbs(light, alpha=float(part)) for part in earth])
        return mixed(x, soil, np.clip((dome - 0.45) * 6, 0, 1) * 0.96)

    return in_strips(muddy, x, _grown(dome, x), _grown(light, x))
