"""Robustness as curves: accuracy against the budget, the steps, the frequencies; who fools whom.

A curve has two bands. The pointwise one (Wilson) holds 95 % at each budget taken alone: use it to read off
one number. The simultaneous one (Dvoretzky, Kiefer and Wolfowitz) holds 95 % for all budgets at once: use it
to say that one curve lies above another.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gauntlet.errors import ArgumentError
from gauntlet.metrics.intervals import LEVEL, Interval, mean_interval, wilson

BAND = "low, high: Wilson, 95 % at each budget alone; band_low, band_high: DKW, 95 % over all budgets at once"
ROUNDING = 1e-6
"""How far float32 pixels may overshoot a budget: an image broken at its budget is not robust there."""


@dataclass(frozen=True)
class Curve:
    """Robust top-1 against the attack's budget.

    Attributes:
        budgets: Radii, ascending, in the pixels' units.
        robust_top1: Share of images that no perturbation within the budget was found for.
        low: Lower bound at each budget alone (Wilson, 95 %).
        high: Upper bound at each budget alone.
        band_low: Lower bound at all budgets at once (DKW, 95 %).
        band_high: Upper bound at all budgets at once.
        area: Mean of robust top-1 over all budgets from 0 to the last one. Our addition, not the paper's.
        median_radius: Least budget that leaves at most half of the images; None where the search ended before.
        n: Images.
        band: Which bounds are which.
    """

    budgets: tuple[float, ...]
    robust_top1: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    band_low: tuple[float, ...]
    band_high: tuple[float, ...]
    area: float
    median_radius: float | None
    n: int
    band: str = BAND


@dataclass(frozen=True)
class Response:
    """Top-1 against one setting: attack steps, cut-off frequency, severity.

    Attributes:
        at: The settings.
        top1: Share of images classified rightly at each.
        low: Lower bound at each setting alone (Wilson, 95 %).
        high: Upper bound at each setting alone.
        n: Images.
    """

    at: tuple[float, ...]
    top1: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    n: int


@dataclass(frozen=True)
class Transfer:
    """Who fools whom: targets' robust top-1 under images made on the sources.

    Attributes:
        sources: Models that the attack saw.
        targets: Models that were then shown the images.
        robust_top1: One row a source, one column a target.
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    robust_top1: tuple[tuple[Interval, ...], ...]

    def of(self, target: str) -> dict[str, Interval]:
        """Return a target's robust top-1 under each source."""
        column = self.targets.index(target)
        return {source: row[column] for source, row in zip(self.sources, self.robust_top1, strict=True)}

    def stronger_from_outside(self) -> dict[str, str]:
        """Name the targets that another source fools more than their own gradients do, with that source.

        A white-box attack that loses to a transferred one points at masked gradients or at a broken attack.
        """
        found = {}
        for target in self.targets:
            rates = {source: rate.value for source, rate in self.of(target).items()}
            worst = min(rates, key=rates.get)
            if target in rates and rates[worst] < rates[target]:
                found[target] = worst
        return found


