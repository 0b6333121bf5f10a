"""Crops around objects."""

import cv2
import numpy as np


def square_crop(
    x: np.ndarray, box_xywh: tuple[float, float, float, float], *, size_px: int, margin: float = 0.15
) -> np.ndarray:
    """Cut the square around a box, with a margin, and scale it.

    Args:
        x: uint8, H x W x C; where the square reaches beyond it, its border is reflected.
        box_xywh: Left, top, width, height in pixels.
        size_px: Side of the result.
        margin: Share of the longer side that is added to it.
    """
    left, top, width, height = box_xywh
    side = max(2, round(max(width, height) * (1 + margin)))
    x0, y0 = round(left + (width - side) / 2), round(top + (height - side) / 2)
    pad = side
    padded = cv2.copyMakeBorder(x, pad, pad, pad, pad, cv2.BORDER_REFLECT_101)
    part = padded[y0 + pad : y0 + pad + side, x0 + pad : x0 + pad + side]
    return cv2.resize(part, (size_px, size_px), interpolation=cv2.INTER_AREA if side > size_px else cv2.INTER_LINEAR)
