"""How two-class decisions differ between groups: gaps with intervals, and a reason where a group cannot say."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gauntlet.errors import ArgumentError
from gauntlet.metrics.decisions import Guarded, check_paired
from gauntlet.metrics.intervals import percentile_interval, wilson


@dataclass(frozen=True)
class GroupRates:
    """One group: its records by label, the share decided 1 (of all, of label 1, of label 0)."""

    n: int
    positives: int
    negatives: int
    positive_rate: Guarded
    tpr: Guarded
    fpr: Guarded


@dataclass(frozen=True)
class Fairness:
    """Differences between groups, by the names of `GAPS`, and the groups' own rates."""

    gaps: Mapping[str, Guarded]
    groups: Mapping[int, GroupRates]


class _Rates(NamedTuple):
    """Rates by group [..., K], and false positive and false negative rate over all [..., 1]."""

    positive: np.ndarray
    tpr: np.ndarray
    fpr: np.ndarray
    fpr_all: np.ndarray
    fnr_all: np.ndarray


def cells(decisions: np.ndarray, y: np.ndarray, z: np.ndarray, *, groups: Sequence[int] = (0, 1)) -> np.ndarray:
    """Count records by group, label and decision: int64 [K, 2, 2].

    Raises:
        ArgumentError: A group that is not among `groups`, or arrays that do not fit.
    """
    check_paired(decisions, y)
    check_paired(z, y)
    if strangers := sorted(set(z.tolist()) - set(groups)):
        raise ArgumentError(f"z must be among the groups {list(groups)}; got {strangers[0]}; unknown ones left in?")
    places = np.searchsorted(sorted(groups), z)
    return np.bincount(4 * places + 2 * y + decisions, minlength=4 * len(groups)).reshape(-1, 2, 2)


def _rates(counts: np.ndarray) -> _Rates:
    labelled, ones = counts.sum(-1), counts[..., 1]
    with np.errstate(invalid="ignore"):
        by_label = ones / labelled
        overall = ones.sum(-2) / labelled.sum(-2)
        positive = ones.sum(-1) / labelled.sum(-1)
    return _Rates(positive, by_label[..., 1], by_label[..., 0], overall[..., :1], 1 - overall[..., 1:])


def _range(values: np.ndarray) -> np.ndarray:
    return values.max(-1) - values.min(-1)


def demographic_parity_gap(rates: _Rates) -> np.ndarray:
    """Range over groups of the share decided 1."""
    return _range(rates.positive)


def equal_opportunity_gap(rates: _Rates) -> np.ndarray:
    """Range of the true positive rate."""
    return _range(rates.tpr)


def fpr_gap(rates: _Rates) -> np.ndarray:
    """Range of the false positive rate."""
    return _range(rates.fpr)


def equalized_odds_gap(rates: _Rates) -> np.ndarray:
    """Greater one of the two ranges."""
    return np.maximum(_range(rates.tpr), _range(rates.fpr))


def equalized_odds_gap_mean(rates: _Rates) -> np.ndarray:
    """Mean of the two ranges."""
    return (_range(rates.tpr) + _range(rates.fpr)) / 2


def fped(rates: _Rates) -> np.ndarray:
    """Sum over groups of |FPR - FPR of the group|."""
    return np.abs(rates.fpr_all - rates.fpr).sum(-1)


def fned(rates: _Rates) -> np.ndarray:
    """Sum over groups of |FNR - FNR of the group|."""
    return np.abs(rates.fnr_all - (1 - rates.tpr)).sum(-1)


GAPS: dict[str, Callable[[_Rates], np.ndarray]] = {
    function.__name__: function
    for function in (
        demographic_parity_gap,
        equal_opportunity_gap,
        fpr_gap,
        equalized_odds_gap,
        equalized_odds_gap_mean,
        fped,
        fned,
    )
}
NEEDS = {
    "demographic_parity_gap": (),
    "equal_opportunity_gap": (1,),
    "fpr_gap": (0,),
    "equalized_odds_gap": (0, 1),
    "equalized_odds_gap_mean": (0, 1),
    "fped": (0,),
    "fned": (1,),
}
"""Labels that every group must have for the gap to be known."""


