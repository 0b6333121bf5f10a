"""Corruption robustness: top-1 by severity, mCE and relative mCE against AlexNet, as ImageNet-C defines them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gauntlet.errors import ArgumentError

ALEXNET_ERROR = {
    "gaussian_noise": 0.886428,
    "shot_noise": 0.894468,
    "impulse_noise": 0.92264,
    "defocus_blur": 0.81988,
    "glass_blur": 0.826268,
    "motion_blur": 0.785948,
    "zoom_blur": 0.79836,
    "snow": 0.866816,
    "frost": 0.826572,
    "fog": 0.819324,
    "brightness": 0.564592,
    "contrast": 0.853204,
    "elastic_transform": 0.646056,
    "pixelate": 0.71784,
    "jpeg_compression": 0.6065,
}
"""AlexNet's top-1 error under each corruption, mean of its five severities, in the paper's order."""
ALEXNET_CLEAN_ERROR = 0.43478
"""AlexNet's top-1 error on the clean pictures: torchvision's weights reach 56.522 % (the paper rounds to 43.5)."""
SEVERITIES = 5


@dataclass(frozen=True)
class CorruptionScores:
    """What one model keeps under corruption; rates in [0, 1], mCE in its own per cent.

    Attributes:
        top1: By corruption, at severity 1 to 5, in the paper's order.
        severity: Mean top-1 over the corruptions at severity 1 to 5: the natural robustness curve.
        corruption_error: By corruption, 100 x mean error / AlexNet's: 100 is AlexNet's.
        mce: Mean of `corruption_error`; None where a corruption is missing.
        relative_mce: The same of how much each error exceeds that on clean pictures; None where one is missing or
            the clean top-1 is not known.
    """

    top1: dict[str, tuple[float, ...]]
    severity: tuple[float, ...]
    corruption_error: dict[str, float]
    mce: float | None
    relative_mce: float | None


def corruption_scores(top1: Mapping[str, Sequence[float]], *, clean_top1: float | None = None) -> CorruptionScores:
    """Sum up a model's top-1 under corruption.

    Args:
        top1: By corruption, at severity 1 to 5, each in [0, 1].
        clean_top1: On the pictures without corruption, in [0, 1].

    Raises:
        ArgumentError: No corruption or an unknown one, not five severities, or a rate outside [0, 1].

    Source: Hendrycks and Dietterich, ICLR 2019: mean over the severities first, then the ratio to AlexNet, then the
    mean over the corruptions. The ratios mean what they do in the paper only for ImageNet-C's own pictures and
    classes; elsewhere mCE compares models with each other.

    >>> halves = {name: [1 - error] * 5 for name, error in ALEXNET_ERROR.items()}
    >>> round(corruption_scores(halves).mce, 9)
    100.0
    """
    if not top1:
        raise ArgumentError("at least one corruption must be given; got none")
    for name, rates in top1.items():
        _check(name, rates)
    if clean_top1 is not None and not 0 <= clean_top1 <= 1:
        raise ArgumentError(f"clean_top1 must lie in [0, 1], a rate (not per cent); got {clean_top1}")
    names = [name for name in ALEXNET_ERROR if name in top1]
    whole = len(names) == len(ALEXNET_ERROR)
    rates = np.array([top1[name] for name in names], float)
    errors, alexnet = 1 - rates.mean(axis=1), np.array([ALEXNET_ERROR[name] for name in names])
    ratios = 100 * errors / alexnet
    relative = None
    if whole and clean_top1 is not None:
        relative = float(np.mean(100 * (errors - (1 - clean_top1)) / (alexnet - ALEXNET_CLEAN_ERROR)))
    return CorruptionScores(
        top1={name: tuple(map(float, row)) for name, row in zip(names, rates, strict=True)},
        severity=tuple(map(float, rates.mean(axis=0))),
        corruption_error=dict(zip(names, map(float, ratios), strict=True)),
        mce=float(ratios.mean()) if whole else None,
        relative_mce=relative,
    )


def _check(name: str, rates: Sequence[float]) -> None:
    if name not in ALEXNET_ERROR:
        raise ArgumentError(f"a corruption must be one of {', '.join(ALEXNET_ERROR)}; got {name!r}; an extra one?")
    if len(rates) != SEVERITIES:
        raise ArgumentError(f"{name} must have a rate at each of {SEVERITIES} severities; got {len(rates)}")
    if not all(0 <= rate <= 1 for rate in rates):
        raise ArgumentError(f"{name}: top-1 must lie in [0, 1], rates (not per cent); got {list(rates)}")
