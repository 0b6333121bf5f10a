"""How useful a two-class decision is, and how it changes when the text names the other group."""

from dataclasses import dataclass

import numpy as np

from gauntlet.errors import ArgumentError
from gauntlet.metrics.intervals import Interval, mean_interval, percentile_interval, wilson

THRESHOLD = 0.5
"""P(y = 1) from which the decision is 1, the same for every group."""


@dataclass(frozen=True)
class Guarded:
    """A number with its interval, or the reason why there is none.

    Attributes:
        interval: None where the records cannot say.
        reason: Empty where they can.
    """

    interval: Interval | None
    reason: str = ""


@dataclass(frozen=True)
class Utility:
    """How good decisions are: accuracy, F1 of label 1, area under the ROC curve."""

    accuracy: Guarded
    f1: Guarded
    auc: Guarded


@dataclass(frozen=True)
class Counterfactual:
    """Mean |f(x) - f(twin)| and the rate of decisions that the twin turns, over N pairs."""

    gap: Guarded
    flip_rate: Guarded


def decide(probabilities: np.ndarray) -> np.ndarray:
    """Return the decisions, int64 [N], of P(y = 1) [N]."""
    return (probabilities >= THRESHOLD).astype(np.int64)


def utility(probabilities: np.ndarray, y: np.ndarray, *, resamples: int, generator: np.random.Generator) -> Utility:
    """Measure how good decisions are.

    Args:
        probabilities: P(y = 1), [N].
        y: Labels, 0 or 1, [N].
        resamples: Of the bootstrap of F1 and AUC, at least 1; the interval of the accuracy is Wilson's.
        generator: Draws them.

    Returns:
        The three; those that need a label that is not there carry the reason.

    Raises:
        ArgumentError: No record, or arrays that do not fit.
    """
    check_paired(probabilities, y)
    count, decisions = len(y), decide(probabilities)
    table = np.bincount(2 * y + decisions, minlength=4)
    f1 = Guarded(None, "no record is labelled or decided 1")
    if table[1:].any():
        draws = _f1(generator.multinomial(count, table / count, size=resamples))
        f1 = Guarded(percentile_interval(float(_f1(table)), draws, n=count))
    auc = Guarded(None, f"no record has label {int(not y[0])}")
    if 0 < y.sum() < count:
        weights = generator.multinomial(count, np.full(count, 1 / count), size=resamples)
        value = _auc(probabilities, y, np.ones((1, count)))[0]
        auc = Guarded(percentile_interval(value, _auc(probabilities, y, weights), n=count))
    return Utility(Guarded(wilson(int((decisions == y).sum()), count)), f1, auc)


def _f1(table: np.ndarray) -> np.ndarray:
    """Return F1 of counts [..., 4] by 2 y + decision."""
    with np.errstate(invalid="ignore"):
        return 2 * table[..., 3] / (2 * table[..., 3] + table[..., 1] + table[..., 2])


def _auc(scores: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the AUC of weighted records [R, N]; equal scores of the two labels count one half."""
    order = np.argsort(scores, kind="stable")
    begins = np.flatnonzero(np.r_[True, np.diff(scores[order]) > 0])
    ones = np.add.reduceat((weights * y)[:, order], begins, axis=1)
    zeros = np.add.reduceat((weights * (1 - y))[:, order], begins, axis=1)
    below = np.cumsum(zeros, axis=1) - zeros / 2
    with np.errstate(invalid="ignore"):
        return (ones * below).sum(1) / (ones.sum(1) * zeros.sum(1))


def counterfactual(
    probabilities: np.ndarray, twins: np.ndarray, *, resamples: int, generator: np.random.Generator
) -> Counterfactual:
    """Compare what a model says of texts and of their twins.

    Args:
        probabilities: P(y = 1) of N texts.
        twins: P(y = 1) of the same texts about the other group.
        resamples: Of the bootstrap of the gap.
        generator: Draws them.

    Raises:
        ArgumentError: Arrays that do not fit.

    Source: Garg et al., AIES 2019 (counterfactual token fairness gap), with one twin a text.
    """
    if len(probabilities) != len(twins):
        raise ArgumentError(f"every text must have its twin; got {len(probabilities)} and {len(twins)}")
    if not len(twins):
        return Counterfactual(Guarded(None, "no text has a twin"), Guarded(None, "no text has a twin"))
    moved = np.abs(probabilities - twins)[:, None]
    flips = int((decide(probabilities) != decide(twins)).sum())
    gap = mean_interval(moved, resamples=resamples, generator=generator)[0]
    return Counterfactual(Guarded(gap), Guarded(wilson(flips, len(twins))))


def check_paired(first: np.ndarray, second: np.ndarray) -> None:
    """Raise ArgumentError unless both arrays have as many records, at least one."""
    if len(first) != len(second) or not len(first):
        raise ArgumentError(f"both arrays must have N >= 1 records; got {len(first)} and {len(second)}")
