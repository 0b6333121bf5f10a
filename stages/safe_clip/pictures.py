"""Pictures of the small world: one thing or several over a background, at one size."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from PIL import Image

from gauntlet.captions import COLOURS, colour_shares, colour_word
from gauntlet.errors import ArgumentError
from gauntlet.readers.objects import CutOut
from gauntlet.shifts.compositing import Placement, arrange, compose, random_crop
from gauntlet.shifts.cutouts import fill_outline, resize

ATTEMPTS = 30
LEAST_VISIBLE = 0.5
"""Share of the labelled thing that others must leave free."""

LEAST_COLOURED = 0.5
"""Share of a backdrop that must have the colour it is called by."""


@dataclass(frozen=True)
class Scale:
    """Least and greatest longest side of a thing, as a share of the picture: the main one's and the others'."""

    main: tuple[float, float]
    others: tuple[float, float]


@dataclass(frozen=True)
class Picture:
    """One composed picture.

    Attributes:
        pixels: uint8, size x size x 3.
        png: The same, encoded where it was composed.
        mask: bool, size x size: the main thing, as far as it shows.
        things: The main cut-out, then the others.
        background: Its colour's word.
    """

    pixels: np.ndarray
    png: bytes
    mask: np.ndarray
    things: list[CutOut]
    background: str


def prepared(cutout: CutOut, *, size_px: int) -> CutOut:
    """Scale a cut-out to at most twice the picture's side, once, so that each placing is cheap; fill outlines."""
    rgba = fill_outline(cutout.rgba) if cutout.style == "outline" else cutout.rgba
    return replace(cutout, rgba=resize(rgba, scale=min(1.0, 2 * size_px / max(rgba.shape[:2]))))


def prepared_background(background: np.ndarray, *, size_px: int) -> np.ndarray:
    """Scale a background to twice the picture's side: the smallest part that is cut is 1.2 times as wide."""
    return cv2.resize(background, (2 * size_px, 2 * size_px), interpolation=cv2.INTER_AREA)


def backdrop(
    backgrounds: Sequence[np.ndarray], *, size_px: int, colour: str | None, generator: np.random.Generator
) -> np.ndarray:
    """Cut a part of a background and turn its hue: every wallpaper in every colour.

    Args:
        backgrounds: uint8 H x W x 3 arrays.
        size_px: Side of the part.
        colour: What `colour_word` must say of it; None turns every second one by a random angle, the others not.
        generator: Source of randomness.

    Raises:
        ArgumentError: No part of that colour was found.
    """
    for _ in range(100 * ATTEMPTS):
        background = backgrounds[generator.integers(len(backgrounds))]
        part = random_crop(background, size=(size_px, size_px), generator=generator)
        if colour is not None or generator.random() < 0.5:
            part = _turned(part, int(generator.integers(180)))
        if colour is None:
            return part
        shares = colour_shares(part[::2, ::2])
        if COLOURS[int(shares.argmax())] == colour and shares.max() >= LEAST_COLOURED:
            return part
    raise ArgumentError(f"some background must turn {colour}; none of {len(backgrounds)} did; are they all grey?")


def _turned(pixels: np.ndarray, half_degrees: int) -> np.ndarray:
    hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(np.int16) + half_degrees) % 180
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def picture(things: list[CutOut], canvas: np.ndarray, *, scale: Scale, generator: np.random.Generator) -> Picture:
    """Place things over a background so that the first one shows by half at least.

    After `ATTEMPTS` placings the one that shows most stands.
    """
    size_px = len(canvas)
    best: tuple[float, np.ndarray, np.ndarray] | None = None
    for _ in range(ATTEMPTS):
        main = arrange([things[0].rgba], size=size_px, scale=scale.main, generator=generator)
        rest = arrange([thing.rgba for thing in things[1:]], size=size_px, scale=scale.others, generator=generator)
        placed = [Placement(part.rgba, part.x, part.y, part.index + 1) for part in rest] + [_inside(main[0], size_px)]
        placed.sort(key=lambda part: part.y + part.rgba.shape[0])
        composite = compose(canvas, placed, shadow=float(generator.uniform(0.15, 0.5)))
        place = next(number for number, part in enumerate(placed) if part.index == 0)
        visible = composite.masks[place].sum() / max(1, composite.whole[place])
        if best is None or visible > best[0]:
            best = visible, composite.image, composite.masks[place]
        if visible >= LEAST_VISIBLE:
            break
    return Picture(best[1], _png(best[1]), best[2], things, colour_word(canvas[::2, ::2]))


def _inside(placement: Placement, size_px: int) -> Placement:
    height, width = placement.rgba.shape[:2]
    x = int(np.clip(placement.x, min(0, size_px - width), max(0, size_px - width)))
    y = int(np.clip(placement.y, min(0, size_px - height), max(0, size_px - height)))
    return Placement(placement.rgba, x, y, placement.index)


def _png(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG", compress_level=3)
    return stream.getvalue()
