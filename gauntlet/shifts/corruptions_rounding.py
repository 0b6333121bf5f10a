"""How ImageNet-C comes back to 8 bits."""

import numpy as np

SLACK = np.float32(2e-3)


def to_bytes(x: np.ndarray) -> np.ndarray:
    """Clip float32 values to 0..255 and cut off their fractions; x changes in place.

    ImageNet-C's own code casts, and so does not round. What lies within SLACK under a whole number is float32's
    error and counts as that number: a blurred flat picture stays as it was.
    """
    x += SLACK
    return np.clip(x, 0, 255, out=x).astype(np.uint8)
