"""Tables that handmade things lie on: wood, cutting mat, felt, linen, coloured card."""

import math

import cv2
import numpy as np

from gauntlet.shifts.fields import along, grain, lit, plasma, shaded

CARD = np.float32(
    [(244, 214, 120), (150, 196, 220), (236, 170, 160), (170, 206, 160), (232, 226, 214), (196, 178, 214)]
)
FELT = np.float32([(96, 130, 92), (170, 60, 62), (60, 84, 130), (214, 200, 170), (120, 110, 112), (224, 150, 60)])


def table(height: int, width: int, *, generator: np.random.Generator) -> np.ndarray:
    """Make one of TABLES as the generator falls, under a lamp.

    Args:
        height: px.
        width: px.
        generator: source of all randomness.

    Returns:
        uint8 HW3 RGB.
    """
    kind = tuple(TABLES.values())[generator.integers(len(TABLES))]
    lamp = plasma(height, width, generator=generator, cells=1, octaves=2)
    return shaded(kind(height, width, generator), 0.82 + 0.22 * lamp)


def _plain(height: int, width: int, colour: np.ndarray) -> np.ndarray:
    return np.full((height, width, 3), np.uint8(np.clip(colour, 0, 255)), np.uint8)


def _unit(height: int, width: int) -> float:
    return max(1.0, min(height, width) / 240)


def fibres(height: int, width: int, *, generator: np.random.Generator) -> np.ndarray:
    """Mat short bent fibres, the surface of felt; float32 HW, mean 0, standard deviation 1."""
    unit = _unit(height, width)
    turn = 3 * math.pi * plasma(height, width, generator=generator, cells=20, octaves=2)
    tangle = along(grain(height, width, generator=generator), np.cos(turn), np.sin(turn), length_px=7 * unit, taps=8)
    return (tangle - tangle.mean()) / max(float(tangle.std()), 1e-6)


def _wood(height: int, width: int, generator: np.random.Generator) -> np.ndarray:
    unit = _unit(height, width)
    vein = grain(height, width, generator=generator, size_px=unit)
    for _ in "ab":
        vein = cv2.blur(vein, (round(45 * unit), 1))
    vein /= max(float(vein.std()), 1e-6)
    ring = plasma(height, max(32, width // 5), generator=generator, cells=3, octaves=3)
    ring = np.sin(24 * cv2.resize(ring, (width, height), interpolation=cv2.INTER_CUBIC))
    sheet = shaded(
        _plain(height, width, np.float32([196, 152, 104]) * generator.uniform(0.6, 1.15)),
        1 + 0.05 * vein + 0.045 * ring,
    )
    board = height / generator.integers(3, 6)
    for row in np.arange(board, height, board):
        cv2.line(sheet, (0, round(row)), (width, round(row)), (62, 42, 28), max(1, round(unit)), cv2.LINE_AA)
    return sheet


def _mat(height: int, width: int, generator: np.random.Generator) -> np.ndarray:
    unit = _unit(height, width)
    colour = np.float32(((38, 104, 84), (40, 72, 110), (70, 74, 80))[generator.integers(3)])
    sheet = shaded(_plain(height, width, colour), 1 + 0.03 * grain(height, width, generator=generator))
    line = tuple((colour * 0.55 + 110).tolist())
    step = min(height, width) / generator.uniform(7, 12)
    for index, place in enumerate(np.arange(step / 2, max(height, width), step)):
        thick = max(1, round(unit * (1.0 if index % 5 == 0 else 0.5)))
        cv2.line(sheet, (0, round(place)), (width, round(place)), line, thick)
        cv2.line(sheet, (round(place), 0), (round(place), height), line, thick)
    return sheet


def _felt(height: int, width: int, generator: np.random.Generator) -> np.ndarray:
    tangle = fibres(height, width, generator=generator)
    return shaded(_plain(height, width, FELT[generator.integers(len(FELT))]), 1 + 0.085 * tangle)


def _linen(height: int, width: int, generator: np.random.Generator) -> np.ndarray:
    unit = _unit(height, width)
    ones, zeros = np.ones((height, width), np.float32), np.zeros((height, width), np.float32)
    warp, weft = (
        along(grain(height, width, generator=generator, size_px=1.2 * unit), *way, length_px=14 * unit, taps=9)
        for way in ((ones, zeros), (zeros, ones))
    )
    cloth = (warp + weft) / max(float((warp + weft).std()), 1e-6)
    return shaded(_plain(height, width, np.float32([222, 210, 188]) * generator.uniform(0.75, 1.05)), 1 + 0.05 * cloth)


def _card(height: int, width: int, generator: np.random.Generator) -> np.ndarray:
    tooth = cv2.GaussianBlur(grain(height, width, generator=generator), (0, 0), 0.8)
    return shaded(_plain(height, width, CARD[generator.integers(len(CARD))]), lit(tooth, azimuth=-2.3, strength=0.12))


TABLES = {"wood": _wood, "mat": _mat, "felt": _felt, "linen": _linen, "card": _card}
