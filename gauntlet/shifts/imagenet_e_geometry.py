"""ImageNet-E, second step: make the object larger or smaller, move it, turn it; picture and mask together."""

import math
from typing import NamedTuple

import cv2
import numpy as np

from gauntlet.errors import ArgumentError, DataError

RATE_TOLERANCE = 0.015
SEARCH_ROUNDS = 50
SMALLEST_RATE = 0.05
LARGEST_ANGLE_DEG = 45.0


class Placed(NamedTuple):
    """An object in its frame, ready to be laid over a background.

    Attributes:
        image: The object's colours, uint8 HWC; meaningless where `coverage` is 0.
        mask: The object, bool HW.
        coverage: Opacity, float32 HW: 1 in the mask, falling to 0 within two pixels around it, so that no rim shows.
        scale: How much larger than in the picture it is.
        angle_deg: How far it was turned, counter-clockwise.
    """

    image: np.ndarray
    mask: np.ndarray
    coverage: np.ndarray
    scale: float = 1.0
    angle_deg: float = 0.0

    @property
    def rate(self) -> float:
        """Return the object's share of all pixels."""
        return float(self.mask.mean())

    @property
    def box_xyxy(self) -> tuple[int, int, int, int]:
        """Return the smallest box around the mask, right and bottom exclusive."""
        return mask_box(self.mask)


def check_picture(x: np.ndarray, mask: np.ndarray, *, key: str = "the picture") -> None:
    """Raise DataError unless `x` is uint8 HW3 and `mask` a non-empty bool HW of the same size; name `key`."""
    if x.ndim != 3 or x.shape[2] != 3 or x.dtype != np.uint8:
        raise DataError(f"{key}: must be uint8 HW3 (RGB); got {x.dtype} {x.shape}; convert grey or CMYK first")
    if mask.dtype != bool or mask.shape != x.shape[:2]:
        raise DataError(
            f"{key}: the mask must be bool {x.shape[:2]}; got {mask.dtype} {mask.shape}; the mask of another picture?"
        )
    if not mask.any():
        raise DataError(f"{key}: the mask must mark an object; got an empty mask; a wrong threshold?")


def mask_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Return the smallest box (x, y, x, y) around a mask, right and bottom exclusive."""
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def largest_component(mask: np.ndarray) -> np.ndarray:
    """Return the largest connected part of a mask, bool HW."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    return labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())


def keep_place(x: np.ndarray, mask: np.ndarray) -> Placed:
    """Leave the object where and as it is."""
    away_px = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3)
    return Placed(x, mask, np.clip(1 - away_px / 2, 0, 1).astype(np.float32))


def full_size(x: np.ndarray, mask: np.ndarray) -> Placed:
    """Make the object as large as the frame allows, its shape kept, in the middle.

    Source: ImageNet-E, setting "Full".
    """
    left, top, right, bottom = mask_box(mask)
    height, width = mask.shape
    scale = min(height / (bottom - top), width / (right - left))
    return _lay(*_scaled(x, mask, scale), centre=(width / 2, height / 2), shape=mask.shape, scale=scale)


def resize_to_rate(x: np.ndarray, mask: np.ndarray, *, rate: float) -> Placed | None:
    """Scale the object until it takes the given share of the frame.

    Args:
        x: Picture, uint8 HWC.
        mask: Object, bool HW.
        rate: Wanted share of the pixels, in (0, 1); 0.1, 0.08 and 0.05 in the paper.

    Returns:
        The object around the centre of its largest part, moved inside where the frame has room; None where the
        share is not met in 50 rounds (an object cut by the frame): such a picture is unusable.

    Raises:
        ArgumentError: `rate` is not a share.

    Source: ImageNet-E, code: s = sqrt(target / rate) until floor(100 rate) = 100 target or the difference is at most
    0.015. Ours: each round scales the original, not the last result, and all of the mask counts, not one part.
    """
    if not 0 < rate < 1:
        raise ArgumentError(f"rate must lie in (0, 1) (0.05, not 5); got {rate:g}")
    left, top, right, bottom = mask_box(largest_component(mask))
    middle = ((left + right) / 2, (top + bottom) / 2)
    placed = keep_place(x, mask)
    for _ in range(SEARCH_ROUNDS):
        if math.floor(100 * placed.rate) == round(100 * rate) or abs(placed.rate - rate) <= RATE_TOLERANCE:
            return placed
        scale = placed.scale * math.sqrt(rate / max(placed.rate, 1e-4))
        if scale * max(right - left, bottom - top) > 4 * max(mask.shape):
            return None
        placed = _lay(*_scaled(x, mask, scale), centre=_stay(mask, middle, scale), shape=mask.shape, scale=scale)
    return None


def random_position(x: np.ndarray, mask: np.ndarray, *, generator: np.random.Generator) -> Placed | None:
    """Move the small object (rate 0.05) to a place drawn evenly from all where its box fits; its mask keeps its area.

    Source: ImageNet-E, setting "rp", made on the 0.05 pictures as in the code's path; the authors' positions come
    from an unseeded generator.
    """
    small = resize_to_rate(x, mask, rate=SMALLEST_RATE)
    if small is None:
        return None
    left, top, right, bottom = small.box_xyxy
    height, width = mask.shape
    down = int(generator.integers(height - (bottom - top) + 1)) - top
    along = int(generator.integers(width - (right - left) + 1)) - left
    return small._replace(**{name: _shift(getattr(small, name), down, along) for name in ("image", "mask", "coverage")})


