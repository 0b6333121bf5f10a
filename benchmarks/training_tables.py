"""Tables of `fast_training.py`: one line a run, and one a method over its seeds, against the method named last.

A mean over seeds has a t interval of 95 %: what another seed of the same recipe would give, on these same pictures.
Differences and ratios are taken seed by seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import stats

from gauntlet.metrics.intervals import Interval
from gauntlet.metrics.overfitting import Overfitting


@dataclass(frozen=True)
class Run:
    """One method with one seed.

    Attributes:
        clean: On the test split, at the selected epoch, as is `pgd_50`.
        best_epoch: The selected one.
        overfitting: Catastrophic, by the held-out record.
        training_s: Of the loop alone.
        whole_s: With the held-out attacks.
        training_wall_s: By the wall.
        history: The stage's record, one an epoch.
    """

    name: str
    seed: int
    clean: Interval
    pgd_50: Interval
    best_epoch: int
    overfitting: Overfitting
    training_s: float
    whole_s: float
    training_wall_s: float
    history: list[dict]


class Mean(NamedTuple):
    """A mean over seeds and its t interval of 95 %; nan where one seed gives none."""

    value: float
    low: float
    high: float


def over_seeds(values: Sequence[float]) -> Mean:
    """Return the mean of one number a seed.

    >>> [round(bound, 3) for bound in over_seeds([0.1, 0.2, 0.3])]
    [0.2, -0.048, 0.448]
    """
    mean, count = float(np.mean(values)), len(values)
    if count < 2:
        return Mean(mean, float("nan"), float("nan"))
    half = float(stats.t.ppf(0.975, count - 1) * np.std(values, ddof=1) / count**0.5)
    return Mean(mean, mean - half, mean + half)


def row(run: Run) -> str:
    """Return a run's line of the first table."""
    last, collapse = run.history[-1], run.overfitting
    fell = f"epoch {collapse.epoch}{', recovered' if collapse.recovered else ''}" if collapse.collapsed else "none"
    bend = min(record["linearity"] for record in run.history)
    return (
        f"| {run.name} | {run.seed} | {_percent(run.clean)} | {_percent(run.pgd_50)} | {run.best_epoch} "
        f"| {100 * last['clean']:.1f} / {100 * last['pgd_10']:.1f} | {fell} | {bend:.2f} "
        f"| {run.training_s:.1f} | {run.whole_s:.1f} | {run.training_wall_s:.1f} |"
    )


HEAD = (
    "| method | seed | clean | PGD-50 | best epoch | last epoch, held out: clean / PGD-10 | collapse | least linearity "
    "| training, s | with evaluation, s | training, wall s |\n|---|---|---|---|---|---|---|---|---|---|---|"
)


def _percent(rate: Interval | Mean) -> str:
    return f"{100 * rate.value:.1f} [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"


@dataclass(frozen=True)
class Summary:
    """One method over its seeds; `against` are differences to the last method, ratios of seconds to it.

    Attributes:
        ratio: Of training seconds, least, mean and greatest over the seeds.
        whole_ratio: The same with evaluation.
    """

    name: str
    seeds: list[int]
    clean: Mean
    pgd_50: Mean
    against: Mean
    ratio: tuple[float, float, float]
    whole_ratio: tuple[float, float, float]
    collapsed: int


def summaries(runs: Sequence[Run], names: Sequence[str]) -> list[Summary]:
    """Summarise each method over the seeds that it and the last one have both ended."""
    by = {name: {run.seed: run for run in runs if run.name == name} for name in names}
    found, last = [], by[names[-1]]
    for name, mine in by.items():
        if not (seeds := sorted(mine.keys() & last.keys())):
            continue
        pairs = [(mine[seed], last[seed]) for seed in seeds]
        ratios = [sorted(getattr(a, what) / getattr(b, what) for a, b in pairs) for what in ("training_s", "whole_s")]
        found.append(
            Summary(
                name,
                seeds,
                over_seeds([run.clean.value for run, _ in pairs]),
                over_seeds([run.pgd_50.value for run, _ in pairs]),
                over_seeds([run.pgd_50.value - other.pgd_50.value for run, other in pairs]),
                *((each[0], float(np.mean(each)), each[-1]) for each in ratios),
                sum(mine[seed].overfitting.collapsed for seed in seeds),
            )
        )
    return found


def table(found: Sequence[Summary], last: str) -> str:
    """Return the second table."""
    lines = [
        f"| method | seeds | clean | PGD-50 | PGD-50 minus {last}'s, points | training time over {last}'s "
        "| with evaluation | collapsed |\n|---|---|---|---|---|---|---|---|"
    ]
    for one in found:
        ratios = ("{1:.3f} ({0:.3f} to {2:.3f})".format(*each) for each in (one.ratio, one.whole_ratio))
        lines.append(
            f"| {one.name} | {len(one.seeds)} | {_percent(one.clean)} | {_percent(one.pgd_50)} "
            f"| {_percent(one.against)} | {' | '.join(ratios)} | {one.collapsed} of {len(one.seeds)} |"
        )
    return "\n".join(lines)
