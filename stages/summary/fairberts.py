"""fairBERTs in the report: what each method keeps of accuracy, closes of the gaps, and leaves of what it erases."""

from stages.summary import fairberts_charts, fairberts_fronts
from stages.summary.charts import Chart
from stages.summary.fairberts_parts import GAP, gap, leaked, majority, measures, method_order, ordered
from stages.summary.figures import THIN, words
from stages.summary.language_results import FairBerts
from stages.summary.readings import Score

OURS = "fairberts"


def table(scores: list[Score]) -> list[dict]:
    """List every measure of every method with its interval, then by weight, for `dvc plots`; rates in [0, 1]."""
    rows = []
    for setting, found in ordered(scores):
        for method in sorted(found.methods, key=method_order):
            rows += [(setting, method, *each[:2], "", each[2]) for each in measures(found.methods[method])]
        for method, weights in found.pareto.items():
            rows += [
                (setting, method, "pareto", name, "" if at.weight is None else at.weight, rate)
                for at in weights
                for name in ("accuracy", GAP, "demographic_parity_gap", "leakage")
                if (rate := getattr(at, name))
            ]
        for model, each in (found.transfer | found.controls).items():
            rows += [(setting, model, *kind, "", rate) for *kind, rate in measures(each)]
    return [
        {"subject": setting, "method": method, "part": part, "quantity": name, "weight": weight}
        | {"value": rate.value, "low": rate.low, "high": rate.high, "n": rate.n}
        for setting, method, part, name, weight, rate in rows
    ]


def _ours(found: FairBerts) -> str | None:
    """Return the method that stands for fairBERTs: the one of that name, else its first mode."""
    names = sorted(found.methods, key=method_order)
    return next((name for name in names if name == OURS), next((n for n in names if n.startswith(OURS)), None))


def detail(score: Score) -> str:
    """Say the plain model's gap and both accuracies."""
    (_, found), said = ordered([score])[0], []
    for name in dict.fromkeys(filter(None, ("plain" if "plain" in found.methods else None, _ours(found)))):
        each = found.methods[name]
        rate, accuracy = each.fairness.get(GAP), each.utility.get("accuracy")
        parts = [f"gap {100 * rate.value:.1f}"] if rate and name == "plain" else []
        parts += [f"accuracy {100 * accuracy.value:.1f}{THIN}%"] if accuracy else []
        said.append(f"{words(name)} {', '.join(parts)}")
    return "; ".join(said)


def finding(scores: list[Score]) -> str:
    """Say in a line a setting what fairBERTs does to the gap and to accuracy, beside doing nothing, and what leaks."""
    return "\n".join(filter(None, (_said(setting, found) for setting, found in ordered(scores))))


def _said(setting: str, found: FairBerts) -> str:
    ours, plain = _ours(found), found.methods.get("plain")
    if ours is None or plain is None:
        return ""
    here = found.methods[ours]
    after, before = here.fairness.get(GAP), plain.fairness.get(GAP)
    if after is None or before is None:
        return ""
    said = [f"{words(ours)} leaves an equalized odds gap of {gap(after)}, plain {gap(before)}"]
    kept, was = here.utility.get("accuracy"), plain.utility.get("accuracy")
    if kept and was:
        said.append(f"accuracy {_percent(kept.value)} against {_percent(was.value)}")
    most, chance = leaked(here), majority(here)
    if most and chance is not None:
        said.append(f"a fresh probe still finds {_percent(most[1].value)}, the larger group is {_percent(chance)}")
    return f"{words(setting).capitalize()}: {'; '.join(said)}."


def _percent(rate: float) -> str:
    return f"{100 * rate:.1f}{THIN}%"


def charts(scores: list[Score]) -> list[Chart]:
    """Draw the gaps with all measures below, a front a setting, then what leaks, flips and carries over, and groups."""
    found = ordered(scores)
    gaps, *others = fairberts_charts.charts(found)
    return [chart for chart in (gaps, *fairberts_fronts.charts(found), *others) if chart]
