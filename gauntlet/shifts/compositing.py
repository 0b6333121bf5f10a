"""Compose cut-outs over a background so that a paste is not given away by its rim."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from gauntlet.errors import ArgumentError
from gauntlet.shifts.cutouts import check_rgba, resize, transform

MASK_LEVEL = 128
"""Alpha from which a pixel belongs to the object's mask."""


@dataclass(frozen=True)
class Composite:
    """An image and the visible mask of each object, back to front.

    Attributes:
        image: uint8, H x W x 3.
        masks: One boolean H x W array an object; later objects hide earlier ones.
        whole: Number of pixels each object would show inside the frame and beyond it, unhidden.
    """

    image: np.ndarray
    masks: list[np.ndarray]
    whole: list[int]


@dataclass(frozen=True)
class Placement:
    """Where a cut-out goes.

    Attributes:
        rgba: uint8, h x w x 4, already at its size and pose.
        x: Column of its upper left corner; may be negative.
        y: Row of its upper left corner; may be negative.
        index: Which object of the caller's list it is.
    """

    rgba: np.ndarray
    x: int
    y: int
    index: int = 0


def compose(
    background: np.ndarray, placements: Sequence[Placement], *, shadow: float = 0.35, light: float = 0.15
) -> Composite:
    """Paste objects back to front, each with a contact shadow, blended edges and the light of its surroundings.

    Args:
        background: uint8, H x W x 3.
        placements: Objects, the farthest first; any part may lie outside the frame.
        shadow: Darkness of the contact shadow in [0, 1]; 0 casts none.
        light: How far the object's mean colour is drawn to that of the background around it, in [0, 1].

    Returns:
        The image with one visible mask an object.
    """
    canvas = background.astype(np.float32)
    masks: list[np.ndarray] = []
    whole: list[int] = []
    for placement in placements:
        check_rgba(placement.rgba)
        alpha, colour = _on_canvas(placement, background.shape[:2])
        whole.append(int((placement.rgba[..., 3] >= MASK_LEVEL).sum()))
        mask = alpha >= MASK_LEVEL / 255
        if shadow:
            canvas *= 1 - shadow * _contact_shadow(alpha)[..., None]
        if light and mask.any():
            colour = colour + light * _surrounding_light(canvas, mask, colour)
        blend = alpha[..., None]
        canvas = canvas * (1 - blend) + np.clip(colour, 0, 255) * blend
        masks = [earlier & ~mask for earlier in masks] + [mask]
    return Composite(np.clip(canvas, 0, 255).round().astype(np.uint8), masks, whole)


def _on_canvas(placement: Placement, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return alpha in [0, 1] (H x W) and colour in [0, 255] (H x W x 3) of an object in the frame."""
    height, width = placement.rgba.shape[:2]
    top, left = max(0, placement.y), max(0, placement.x)
    bottom, right = min(shape[0], placement.y + height), min(shape[1], placement.x + width)
    alpha = np.zeros(shape, np.float32)
    colour = np.zeros((*shape, 3), np.float32)
    if top < bottom and left < right:
        part = placement.rgba[top - placement.y : bottom - placement.y, left - placement.x : right - placement.x]
        alpha[top:bottom, left:right] = part[..., 3] / np.float32(255)
        colour[top:bottom, left:right] = part[..., :3]
    return alpha, colour


def _contact_shadow(alpha: np.ndarray) -> np.ndarray:
    """Blur the object's mask, shifted down a little, into a soft shadow that is strongest at its foot."""
    rows = np.flatnonzero(alpha.max(1) > 0.5)
    if not len(rows):
        return np.zeros_like(alpha)
    reach = max(2.0, 0.08 * (rows[-1] - rows[0] + 1))
    shift = np.float32([[1, 0, 0.2 * reach], [0, 1, 0.5 * reach]])
    moved = cv2.warpAffine(alpha, shift, alpha.shape[::-1])
    foot = np.clip((np.arange(len(alpha), dtype=np.float32) - rows[0]) / max(1, rows[-1] - rows[0]), 0.15, 1)
    return cv2.GaussianBlur(moved, (0, 0), reach / 2) * foot[:, None]


def _surrounding_light(canvas: np.ndarray, mask: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Return the difference between the mean background colour around the object and the object's own mean."""
    ring = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool) & ~mask
    if not ring.any():
        return np.zeros(3, np.float32)
    return np.clip(canvas[ring].mean(0) - colour[mask].mean(0), -60, 60)


def fit(rgba: np.ndarray, box_xywh: tuple[float, float, float, float], *, index: int = 0) -> Placement:
    """Scale a cut-out to the largest size that fits a box, standing on its lower edge and centred.

    Args:
        rgba: uint8, H x W x 4.
        box_xywh: Left, top, width and height in pixels, as COCO writes them.
        index: Which object of the caller's list it is.
    """
    x, y, width, height = box_xywh
    fitted = resize(rgba, scale=min(width / rgba.shape[1], height / rgba.shape[0]))
    left, top = x + (width - fitted.shape[1]) / 2, y + height - fitted.shape[0]
    return Placement(fitted, round(left), round(top), index)


def random_crop(background: np.ndarray, *, size: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Cut a random part of a background, mirrored half of the time, scaled to height and width `size`."""
    height, width = size
    share = min(background.shape[0] / height, background.shape[1] / width) * generator.uniform(0.6, 1.0)
    rows, columns = max(1, int(height * share)), max(1, int(width * share))
    y = int(generator.integers(0, background.shape[0] - rows + 1))
    x = int(generator.integers(0, background.shape[1] - columns + 1))
    part = background[y : y + rows, x : x + columns]
    crop = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA if share > 1 else cv2.INTER_CUBIC)
    return np.ascontiguousarray(crop[:, ::-1]) if generator.random() < 0.5 else crop


def arrange(
    cutouts: Sequence[np.ndarray], *, size: int, scale: tuple[float, float], generator: np.random.Generator
) -> list[Placement]:
    """Draw size, pose and place for each cut-out: some overlap, some run out of the frame.

    Args:
        cutouts: uint8 H x W x 4 arrays.
        size: Side of the square frame in pixels.
        scale: Least and greatest longest side of an object, as a share of `size`; drawn log-uniformly.
        generator: Source of randomness.

    Returns:
        Placements, the farthest (smallest foot row) first, each with most of its area inside the frame.

    Raises:
        ArgumentError: The scales are not in order above 0.
    """
    if not 0 < scale[0] <= scale[1]:
        raise ArgumentError(f"scale must be a least and a greatest share above 0; got {scale}; the wrong way round?")
    placements = []
    for index, rgba in enumerate(cutouts):
        longest = size * np.exp(generator.uniform(np.log(scale[0]), np.log(scale[1])))
        posed = transform(
            rgba,
            angle=float(np.clip(generator.normal(0, 8), -25, 25)),
            flip=bool(generator.random() < 0.5),
            scale=float(longest / max(rgba.shape[:2])),
        )
        height, width = posed.shape[:2]
        x = int(generator.integers(-width // 4, size - width + width // 4 + 1)) if width < 1.4 * size else 0
        y = int(generator.integers(-height // 5, size - height + height // 5 + 1)) if height < 1.4 * size else 0
        placements.append(Placement(posed, x, y, index))
    return sorted(placements, key=lambda placement: placement.y + placement.rgba.shape[0])
