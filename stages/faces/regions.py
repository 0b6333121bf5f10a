"""The parts of a picture that are protected: squares around faces, placed so that they are found again."""

from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np
from PIL import Image

from gauntlet.errors import UnavailableError

SEARCHED_PX = 256
"""Longest side at which faces are looked for."""
GROWN = 1.6
"""Side of a region over that of the face: hair and beard belong to it."""
GRID = 1 / 16
"""Step of a region's middle and half its side, as a share of the longest side: few places have to be tried again."""
MOST = 4
COVERING = 0.5
"""Share of the picture from which on a region is the whole picture."""


class Box(NamedTuple):
    """A rectangle of a picture, px."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index H x W."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


def whole(rgb: np.ndarray) -> Box:
    """Return the whole of a picture (H x W x 3)."""
    return Box(0, 0, rgb.shape[1], rgb.shape[0])


def face_regions(rgb: np.ndarray) -> list[Box]:
    """Find faces and return the regions to protect, the largest first; none overlap.

    Args:
        rgb: uint8, H x W x 3, upright.

    Returns:
        At most four; the whole picture where a face fills most of it; none where no face is found.

    Raises:
        UnavailableError: scikit-image, which brings the detector, is not installed.
    """
    regions: list[Box] = []
    for box in sorted((_region(face, rgb.shape) for face in _snapped(rgb)), key=_area, reverse=True):
        if _area(box) >= COVERING * rgb.shape[0] * rgb.shape[1]:
            return [whole(rgb)]
        if not any(_overlap(box, other) for other in regions):
            regions.append(box)
    return regions[:MOST]


def nearby_regions(rgb: np.ndarray) -> list[Box]:
    """Return where a region may be if each face is found a little aside, or larger or smaller, the likeliest first.

    Args:
        rgb: As for `face_regions`, which may have been asked about the picture before its protection.

    Raises:
        UnavailableError: As for `face_regions`.
    """
    faces = _snapped(rgb)[:MOST]
    steps = sorted(product((0, -1, 1), repeat=3), key=lambda step: sum(map(abs, step)))
    moved = [
        Snapped(face.x + right, face.y + down, max(1, face.half + wider))
        for right, down, wider in steps
        for face in faces
    ]
    return list(dict.fromkeys(_region(face, rgb.shape) for face in moved))


class Snapped(NamedTuple):
    """Middle and half the side of a region, in steps of the grid."""

    x: int
    y: int
    half: int


def _snapped(rgb: np.ndarray) -> list[Snapped]:
    """Return the regions of all faces, the largest first."""
    found = [
        Snapped(round(x / GRID), round(y / GRID), max(1, round(GROWN * side / (2 * GRID))))
        for x, y, side in _faces(rgb)
    ]
    return sorted(set(found), key=lambda face: (-face.half, face))


def _faces(rgb: np.ndarray) -> list[tuple[float, float, float]]:
    """Return middle (x, y) and side of each face, as shares of the longest side."""
    scale = SEARCHED_PX / max(rgb.shape[:2])
    size = tuple(max(24, round(side * scale)) for side in (rgb.shape[1], rgb.shape[0]))
    small = np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC))
    least, most = (max(24, min(size) // 8),) * 2, (min(size),) * 2
    found = _detector().detect_multi_scale(
        small, scale_factor=1.1, step_ratio=1, min_size=least, max_size=most, min_neighbor_number=3
    )
    middles = [(face["c"] + face["width"] / 2, face["r"] + face["height"] / 2, face["width"]) for face in found]
    return [tuple(value / SEARCHED_PX for value in middle) for middle in middles]


@cache
def _detector():
    try:
        from skimage.data import lbp_frontal_face_cascade_filename
        from skimage.feature import Cascade
    except ImportError:
        raise UnavailableError(
            "faces are found by scikit-image; it is not installed; install it, or take --whole"
        ) from None
    return Cascade(lbp_frontal_face_cascade_filename())


def _region(face: Snapped, shape: tuple[int, ...]) -> Box:
    x, y, half = (value * GRID * max(shape[:2]) for value in face)
    left, top = max(0, round(x - half)), max(0, round(y - half))
    return Box(left, top, min(shape[1], round(x + half)), min(shape[0], round(y + half)))


def _area(box: Box) -> int:
    return (box.right - box.left) * (box.bottom - box.top)


def _overlap(a: Box, b: Box) -> bool:
    return a.left < b.right and b.left < a.right and a.top < b.bottom and b.top < a.bottom
