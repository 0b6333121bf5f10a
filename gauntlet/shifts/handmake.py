"""Handmake: objects made again from felt, clay or cut paper, on a table or in a scene of the same stuff.

The name is spelt as COCO-O spells its domain.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from gauntlet.shifts.arguments import check_image, check_masks, check_severity
from gauntlet.shifts.fields import grain, lit, luma, mixed, plasma, shaded, window
from gauntlet.shifts.palettes import from_stock, palette, patches, vivid
from gauntlet.shifts.tables import fibres, table

FIDELITY = (4.0, 1.5, 0.6, 0.25, 0.1)
"""How much the maker cares for the right hue, by level."""


class Piece(NamedTuple):
    """A thing made by hand: its surface (uint8 HW3) and how much of each pixel it covers (float32 HW)."""

    surface: np.ndarray
    cover: np.ndarray


def handmake(
    x: np.ndarray, masks: Sequence[np.ndarray] | None = None, *, severity: int, generator: np.random.Generator
) -> np.ndarray:
    """Make the objects of a picture by hand, from one of CRAFTS as the generator falls.

    Args:
        x: uint8 HW3 RGB.
        masks: bool HW, one an object, laid down in this order. The rest becomes a craft table or, as often, the
            background in the same craft. None makes the whole picture one piece.
        severity: 1 (seven colours, about the right ones, fine cuts) to 5 (three, whichever are at hand, coarse shapes).
        generator: source of all randomness.

    Returns:
        uint8 HW3.

    Raises:
        ArgumentError: a wrong image, severity or mask.
    """
    height, width = check_image(x)
    objects = check_masks(masks, height=height, width=width)
    level = check_severity(severity)
    craft = tuple(CRAFTS.values())[generator.integers(len(CRAFTS))]
    unit = max(1.0, min(height, width) / 240)
    if masks is None or generator.random() < 0.5:
        everything = np.ones((height, width), np.bool_)
        scene = craft(x, everything, level=level, unit=1.4 * unit, generator=generator).surface
        scene = scene if masks is None else cv2.addWeighted(scene, 0.85, np.full_like(scene, 150), 0.15, 0)
    else:
        scene = table(height, width, generator=generator)
    for mask in objects:
        if mask.any():
            here = window(mask, margin_px=math.ceil(9 * unit))
            piece = craft(x[here], mask[here], level=level, unit=unit, generator=generator)
            lifted = shaded(scene[here], 1 - 0.55 * _shadow(piece.cover, drop_px=2.4 * unit))
            scene[here] = mixed(lifted, piece.surface, piece.cover)
    return scene


def _shadow(cover: np.ndarray, *, drop_px: float) -> np.ndarray:
    """Cast the shadow of a cover down and to the right, soft in proportion; float32 HW in [0, 1]."""
    moved = cv2.warpAffine(cover, np.float32([[1, 0, 0.7 * drop_px], [0, 1, drop_px]]), cover.shape[::-1])
    return cv2.GaussianBlur(moved, (0, 0), max(0.5, 0.6 * drop_px))


def _dome(mask: np.ndarray, *, reach_px: float) -> np.ndarray:
    """Raise a mask to a cushion whose rim is reach_px wide; float32 HW in [0, 1]."""
    padded = cv2.copyMakeBorder(np.uint8(mask), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    inward = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1] if not mask.all() else np.float32(mask) * 1e3
    return np.sqrt(1 - (1 - np.clip(inward / reach_px, 0, 1)) ** 2)


def _coloured(
    x: np.ndarray, mask: np.ndarray, *, level: int, unit: float, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Reduce an object to a few colours of the stock: `(centres float32 C x 3, patches uint8 HW)`."""
    calm = cv2.bilateralFilter(x, 7, 45, 3 * unit)
    colours = (7, 6, 5, 4, 3)[level]
    centres = palette(calm[mask], colours=colours, generator=generator)
    dealt = patches(calm, centres, smooth_px=(0.7, 0.9, 1.1, 1.4, 1.7)[level] * unit)
    return from_stock(centres, fidelity=FIDELITY[level], generator=generator), dealt


