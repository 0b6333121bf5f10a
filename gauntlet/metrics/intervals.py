"""Intervals: a number, the bounds that resampling gives it, and n."""

import math
from dataclasses import dataclass

import numpy as np

from gauntlet.errors import ArgumentError

LEVEL = 0.95
DEVIATES = 1.959963984540054
"""Quantile of the normal law at (1 + LEVEL) / 2."""


@dataclass(frozen=True)
class Interval:
    """A number with the bounds of its interval, and n, the count of records behind it."""

    value: float
    low: float
    high: float
    n: int


def mean_interval(values: np.ndarray, *, resamples: int, generator: np.random.Generator) -> list[Interval]:
    """Return the mean of each column and its percentile-bootstrap interval of 95 %.

    Args:
        values: N x K; all columns of a row are drawn together (paired), so that differences may be columns.
        resamples: Draws of N rows with replacement, at least 1.
        generator: Draws the rows.

    Returns:
        K intervals.

    Raises:
        ArgumentError: No row, or fewer than one resample.

    Source: Efron (1979), percentile bootstrap.
    """
    count = len(values)
    if count < 1 or resamples < 1:
        raise ArgumentError(f"values and resamples must number at least 1; got {count} and {resamples}")
    weights = generator.multinomial(count, np.full(count, 1 / count), size=resamples)
    low, high = np.quantile(weights @ values / count, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    columns = zip(values.mean(axis=0), low, high, strict=True)
    return [Interval(float(mean), float(bottom), float(top), count) for mean, bottom, top in columns]


def percentile_interval(value: float, draws: np.ndarray, *, n: int) -> Interval:
    """Return a number with the percentile-bootstrap interval of 95 % that its resamples give.

    Args:
        value: The number itself.
        draws: The number on each resample, shape [R]; NaN, where a resample has nothing to count, is left out.
        n: Records behind it.

    Returns:
        The interval; of no width where no resample counts.
    """
    inside = draws[~np.isnan(draws)]
    low, high = np.quantile(inside, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if len(inside) else (value, value)
    return Interval(float(value), float(low), float(high), n)


def wilson(hits: int, n: int) -> Interval:
    """Return a rate with Wilson's score interval of 95 %.

    Args:
        hits: Records that count, in [0, n].
        n: Records, at least 1.

    Returns:
        hits / n with bounds in [0, 1]; of some width even at 0 and at 1, unlike the bootstrap's.

    Raises:
        ArgumentError: No record, or hits outside [0, n].

    Source: Wilson (1927), without continuity correction.

    >>> wilson(0, 10).high
    0.2775327998628892
    """
    if n < 1 or not 0 <= hits <= n:
        raise ArgumentError(f"hits must lie in [0, n] (a count, not a rate) and n be at least 1; got {hits} of {n}")
    rate, squared = hits / n, DEVIATES**2
    centre = (rate + squared / (2 * n)) / (1 + squared / n)
    half = DEVIATES / (1 + squared / n) * math.sqrt(rate * (1 - rate) / n + squared / (4 * n * n))
    low, high = (0.0 if hits == 0 else centre - half), (1.0 if hits == n else centre + half)
    return Interval(float(rate), float(low), float(high), int(n))