def random_direction(x: np.ndarray, mask: np.ndarray, *, generator: np.random.Generator) -> Placed | None:
    """Turn the object by an angle drawn evenly from [-45, 45) degrees.

    Source: ImageNet-E, setting "rd". On the picture's own size: in half of the published rows the drop is smaller than
    that of the 0.05 size, which turning that size could hardly cause.
    """
    return rotate(x, mask, angle_deg=generator.uniform(-LARGEST_ANGLE_DEG, LARGEST_ANGLE_DEG))


def rotate(x: np.ndarray, mask: np.ndarray, *, angle_deg: float) -> Placed | None:
    """Turn the object counter-clockwise about the middle of its box; None if nothing of it is left.

    Moved back inside where the frame has room for its new box, cut by the frame where not; 0 is the identity.
    """
    colour, coverage = _cut(x, mask)
    height, width = coverage.shape
    side = 2 * math.ceil(math.hypot(height, width) / 2) + 2
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle_deg, 1.0)
    wide, high = side + width % 2, side + height % 2
    matrix[:, 2] += (wide - width) / 2, (high - height) / 2
    colour, coverage = (cv2.warpAffine(part, matrix, (wide, high)) for part in (colour, coverage))
    left, top, right, bottom = mask_box(mask)
    placed = _lay(colour, coverage, centre=((left + right) / 2, (top + bottom) / 2), shape=mask.shape, scale=1.0)
    return placed._replace(angle_deg=angle_deg) if placed.mask.any() else None


def _cut(x: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the object's box with three pixels around it: colours (HWC), carried on outwards, and coverage (HW)."""
    left, top, right, bottom = mask_box(mask)
    coverage = np.pad(mask[top:bottom, left:right].astype(np.float32), 3)
    inside = coverage[..., None] > 0
    colour = np.pad(x[top:bottom, left:right].astype(np.float32), ((3, 3), (3, 3), (0, 0))) * inside
    around = cv2.blur(colour, (7, 7)) / np.maximum(cv2.blur(coverage, (7, 7)), 1e-3)[..., None]
    return np.where(inside, colour, around), coverage


def _scaled(x: np.ndarray, mask: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    colour, coverage = _cut(x, mask)
    size = tuple(max(1, round(side * scale)) for side in coverage.shape[::-1])
    if scale > 1:  # the steps of a hard edge would grow too
        coverage = cv2.GaussianBlur(coverage, (0, 0), 0.6)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(colour, size, interpolation=method), cv2.resize(coverage, size, interpolation=method)


def _stay(mask: np.ndarray, fixed: tuple[float, float], scale: float) -> tuple[float, float]:
    """Return the centre of a mask's box after scaling about a fixed point."""
    left, top, right, bottom = mask_box(mask)
    middle = ((left + right) / 2, (top + bottom) / 2)
    return tuple(point + scale * (own - point) for point, own in zip(fixed, middle, strict=True))


def _lay(
    colour: np.ndarray, coverage: np.ndarray, *, centre: tuple[float, float], shape: tuple[int, int], scale: float
) -> Placed:
    """Put a cut-out into an empty frame around `centre` (x, y), moved inside where it fits, else cut by the frame."""
    solid = coverage >= 0.5
    image, mask = np.zeros((*shape, 3), np.uint8), np.zeros(shape, bool)
    opacity = np.zeros(shape, np.float32)
    if not solid.any():
        return Placed(image, mask, opacity, scale)
    box = mask_box(solid)
    starts = []
    for axis, low, high in ((0, box[1], box[3]), (1, box[0], box[2])):
        room = shape[axis] - (high - low)
        start = math.floor(centre[1 - axis] - (high - low) / 2 + 0.5)
        starts.append((min(max(start, 0), room) if room >= 0 else room // 2) - low)
    inside, patch = zip(
        *(_overlap(s, c, n) for s, c, n in zip(starts, coverage.shape, shape, strict=True)), strict=True
    )
    image[inside], mask[inside] = colour.round().clip(0, 255).astype(np.uint8)[patch], solid[patch]
    opacity[inside] = np.where(solid, 1, coverage.clip(0, 1))[patch]
    return Placed(image, mask, opacity, scale)


def _overlap(start: int, length: int, frame: int) -> tuple[slice, slice]:
    """Return where a strip lies in its frame, and which part of the strip that is."""
    low, high = max(start, 0), min(start + length, frame)
    return slice(low, max(low, high)), slice(low - start, max(low, high) - start)


def _shift(values: np.ndarray, down: int, along: int) -> np.ndarray:
    moved = np.zeros_like(values)
    (rows, from_rows), (columns, from_columns) = (
        _overlap(by, length, length) for by, length in zip((down, along), values.shape, strict=False)
    )
    moved[rows, columns] = values[from_rows, from_columns]
    return moved
