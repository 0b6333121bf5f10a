"""ARES-Bench in the report: which model keeps how much under which budget, and which numbers are not to be believed."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stages.summary import ares_bench_lines, ares_bench_pairs
from stages.summary.ares_bench_models import NORM, Model, Models, common_budget, deal
from stages.summary.charts import Chart
from stages.summary.figures import THIN, budget, words
from stages.summary.readings import Score
from stages.summary.robust_results import ares

MARGIN = 0.03
"""Rate by which a borrowed attack must beat the model's own before it is called a sign of masked gradients."""

COUNT = re.compile(r" at \d+ of \d+ images")

NAMED = 4
"""Models that a problem names before it counts them."""


@dataclass(frozen=True)
class _Point:
    x: float
    value: float
    low: float | str = ""
    high: float | str = ""


def table(scores: list[Score]) -> list[dict]:
    """List every line of every model, for `dvc plots`; rates and budgets in [0, 1]."""
    return [
        {"method": "ares_bench", "subject": score.subject, "data": ares(score).data, "quantity": quantity}
        | {"x": point.x, "value": point.value, "low": point.low, "high": point.high}
        for score in scores
        for quantity, points in _quantities(score).items()
        for point in points
    ]


def _quantities(score: Score) -> dict[str, Iterator[_Point]]:
    found = ares(score)
    lines = {
        f"curve_{norm}": map(_Point, curve.budgets, curve.robust_top1, curve.low, curve.high)
        for norm, curve in sorted(found.curves.items())
    }
    if found.steps:
        lines["steps"] = map(_Point, found.steps.steps, found.steps.robust_top1, found.steps.low, found.steps.high)
    if found.frequency:
        lines["frequency"] = map(_Point, found.frequency.radius, found.frequency.top1)
    for name, rates in sorted(found.corruptions.items()):
        lines[f"corruption_{name}"] = map(_Point, range(1, len(rates) + 1), rates)
    return lines


def transfer_table(scores: list[Score]) -> list[dict]:
    """List the top-1 that each model keeps under each attack made on each source, for `dvc plots`; rates in [0, 1]."""
    return [
        {"data": ares(score).data, "attack": attack, "source": source, "subject": score.subject, "robust_top1": rate}
        for score in scores
        for attack, sources in sorted(ares(score).transfer.items())
        for source, rate in sorted(sources.items())
    ]


def detail(score: Score) -> str:
    """Say on what data, what is left clean and under the strongest attack, the median radius and mCE."""
    found = ares(score)
    said = [found.data, f"clean {_percent(found.clean.value)}"]
    if found.attacks:
        strongest = min(found.attacks, key=lambda attack: found.attacks[attack].value)
        said.append(f"{words(strongest)} {_percent(found.attacks[strongest].value)}")
    curve = found.curves.get(NORM)
    if curve and curve.median_radius is not None:
        said.append(f"median radius {_levels(curve.median_radius)}")
    if found.mce is not None:
        said.append(f"mCE {100 * found.mce:.0f}{THIN}%")
    return ", ".join(said)


def leading(scores: list[Score]) -> list[Score]:
    """Return those that the overview shows at once: of each data set the three best headlines, and the worst."""
    shown: set[str] = set()
    for models in deal(scores):
        names = [model.name for model in models.ranked]
        shown |= {*names[:3], *names[-1:]}
    return [score for score in scores if score.subject in shown]


def finding(scores: list[Score]) -> str:
    """Say who keeps most at the common budget and who least, then name every number in doubt, with its reason."""
    dealt = deal(scores)
    said = [_standing(models) for models in dealt]
    doubts = [doubt for models in dealt for doubt in _doubts(models)]
    if doubts:
        said.append(f"Not to be taken at face value: {'; '.join(doubts)}.")
    return "\n".join(filter(None, said))


def _standing(models: Models) -> str:
    at = common_budget(models)
    kept = {model.name: rate for model in models.models if (rate := model.at(at)) is not None}
    if not kept:
        return ""
    best, worst = max(kept, key=kept.get), min(kept, key=kept.get)
    said = f"{models.data}, {words(NORM)} {budget(at)}: {best} keeps most, {_percent(kept[best])}"
    if best != worst:
        said += f"; {worst} least, {_percent(kept[worst])}"
    return f"{said}."


def _doubts(models: Models) -> list[str]:
    """Say each problem once, on however many images it was seen, with the models and the defences that have it."""
    having: dict[tuple[str, str], list[str]] = {}
    for model in models.ranked:
        shown = {"": model.ares.self_checks} | {name: each.problems for name, each in model.ares.defences.items()}
        for where, problems in shown.items():
            for problem in problems:
                having.setdefault((where, COUNT.sub("", problem).rstrip(".")), []).append(model.name)
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (where, problem), names in having.items():
        alike.setdefault((where, tuple(names)), []).append(problem)
    places: dict[tuple[tuple[str, ...], str, bool], list[str]] = {}
    for (where, names), problems in alike.items():
        places.setdefault((names, ", ".join(problems), where == ""), []).append(where)
    said = [f"{_several(names)}{_behind(wheres)}: {problems}" for (names, problems, _), wheres in places.items()]
    return said + [doubt for model in models.ranked for doubt in _borrowed(model)]


def _behind(defences: Sequence[str]) -> str:
    return f" behind {' and '.join(map(words, defences))}" if any(defences) else ""


def _several(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= NAMED else f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"


def _borrowed(model: Model) -> list[str]:
    """Name each attack that works better when made on another model than through this one."""
    said = []
    for attack, sources in model.ares.transfer.items():
        own = sources.get(model.name)
        other = min((name for name in sources if name != model.name), key=sources.__getitem__, default=None)
        if own is not None and other is not None and sources[other] < own - MARGIN:
            said.append(
                f"{model.name}: {words(attack)} made on {other} leaves {_percent(sources[other])}, less than its own "
                f"{_percent(own)}, which speaks for masked gradients"
            )
    return said


def _percent(rate: float) -> str:
    return f"{100 * rate:.1f}{THIN}%"


def _levels(radius: float) -> str:
    return f"{255 * radius:.1f}/255"


def charts(scores: list[Score]) -> list[Chart]:
    """Draw the figures of each data set, those that its models were tried for."""
    return [
        chart
        for models in deal(scores)
        for chart in (*ares_bench_lines.charts(models), *ares_bench_pairs.charts(models))
    ]
