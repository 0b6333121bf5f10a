"""What SAFE's figures share: the sets, the methods in order, and how both are written."""

from collections.abc import Iterable
from dataclasses import dataclass

from stages.summary.few_shot_results import GENERALISATION, MEANS, FewShot, Generalisation, few_shot, generalisation
from stages.summary.figures import THIN, percent, span, words
from stages.summary.readings import Interval, Score

NAMES = {
    "safe": "SAFE", "safe_a": "SAFE-A", "tip_adapter_f": "Tip-Adapter-F", "tip_adapter": "Tip-Adapter", "coop": "CoOp",
    "clip_adapter": "CLIP-Adapter", "linear_probe": "linear probe", "zero_shot": "zero-shot",
}  # fmt: skip
"""The methods as the field writes them, in the order that gives each its colour."""
ZERO_SHOT = "zero_shot"
QUIET = (NAMES[ZERO_SHOT],)


@dataclass(frozen=True)
class Found:
    """All that was scored: results by set, in order; their means; and what carries over to other styles."""

    sets: dict[str, FewShot]
    means: FewShot | None
    elsewhere: Generalisation | None


def gathered(scores: list[Score]) -> Found:
    """Read the scores of the method.

    Raises:
        DataError: A key is missing or of another kind.
    """
    by_name = {score.subject: score for score in sorted(scores, key=lambda score: score.subject)}
    means, elsewhere = by_name.pop(MEANS, None), by_name.pop(GENERALISATION, None)
    return Found(
        {name: few_shot(score) for name, score in by_name.items()},
        few_shot(means) if means else None,
        generalisation(elsewhere) if elsewhere else None,
    )


def said(method: str) -> str:
    """Write the name of a method."""
    return NAMES.get(method) or words(method)


def in_order(methods: Iterable[str]) -> list[str]:
    """Sort methods as `NAMES` has them, others behind."""
    known = list(NAMES)
    return sorted(methods, key=lambda name: (known.index(name) if name in known else len(known), name))


def by_shots(found: FewShot) -> dict[str, dict[int, Interval]]:
    """Return what is defined by method and shots; zero-shot, which no shots change, at all that others have."""
    rates = {name: {k: rate for k, rate in each.shots.items() if rate} for name, each in found.methods.items()}
    every = sorted({shots for each in rates.values() for shots in each})
    if found.zero_shot and not rates.get(ZERO_SHOT):
        rates[ZERO_SHOT] = dict.fromkeys(every, found.zero_shot)
    return {name: rates[name] for name in in_order(rates) if rates[name]}


def row(method: str, rate: Interval) -> dict:
    """Write a rate as a row of a chart and its table."""
    ends = {"low": percent(rate.low), "high": percent(rate.high), "range": span(rate.low, rate.high)}
    return {"series": said(method), **ends, "n": rate.n}


def whole(rate: Interval) -> str:
    """Write a rate with its interval."""
    return f"{100 * rate.value:.1f}{THIN}% {span(rate.low, rate.high)}"
