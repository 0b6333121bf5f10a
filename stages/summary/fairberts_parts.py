"""What fairBERTs' figures share: settings and methods in order, and the measures by part."""

from collections.abc import Iterator

from stages.summary.figures import THIN, percent, span, words
from stages.summary.language_results import Fair, FairBerts, fairberts
from stages.summary.readings import Interval, Score

METHODS = ("plain", "reweighing", "cda", "adversarial", "inlp")
"""The baselines, the plainest first; fairBERTs' own modes come after, then its controls."""
PARTS = ("utility", "fairness", "counterfactual", "leakage")
GAP = "equalized_odds_gap"
MAJORITY = "majority"
QUIET = ("plain",)
"""Methods that do nothing about fairness; they stay grey."""

Settings = list[tuple[str, FairBerts]]


def ordered(scores: list[Score]) -> Settings:
    """Return names and results of the settings, by name."""
    return sorted((score.subject, fairberts(score)) for score in scores)


def method_order(name: str) -> tuple[int, bool, str]:
    """Rank a method: baselines, fairBERTs' modes, whatever else."""
    place = METHODS.index(name) if name in METHODS else len(METHODS)
    return place, not name.startswith("fairberts"), name


def methods(found: Settings) -> list[str]:
    """Return the methods of all settings, in order."""
    return sorted({name for _, each in found for name in (*each.methods, *each.pareto)}, key=method_order)


def measures(found: Fair) -> Iterator[tuple[str, str, Interval]]:
    """Yield part, name and interval of every measure that is defined, those under skew last."""
    parts = {part: getattr(found, part) for part in PARTS}
    if found.skewed:
        parts["skewed"] = found.skewed.utility | found.skewed.fairness
    for part, rates in parts.items():
        yield from ((part, name, rate) for name, rate in rates.items() if isinstance(rate, Interval))


def leaked(found: Fair) -> tuple[str, Interval] | None:
    """Return the probe that finds most of the protected attribute, and how often it is right."""
    probes = {name: rate for part, name, rate in measures(found) if part == "leakage" and name != MAJORITY}
    return max(probes.items(), key=lambda each: each[1].value) if probes else None


def majority(found: Fair) -> float | None:
    """Return how often it is right to name the larger group."""
    rate = found.leakage.get(MAJORITY)
    return rate.value if isinstance(rate, Interval) else rate


def point(name: str, rate: Interval) -> dict:
    """Write a rate as a row of a chart: one point of the series of that name."""
    ends = {"value": percent(rate.value), "low": percent(rate.low), "high": percent(rate.high)}
    return {"series": words(name), **ends, "range": span(rate.low, rate.high), "n": rate.n}


def named(found: Settings) -> dict:
    """Return the order of the series and those that stay grey, as a chart of points takes them."""
    names = methods(found)
    return {"names": [words(name) for name in names], "quiet": tuple(words(name) for name in names if name in QUIET)}


def gap(rate: Interval) -> str:
    """Write a difference of rates with its interval."""
    return f"{100 * rate.value:.1f}{THIN}points {span(rate.low, rate.high)}"