def felt(x: np.ndarray, mask: np.ndarray, *, level: int, unit: float, generator: np.random.Generator) -> Piece:
    """Sew an object from felt: matted fibres, a fuzzy edge, a row of stitches along the rim.

    Args:
        x: uint8 HW3 RGB.
        mask: bool HW, not empty.
        level: 0..4, coarser with each step.
        unit: px that make one unit of craft; stitches are five long.
        generator: source of all randomness.

    Returns:
        The piece; its cover is fuzzy within a pixel or two of the mask.
    """
    height, width = mask.shape
    centres, dealt = _coloured(x, mask, level=level, unit=unit, generator=generator)
    flat = vivid(centres, saturation=1.25, lift=0.06)[dealt].astype(np.uint8)
    tangle = fibres(height, width, generator=generator)
    seam = cv2.morphologyEx(dealt, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    puff = _dome(mask, reach_px=6 * unit) - 0.5 * cv2.GaussianBlur(np.float32(seam), (0, 0), 0.9 * unit)
    light = lit(puff * 2.2 * unit, azimuth=-2.2, strength=0.7)
    surface = shaded(cv2.GaussianBlur(flat, (0, 0), 0.5 * unit), (0.5 + 0.5 * light) * (1 + 0.1 * tangle))
    if not mask.all():
        _stitch(surface, mask, unit=unit, generator=generator)
    cover = cv2.GaussianBlur(np.float32(mask), (0, 0), 0.9 * unit) + 0.07 * tangle
    return Piece(surface, np.clip((cover - 0.3) * 2.6, 0, 1) * (cv2.dilate(np.uint8(mask), np.ones((3, 3))) > 0))


def _stitch(surface: np.ndarray, mask: np.ndarray, *, unit: float, generator: np.random.Generator) -> None:
    """Sew dashes along the inside of the rim in a light or dark thread; surface changes in place."""
    size = 2 * max(1, round(1.5 * unit)) + 1
    inner = cv2.erode(np.uint8(mask), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), borderValue=0)
    rims, _ = cv2.findContours(inner, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    bright = float(luma(surface)[mask].mean()) < 0.5
    thread = (244, 238, 224) if bright else (52, 40, 46)
    dash, gap = max(3, round(4.5 * unit)), max(2, round(3 * unit))
    start = int(generator.integers(dash))
    thick = max(1, round(0.8 * unit))
    for rim in rims:
        for first in range(start, len(rim) - dash, dash + gap):
            ends = np.stack([rim[first], rim[first + dash]])
            cv2.polylines(surface, [ends + 1], False, (40, 34, 34), thick, cv2.LINE_AA)
            cv2.polylines(surface, [ends], False, thread, thick, cv2.LINE_AA)


def clay(x: np.ndarray, mask: np.ndarray, *, level: int, unit: float, generator: np.random.Generator) -> Piece:
    """Model an object in plasticine: rounded lumps of one colour each, dents of fingers, a moist shine.

    Arguments and result as `felt`.
    """
    height, width = mask.shape
    centres, dealt = _coloured(x, mask, level=level, unit=unit, generator=generator)
    flat = vivid(centres, saturation=1.45, lift=0.04)[dealt].astype(np.float32)
    flat = cv2.GaussianBlur(flat, (0, 0), 0.6 * unit)
    seam = cv2.morphologyEx(dealt, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    groove = cv2.GaussianBlur(np.float32(seam), (0, 0), 1.1 * unit)
    dents = plasma(height, width, generator=generator, cells=5, octaves=2, decay=0.6)
    tone = cv2.GaussianBlur(luma(x), (0, 0), 1.5 * unit)
    dome = cv2.GaussianBlur(_dome(mask, reach_px=9 * unit), (0, 0), 0.9 * unit)
    relief = (5 * dome + 2 * tone - 1.3 * groove + 2.2 * dents) * unit
    light = lit(relief, azimuth=-2.2, strength=1.15)
    shine = np.clip((light - 1.24) * 3.2, 0, 1) ** 2
    surface = shaded(cv2.convertScaleAbs(flat), 0.32 + 0.68 * light)
    surface = mixed(surface, np.full_like(surface, 255), 0.55 * shine)
    cover = np.clip((cv2.GaussianBlur(np.float32(mask), (0, 0), 0.8 * unit) - 0.35) * 4, 0, 1)
    return Piece(surface, cover)


def paper(x: np.ndarray, mask: np.ndarray, *, level: int, unit: float, generator: np.random.Generator) -> Piece:
    """Cut an object from coloured paper: one sheet a colour, each with its own shadow on the one below.

    Arguments and result as `felt`.
    """
    height, width = mask.shape
    centres, dealt = _coloured(x, mask, level=level, unit=unit, generator=generator)
    sheets = vivid(centres, saturation=1.3, lift=0.1) * (1 + generator.normal(0, 0.03, (len(centres), 1)))
    tooth = cv2.GaussianBlur(grain(height, width, generator=generator), (0, 0), 0.7)
    surface = np.empty_like(x)
    surface[:] = np.clip(sheets[0], 0, 255)
    for index in range(1, len(sheets)):
        cut = cv2.GaussianBlur(np.float32((dealt >= index) & mask), (0, 0), 0.45)
        below = shaded(surface, 1 - 0.5 * _shadow(cut, drop_px=1.5 * unit))
        edge = lit(cut * unit, azimuth=-2.2, strength=0.7)
        sheet = shaded(np.full_like(x, np.uint8(np.clip(sheets[index], 0, 255))), edge)
        surface = mixed(below, sheet, cut)
    surface = shaded(surface, lit(tooth, azimuth=-2.2, strength=0.16) * (1 + 0.03 * tooth))
    return Piece(surface, cv2.GaussianBlur(np.float32(mask), (0, 0), 0.5))


CRAFTS = {craft.__name__: craft for craft in (felt, clay, paper)}
