"""Redraw a picture's layout: a drawing of the same class in each box, as ink on a sheet or in colour on a backdrop."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from gauntlet.errors import ArgumentError
from gauntlet.shifts.arguments import check_severity
from gauntlet.shifts.compositing import MASK_LEVEL, compose, fit
from gauntlet.shifts.cutouts import check_rgba
from gauntlet.shifts.fields import grain, luma, toward

Box = tuple[float, float, float, float]
TRIALS = 3
"""Drawings tried for a box; the one that fills it best is taken, so that objects keep about their size."""
PENS = {"graphite": (46, 46, 52), "ink": (22, 21, 26), "ballpoint": (36, 56, 140), "sanguine": (128, 58, 38)}


class Redrawn(NamedTuple):
    """A picture (uint8 HW3), each box's visible mask (bool HW), and which of its candidates each box got."""

    image: np.ndarray
    masks: list[np.ndarray]
    chosen: list[int]


def redraw(
    canvas: np.ndarray,
    boxes_xywh: Sequence[Box],
    candidates: Sequence[Sequence[np.ndarray]],
    *,
    shadow: float = 0.0,
    generator: np.random.Generator,
) -> Redrawn:
    """Put one drawing into each box, mirrored half of the time, large boxes behind small ones.

    Args:
        canvas: uint8 HW3 RGB, what to draw on; not changed.
        boxes_xywh: left, top, width, height in px.
        candidates: for each box the drawings to choose from, uint8 H x W x 4.
        shadow: darkness of the contact shadows, in [0, 1].
        generator: source of all randomness.

    Returns:
        The picture; a mask is empty where a box is too small to show anything.

    Raises:
        ArgumentError: a box has no candidate.
    """
    placements, chosen = [], []
    for index, (box, drawings) in enumerate(zip(boxes_xywh, candidates, strict=True)):
        if not len(drawings):
            raise ArgumentError(f"each box must have a drawing to choose; box {index} has none; a class not drawn?")
        trials = generator.integers(len(drawings), size=TRIALS).tolist()
        best = max(trials, key=lambda trial: _filling(drawings[trial], box))
        drawing = drawings[best][:, ::-1] if generator.random() < 0.5 else drawings[best]
        placements.append(fit(drawing, box, index=index))
        chosen.append(best)
    behind = sorted(placements, key=lambda placement: -boxes_xywh[placement.index][2] * boxes_xywh[placement.index][3])
    composite = compose(canvas, behind, shadow=shadow, light=0)
    shown = {placement.index: mask for placement, mask in zip(behind, composite.masks, strict=True)}
    return Redrawn(composite.image, [shown[index] for index in range(len(placements))], chosen)


def _filling(drawing: np.ndarray, box: Box) -> float:
    """Return the share of a box that a drawing's frame covers once it is fitted in."""
    stretch = (box[2] * drawing.shape[0]) / max(box[3] * drawing.shape[1], 1e-9)
    return min(stretch, 1 / max(stretch, 1e-9))


def pen_drawing(
    sheet: np.ndarray,
    boxes_xywh: Sequence[Box],
    candidates: Sequence[Sequence[np.ndarray]],
    *,
    severity: int,
    generator: np.random.Generator,
) -> Redrawn:
    """Draw outline drawings on a sheet with one of PENS; what stands in front hides what is behind.

    Args:
        sheet: uint8 HW3 RGB.
        boxes_xywh: left, top, width, height in px.
        candidates: for each box the outline drawings, uint8 H x W x 4, see `closed`.
        severity: 1 (firm lines) to 5 (faint ones).
        generator: source of all randomness.

    Returns:
        The picture, as `redraw`.
    """
    level = check_severity(severity)
    drawn = redraw(np.full_like(sheet, 255), boxes_xywh, candidates, generator=generator)
    height, width = sheet.shape[:2]
    pen = tuple(PENS.values())[generator.integers(len(PENS))]
    tooth = 1 - 0.16 * np.clip(grain(height, width, generator=generator), -1, 1.5)
    ink = (1 - luma(drawn.image)) * tooth * (1, 0.92, 0.84, 0.76, 0.66)[level]
    return drawn._replace(image=toward(sheet, cv2.convertScaleAbs(np.clip(ink, 0, 1), alpha=255), pen))


def closed(rgba: np.ndarray, *, gap: float = 0.16) -> np.ndarray:
    """Fill an outline drawing with white although its lines leave gaps, so that its mask is a silhouette.

    Args:
        rgba: uint8 H x W x 4; lines on nothing, or partly filled.
        gap: widest gap to bridge, as a share of the longest side, in (0, 1).

    Returns:
        A new array of the same size.

    Raises:
        ArgumentError: no uint8 H x W x 4 array.
    """
    check_rgba(rgba)
    height, width = rgba.shape[:2]
    reach = max(2, round(gap * max(height, width) / 2))
    strokes = np.pad((rgba[..., 3] >= MASK_LEVEL).astype(np.uint8), reach + 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    field = cv2.dilate(strokes, disc)
    cv2.floodFill(field, None, (0, 0), 2)
    inside = cv2.erode(np.uint8(field != 2), disc)[reach + 1 : reach + 1 + height, reach + 1 : reach + 1 + width] > 0
    alpha = rgba[..., 3:].astype(np.float32) / 255
    over = (rgba[..., :3] * alpha + 255 * (1 - alpha)).round().astype(np.uint8)
    filled = np.dstack([over, np.full((height, width), 255, np.uint8)])
    return np.where(inside[..., None], filled, rgba)
