"""Cut-outs: an object's pixels with its exact mask in the alpha channel."""

import cv2
import numpy as np

from gauntlet.errors import ArgumentError


def check_rgba(rgba: np.ndarray) -> None:
    """Raise unless `rgba` is a uint8 HWC4 array."""
    if rgba.dtype != np.uint8 or rgba.ndim != 3 or rgba.shape[2] != 4:
        raise ArgumentError(f"a cut-out must be uint8 H x W x 4; got {rgba.dtype} {rgba.shape}; alpha channel dropped?")


def remove_specks(rgba: np.ndarray, *, share: float = 0.02) -> np.ndarray:
    """Clear the parts of the mask that are smaller than `share` of the largest one.

    Args:
        rgba: uint8, H x W x 4.
        share: In [0, 1]; stray pixels and cut remains go, a second leg or wheel stays.

    Returns:
        A new array; alpha is zero where a speck was.
    """
    check_rgba(rgba)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((rgba[..., 3] >= 32).astype(np.uint8), connectivity=8)
    if count <= 2:
        return rgba.copy()
    areas = stats[1:, cv2.CC_STAT_AREA]
    keep = np.concatenate([[False], areas >= share * areas.max()])
    kept = rgba.copy()
    near = cv2.dilate(keep[labels].astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    kept[~near] = 0
    return kept


def fill_outline(rgba: np.ndarray, *, paper: int = 255) -> np.ndarray:
    """Fill what an outline encloses with paper, so that the mask is the drawing's silhouette.

    Args:
        rgba: uint8, H x W x 4: strokes on nothing.
        paper: Grey level of the filling.

    Returns:
        A new array: the strokes over the filling, opaque wherever the outside cannot be reached without a stroke.
    """
    check_rgba(rgba)
    open_field = np.pad((rgba[..., 3] < 128).astype(np.uint8), 1, constant_values=1)
    cv2.floodFill(open_field, None, (0, 0), 2)
    inside = open_field[1:-1, 1:-1] != 2
    alpha = rgba[..., 3:].astype(np.float32) / 255
    filled = np.dstack(
        [(rgba[..., :3] * alpha + paper * (1 - alpha)).round().astype(np.uint8), np.full(inside.shape, 255)]
    )
    return np.where(inside[..., None], filled, rgba).astype(np.uint8)


def trim(rgba: np.ndarray, *, max_side: int) -> np.ndarray:
    """Crop to the mask and scale down so that the longest side is at most `max_side` pixels; never up.

    Raises:
        ArgumentError: The mask is empty.
    """
    check_rgba(rgba)
    rows, columns = np.flatnonzero(rgba[..., 3].max(1) >= 32), np.flatnonzero(rgba[..., 3].max(0) >= 32)
    if not len(rows):
        raise ArgumentError(
            "a cut-out must show something; its mask is empty; a drawing without fill or a wrong layer?"
        )
    cropped = rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return resize(cropped, scale=min(1.0, max_side / max(cropped.shape[:2])))


def resize(rgba: np.ndarray, *, scale: float) -> np.ndarray:
    """Scale a cut-out with premultiplied alpha, so that no colour bleeds in from transparent pixels.

    Args:
        rgba: uint8, H x W x 4.
        scale: Factor on both sides, above 0; each side keeps at least one pixel.

    Raises:
        ArgumentError: The factor is not above 0.
    """
    if not scale > 0:
        raise ArgumentError(f"scale must lie above 0; got {scale}; an empty box?")
    height, width = (max(1, round(side * scale)) for side in rgba.shape[:2])
    if (height, width) == rgba.shape[:2]:
        return rgba.copy()
    return _unpremultiply(cv2.resize(_premultiply(rgba), (width, height), interpolation=_kernel(scale)))


def transform(rgba: np.ndarray, *, angle: float = 0.0, flip: bool = False, scale: float = 1.0) -> np.ndarray:
    """Flip, scale and rotate a cut-out; the frame grows to hold all of it.

    Args:
        rgba: uint8, H x W x 4.
        angle: Degrees, counter-clockwise.
        flip: Mirror left to right first.
        scale: Factor on both sides, above 0.
    """
    check_rgba(rgba)
    turned = resize(rgba[:, ::-1] if flip else rgba, scale=scale)
    if not angle:
        return turned
    height, width = turned.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
    cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
    size = tuple(int(np.ceil(side - 1e-6)) for side in (height * sine + width * cosine, height * cosine + width * sine))
    matrix[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    return _unpremultiply(cv2.warpAffine(_premultiply(turned), matrix, size, flags=cv2.INTER_LINEAR))


def _kernel(scale: float) -> int:
    return cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC


def _premultiply(rgba: np.ndarray) -> np.ndarray:
    colour = rgba.astype(np.float32)
    colour[..., :3] *= colour[..., 3:] / 255
    return colour


def _unpremultiply(colour: np.ndarray) -> np.ndarray:
    alpha = np.clip(colour[..., 3:], 0, 255)
    plain = np.where(alpha > 0.5, colour[..., :3] * 255 / np.maximum(alpha, 0.5), 0)
    return np.concatenate([np.clip(plain, 0, 255), alpha], axis=2).round().astype(np.uint8)
