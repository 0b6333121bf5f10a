"""Ice grown on a window pane: fern crystals as line work, kept in a small bank of tiles for `weather.frost`."""

import math
from functools import lru_cache

import cv2
import numpy as np

from gauntlet.shifts.fields import along, plasma

TILE_PX = 640
TILES = 3
FERNS = 60


@lru_cache(maxsize=1)
def frost_bank() -> tuple[np.ndarray, ...]:
    """Grow the tiles of ice that `weather.frost` cuts its windows from; grown once a process, the same every time.

    Returns:
        TILES arrays, uint8 TILE_PX x TILE_PX, 0 for bare glass and 255 for white ice.
    """
    return tuple(grow_frost(generator=np.random.default_rng([1_885, index])) for index in range(TILES))


def grow_frost(*, generator: np.random.Generator) -> np.ndarray:
    """Grow one tile: ferns from random seeds, each stopping where it meets an older one.

    Args:
        generator: source of all randomness.

    Returns:
        uint8 TILE_PX x TILE_PX.
    """
    ice = np.zeros((TILE_PX, TILE_PX), np.uint8)
    taken = np.zeros((TILE_PX, TILE_PX), np.uint8)
    for index in range(FERNS):
        room = np.minimum(cv2.distanceTransform(cv2.bitwise_not(taken), cv2.DIST_L2, 3), TILE_PX)
        start, heading = _seed(generator, room, from_rim=index < 16)
        length = TILE_PX * generator.uniform(0.3, 0.75) * max(0.3, 1 - index / 50)
        spine = _spine(start, heading, generator.normal(0, 2.2) / TILE_PX, length=length, room=room)
        if len(spine) >= 9:
            _draw_fern(ice, taken, spine, room=room, generator=generator)
    body = cv2.GaussianBlur(ice, (0, 0), 6).astype(np.float32)
    return cv2.convertScaleAbs(0.9 * ice + 0.55 * body + _needles(generator) * (1 - 0.5 * body / 255))


def _needles(generator: np.random.Generator) -> np.ndarray:
    """Fill the pane with the fine ice between ferns: short needles that swirl, thick and thin in places."""
    swirl = 4 * math.pi * plasma(TILE_PX, TILE_PX, generator=generator, cells=4, octaves=3)
    cos, sin = np.cos(swirl), np.sin(swirl)
    needles = along(generator.standard_normal((TILE_PX, TILE_PX), np.float32), cos, sin, length_px=22, taps=15)
    needles = np.clip(0.55 + needles / (2.2 * needles.std()), 0, 1.4)
    return needles * (40 + 120 * plasma(TILE_PX, TILE_PX, generator=generator, cells=4, octaves=4) ** 1.5)


def _seed(generator: np.random.Generator, room: np.ndarray, *, from_rim: bool) -> tuple[np.ndarray, float]:
    """Choose where a fern starts and which way it heads: inward from the rim, or at the roomiest of a few places."""
    if from_rim:
        side, along = generator.integers(4), generator.uniform(0, TILE_PX)
        place = ((along, 0), (along, TILE_PX - 1), (0, along), (TILE_PX - 1, along))[side]
        inward = (math.pi / 2, -math.pi / 2, 0, math.pi)[side]
        return np.array(place), inward + generator.normal(0, 0.5)
    places = generator.uniform(0, TILE_PX - 1, (12, 2))
    return places[np.argmax(_sample(room, places))], generator.uniform(-math.pi, math.pi)


def _sample(field: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Read a field (HW) at places (N x 2, x then y), clipped to the tile."""
    at = np.clip(places.astype(np.intp), 0, TILE_PX - 1)
    return field[at[:, 1], at[:, 0]]


def _spine(start: np.ndarray, heading: float, bend: float, *, length: float, room: np.ndarray) -> np.ndarray:
    """Trace a slightly bent line until it leaves the tile or meets older ice; N x 2 in px, 4 px apart."""
    at = np.arange(0, length, 4.0)
    angle = heading + bend * at
    path = start + np.cumsum(np.stack([np.cos(angle), np.sin(angle)], 1), 0) * 4
    blocked = (path < 0).any(1) | (path >= TILE_PX).any(1) | (_sample(room, path) < 2)
    return path[: np.argmax(blocked)] if blocked.any() else path


def _draw_fern(
    ice: np.ndarray, taken: np.ndarray, spine: np.ndarray, *, room: np.ndarray, generator: np.random.Generator
) -> None:
    """Draw the spine, side branches at about 60 degrees and their barbs; ice and taken change in place."""
    forward = np.gradient(spine, axis=0)
    heading = np.arctan2(forward[:, 1], forward[:, 0])[::3]
    stem, spine = spine, spine[::3]
    left = 1 - np.arange(len(spine)) / len(spine)
    reach = len(stem) * 4 * generator.uniform(0.3, 0.5) * np.sqrt(left) * generator.uniform(0.5, 1.1, len(spine))
    reach = np.minimum(reach, 1.6 * _sample(room, spine) + 8)
    fork = generator.uniform(0.75, 1.1)
    branches, barbs = [], []
    for sign in (-1, 1):
        angle = heading + sign * (fork + generator.normal(0, 0.07, len(spine)))
        step = np.stack([np.cos(angle), np.sin(angle)], 1)
        branches.append(np.stack([spine, spine + step * reach[:, None]], 1))
        for share in np.linspace(0.1, 0.9, 14):
            root = spine + step * (share * reach)[:, None]
            for turn in (-fork, fork):
                tip = np.stack([np.cos(angle + turn), np.sin(angle + turn)], 1)
                size = reach * (1 - share) * generator.uniform(0.25, 0.6, len(spine))
                barbs.append(np.stack([root, root + tip * size[:, None]], 1))
    for lines, level in ((np.concatenate(barbs), 95), (np.concatenate(branches), 170)):
        layer = np.zeros_like(ice)
        cv2.polylines(layer, list(np.int32(lines * 16)), False, level, 1, cv2.LINE_AA, 4)
        np.maximum(ice, layer, out=ice)
    cv2.polylines(ice, [np.int32(stem * 16)], False, 215, 1, cv2.LINE_AA, 4)
    cv2.polylines(taken, [np.int32(stem)], False, 255, 9)
