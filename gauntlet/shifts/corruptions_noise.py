"""Noise of ImageNet-C: electronic (Gaussian), photon (shot) and dead pixels (impulse); one picture at a time."""

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np

GUIDE_CELLS = 1024


def gaussian_noise(x: np.ndarray, level: float, generator: np.random.Generator) -> np.ndarray:
    """Add normal noise.

    Args:
        x: uint8 HW3.
        level: standard deviation, a share of white.
        generator: source of all randomness.

    Returns:
        uint8 HW3.

    Source: inverse transform of 16 random bits, four times as fast as a generator's normal numbers; the noise, cut
    to whole steps of 1/255, so has its exact shares to 1 in 65,536, and ends at 4.3 standard deviations.
    """
    noise = _normal_steps(level)[_sixteen_bits(x.shape, generator)]
    noise += x
    return np.clip(noise, 0, 255, out=noise).astype(np.uint8)


@lru_cache(maxsize=16)
def _normal_steps(level: float) -> np.ndarray:
    return np.floor(255 * level * _normal_quantiles()).astype(np.int16)


@lru_cache(maxsize=1)
def _normal_quantiles() -> np.ndarray:
    return np.array([NormalDist().inv_cdf((place + 0.5) / 65536) for place in range(65536)])


def _sixteen_bits(shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    return np.frombuffer(generator.bytes(2 * math.prod(shape)), np.uint16).reshape(shape)


def shot_noise(x: np.ndarray, level: float, generator: np.random.Generator) -> np.ndarray:
    """Count photons: each value becomes a Poisson number whose mean is level at white.

    Args:
        x: uint8 HW3.
        level: photons that white sends, more is cleaner.
        generator: source of all randomness.

    Returns:
        uint8 HW3.

    Source: inverse transform with a guide table (Chen and Asau, 1974): a value's 1,024 cells of equal probability
    name the count that their lower ends fall on, a few steps upward end the search. Several times as fast as
    `Generator.poisson`, and as exact as the 24 bits that it draws.
    """
    guide, cumulative, counts = _poisson_tables(level)
    drawn = generator.random(x.size, np.float32)
    rows = x.ravel().astype(np.int32)
    at = rows * counts
    at += guide[rows * GUIDE_CELLS + (drawn * np.float32(GUIDE_CELLS)).astype(np.int32)]
    left = np.flatnonzero(drawn >= cumulative[at])
    while left.size:
        at[left] += 1
        left = left[drawn[left] >= cumulative[at[left]]]
    at -= rows * counts
    bright = np.uint8(np.minimum(np.arange(counts) * (255 / level) + 1e-6, 255))
    return bright[at].reshape(x.shape)


@lru_cache(maxsize=16)
def _poisson_tables(white: float) -> tuple[np.ndarray, np.ndarray, int]:
    """Tabulate P(count <= k) for the 256 means, and where each cell's search starts; both flat, and k's range."""
    counts = math.ceil(white + 8 * math.sqrt(white)) + 8
    means = np.arange(256)[:, None] * (white / 255)
    steps = np.arange(counts)
    logs = steps * np.log(np.maximum(means, 1e-300)) - means - np.array([math.lgamma(k + 1) for k in steps])
    logs[0] = np.where(steps == 0, 0.0, -np.inf)
    cumulative = np.exp(logs).cumsum(1)
    lower = np.arange(GUIDE_CELLS) / GUIDE_CELLS
    guide = np.stack([np.searchsorted(row, lower, side="right") for row in cumulative])
    cumulative = cumulative.astype(np.float32)
    cumulative[:, -1] = 2  # every search ends
    return np.minimum(guide, counts - 1).astype(np.int32).ravel(), cumulative.ravel(), counts


def impulse_noise(x: np.ndarray, level: float, generator: np.random.Generator) -> np.ndarray:
    """Set single values to black or white, as often the one as the other.

    Args:
        x: uint8 HW3.
        level: share of all values that are lost, in [0, 1].
        generator: source of all randomness.

    Returns:
        uint8 HW3.
    """
    drawn = _sixteen_bits(x.shape, generator)
    lost = round(32768 * level)
    white = (drawn >= 65536 - lost).view(np.uint8) * np.uint8(255)
    return x * (drawn >= lost).view(np.uint8) | white