def fairness(
    decisions: np.ndarray,
    y: np.ndarray,
    z: np.ndarray,
    *,
    resamples: int,
    generator: np.random.Generator,
    groups: Sequence[int] = (0, 1),
) -> Fairness:
    """Measure how decisions differ between groups.

    fairlearn computes what it can; a gap that some group has no records for is not reported, where fairlearn says 0.

    Args:
        decisions: 0 or 1, [N].
        y: Labels, 0 or 1, [N].
        z: Groups, [N].
        resamples: Of the bootstrap over records, at least 1.
        generator: Draws them.
        groups: The groups that should be there, two or more.

    Returns:
        Gaps in [0, 1] (FPED and FNED in [0, K]) with percentile intervals; they are of absolute values, so that an
        interval does not reach below 0 and lies high where there is no difference.

    Raises:
        ArgumentError: No record, arrays that do not fit, or a group outside `groups`.

    Source: Hardt et al., NeurIPS 2016 (equalised odds, equal opportunity); Dixon et al., AIES 2018 (FPED, FNED).
    """
    counts = cells(decisions, y, z, groups=groups)
    n = len(y)
    draws = _rates(generator.multinomial(n, counts.ravel() / n, size=resamples).reshape(-1, *counts.shape))
    lacking = {label: _lacking(counts, label, groups=sorted(groups)) for label in (None, 0, 1)}
    computed = {} if any(lacking.values()) else _by_fairlearn(decisions, y, z)
    gaps = {}
    for name, gap in GAPS.items():
        reason = lacking[None] or next((lacking[label] for label in NEEDS[name] if lacking[label]), "")
        value = float(gap(_rates(counts))) if name not in computed else computed[name]
        gaps[name] = Guarded(None, reason) if reason else Guarded(percentile_interval(value, gap(draws), n=n))
    return Fairness(gaps, {group: _group(counts[place]) for place, group in enumerate(sorted(groups))})


def _by_fairlearn(decisions: np.ndarray, y: np.ndarray, z: np.ndarray) -> dict[str, float]:
    from fairlearn.metrics import (
        demographic_parity_difference,
        equal_opportunity_difference,
        equalized_odds_difference,
    )

    return {
        "demographic_parity_gap": float(demographic_parity_difference(y, decisions, sensitive_features=z)),
        "equal_opportunity_gap": float(equal_opportunity_difference(y, decisions, sensitive_features=z)),
        "equalized_odds_gap": float(equalized_odds_difference(y, decisions, sensitive_features=z)),
        "equalized_odds_gap_mean": float(equalized_odds_difference(y, decisions, sensitive_features=z, agg="mean")),
    }


def _lacking(counts: np.ndarray, label: int | None, *, groups: Sequence[int]) -> str:
    """Name the first group without records, or without records of a label."""
    there = counts.sum((1, 2)) if label is None else counts[:, label].sum(1)
    what = "record" if label is None else f"record of label {label}"
    return next((f"group {group} has no {what}" for group, count in zip(groups, there, strict=True) if not count), "")


def _group(counts: np.ndarray) -> GroupRates:
    """Return the rates of one group from its counts [2, 2] by label and decision."""
    negatives, positives = (int(count) for count in counts.sum(1))
    return GroupRates(
        n=negatives + positives,
        positives=positives,
        negatives=negatives,
        positive_rate=_rate(int(counts[:, 1].sum()), negatives + positives, "no record"),
        tpr=_rate(int(counts[1, 1]), positives, "no record of label 1"),
        fpr=_rate(int(counts[0, 1]), negatives, "no record of label 0"),
    )


def _rate(hits: int, n: int, reason: str) -> Guarded:
    return Guarded(wilson(hits, n)) if n else Guarded(None, reason)