def robustness_curve(radii: np.ndarray, *, budgets: Sequence[float], searched: float = math.inf) -> Curve:
    """Read the whole curve off the least radii.

    Args:
        radii: Each image's least adversarial radius, shape [N]: 0 where it is misclassified as it is, infinite where
            the search broke it nowhere.
        budgets: Ascending, from 0 on, in the radii's unit.
        searched: Greatest radius that the search tried; beyond it an infinite radius says nothing.

    Returns:
        robust_top1(eps) = mean(radius > eps): never increasing, and the clean top-1 at 0.

    Raises:
        ArgumentError: No image, a radius that is negative or NaN, budgets that do not ascend from 0 on or exceed
            what was searched.

    Source: ARES-Bench, eval_robust_curve.py; bands and area are ours. Wilson (1927); Massart (1990) for the band.

    >>> robustness_curve(np.array([0, 0.01, 0.03, np.inf]), budgets=[0, 0.01, 0.02, 0.04]).robust_top1
    (0.75, 0.5, 0.5, 0.25)
    """
    radii, levels = _radii(radii), _budgets(budgets, searched)
    n = len(radii)
    held = radii > np.where(levels > 0, levels + ROUNDING, 0)[:, None]
    points = [wilson(int(count), n) for count in held.sum(1)]
    half = math.sqrt(math.log(2 / (1 - LEVEL)) / (2 * n))
    rates = [point.value for point in points]
    median = float(np.sort(radii)[(n + 1) // 2 - 1])
    return Curve(
        budgets=tuple(levels.tolist()),
        robust_top1=tuple(rates),
        low=tuple(point.low for point in points),
        high=tuple(point.high for point in points),
        band_low=tuple(max(0.0, rate - half) for rate in rates),
        band_high=tuple(min(1.0, rate + half) for rate in rates),
        area=float(_areas(radii, levels[-1]).mean()),
        median_radius=median if math.isfinite(median) else None,
        n=n,
    )


def area(radii: np.ndarray, *, largest: float, resamples: int, generator: np.random.Generator) -> Interval:
    """Return the mean of robust top-1 over all budgets up to the largest, exactly, with its bootstrap interval.

    The integral of mean(radius > eps) over eps is mean(min(radius, largest)), so no grid is needed.

    Args:
        radii: As for `robustness_curve`, shape [N].
        largest: Last budget, above 0.
        resamples: Draws of N images, at least 1.
        generator: Draws the images.

    Raises:
        ArgumentError: No image, a radius that is negative or NaN, a last budget of 0.
    """
    shares = _areas(_radii(radii), float(_budgets([largest], math.inf)[0]))
    return mean_interval(shares[:, None], resamples=resamples, generator=generator)[0]


def response(right: np.ndarray, *, at: Sequence[float]) -> Response:
    """Count top-1 at each setting: after each number of attack steps, at each cut-off frequency.

    Args:
        right: bool, settings x images: the image was classified rightly.
        at: The settings, in the rows' order.

    Raises:
        ArgumentError: Not one row a setting, or no image.
    """
    right = np.asarray(right, bool)
    if right.ndim != 2 or len(right) != len(at) or not right.size:
        raise ArgumentError(
            f"right must be settings x images with {len(at)} rows; got shape {right.shape}; transposed?"
        )
    points = [wilson(int(row.sum()), len(row)) for row in right]
    return Response(
        at=tuple(float(value) for value in at),
        top1=tuple(point.value for point in points),
        low=tuple(point.low for point in points),
        high=tuple(point.high for point in points),
        n=right.shape[1],
    )


def transfer_matrix(right: Mapping[str, Mapping[str, np.ndarray]]) -> Transfer:
    """Count each target's robust top-1 under each source's images.

    Args:
        right: For each source, for each target, bool [N]: the target classified the source's image rightly. All
            of the same images, and all sources with the same targets.

    Raises:
        ArgumentError: Nothing to count, or sources that differ in their targets or number of images.
    """
    targets = tuple(next(iter(right.values()), ()))
    sizes = {len(row) for rows in right.values() for row in rows.values()}
    if not targets or any(tuple(rows) != targets for rows in right.values()) or len(sizes) != 1:
        raise ArgumentError(
            f"each source must list the same targets, on the same images; got {sizes or 'none'} images for "
            + "; ".join(f"{source}: {', '.join(rows)}" for source, rows in right.items())
        )
    rates = [[wilson(int(np.sum(row)), len(row)) for row in rows.values()] for rows in right.values()]
    return Transfer(tuple(right), targets, tuple(map(tuple, rates)))


def _areas(radii: np.ndarray, largest: float) -> np.ndarray:
    if largest <= 0:
        raise ArgumentError(f"an area needs a last budget above 0; got {largest}")
    return np.minimum(radii, largest) / largest


def _radii(radii: np.ndarray) -> np.ndarray:
    radii = np.asarray(radii, np.float64)
    if radii.ndim != 1 or not len(radii) or not (radii >= 0).all():
        raise ArgumentError(
            f"radii must be one number an image, 0 or more (0: misclassified as it is, inf: never broken); got shape "
            f"{radii.shape} with {np.sum(~(radii >= 0))} negative or NaN"
        )
    return radii


def _budgets(budgets: Sequence[float], searched: float) -> np.ndarray:
    levels = np.asarray(budgets, np.float64)
    if levels.ndim != 1 or not len(levels) or not (levels >= 0).all() or not (np.diff(levels) > 0).all():
        raise ArgumentError(f"budgets must ascend from 0 on; got {list(budgets)}")
    if not levels[-1] <= searched + ROUNDING:
        raise ArgumentError(
            f"budgets must not exceed the greatest radius searched, {searched:g}: nothing is known beyond it; got "
            f"{levels[-1]:g} (in 255ths?)"
        )
    return levels
