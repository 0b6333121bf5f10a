"""What every image rendering asks of its arguments, checked in one place."""

from collections.abc import Sequence

import numpy as np

from gauntlet.errors import ArgumentError

SMALLEST_SIDE_PX = 32


def check_image(x: np.ndarray) -> tuple[int, int]:
    """Check that x is a picture and return its height and width.

    Args:
        x: what should be uint8 HW3 RGB with both sides at least 32 px.

    Returns:
        `(height, width)` in px.

    Raises:
        ArgumentError: another type, dtype, shape or a smaller side.
    """
    if not isinstance(x, np.ndarray) or x.dtype != np.uint8:
        came = f"{x.dtype} array" if isinstance(x, np.ndarray) else type(x).__name__
        raise ArgumentError(f"the image must be a uint8 array (0..255, not floats in [0, 1]); got {came}")
    if x.ndim != 3 or x.shape[2] != 3:
        raise ArgumentError(f"the image must be height x width x 3 RGB (grey: stack it, RGBA: drop A); got {x.shape}")
    if min(x.shape[:2]) < SMALLEST_SIDE_PX:
        raise ArgumentError(f"both sides must be at least {SMALLEST_SIDE_PX} px (height first); got {x.shape[:2]}")
    return x.shape[0], x.shape[1]


def check_severity(severity: int) -> int:
    """Check that severity is one of 1, 2, 3, 4, 5 and return it as an index 0..4.

    Raises:
        ArgumentError: anything else, booleans and floats such as 0.5 included.
    """
    if isinstance(severity, bool) or not isinstance(severity, int | np.integer) or not 1 <= severity <= 5:
        raise ArgumentError(f"severity must be a whole number from 1 to 5 (a level, not a share); got {severity!r}")
    return int(severity) - 1


def check_masks(masks: Sequence[np.ndarray] | None, *, height: int, width: int) -> list[np.ndarray]:
    """Check object masks against the image and return them as a list, empty for None.

    Args:
        masks: bool HW arrays, one an object, or None.
        height: of the image, px.
        width: of the image, px.

    Raises:
        ArgumentError: a mask of another dtype or shape.
    """
    for index, mask in enumerate(masks if masks is not None else ()):
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (height, width):
            came = f"{mask.dtype} {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
            raise ArgumentError(
                f"each mask must be bool {height} x {width}, as the image (compare with > 127 first); "
                f"mask {index} is {came}"
            )
    return list(masks) if masks is not None else []


def check_depth(depth: np.ndarray, *, height: int, width: int) -> np.ndarray:
    """Check a depth cue against the image and return it as float32.

    Args:
        depth: float HW in [0, 1], 0 at the camera, 1 at the horizon and in the sky.
        height: of the image, px.
        width: of the image, px.

    Raises:
        ArgumentError: another shape or dtype, a value outside [0, 1] or not finite.
    """
    if not isinstance(depth, np.ndarray) or depth.shape != (height, width) or depth.dtype.kind != "f":
        came = f"{depth.dtype} {depth.shape}" if isinstance(depth, np.ndarray) else type(depth).__name__
        raise ArgumentError(f"depth must be a float array {height} x {width}, as the image; got {came}")
    low, high = float(depth.min()), float(depth.max())
    if not (low >= 0 and high <= 1):
        raise ArgumentError(f"depth must lie in [0, 1] (scale metres by the farthest); got {low} to {high}")
    return depth.astype(np.float32, copy=False)
