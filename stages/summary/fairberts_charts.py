"""fairBERTs as points: gaps, what leaks, counterfactual flips, the generator elsewhere, and the groups' counts."""

from collections.abc import Callable

from stages.summary.charts import BANDS, INK, Chart, dots
from stages.summary.fairberts_parts import (
    GAP,
    QUIET,
    Settings,
    leaked,
    majority,
    measures,
    method_order,
    methods,
    named,
    point,
)
from stages.summary.figures import percent, span, words
from stages.summary.language_results import Fair, FairBerts, Sizes
from stages.summary.readings import Interval

LARGEST_DOT_PX, GROUP_PX, AXIS_PX = 12, 100, 190
FLIPS = ("flip_rate", "flips")
MARGIN_PX = 8
"""Between the line of the majority rate and the edge of its group."""


def charts(found: Settings) -> list[Chart | None]:
    """Draw the gaps first, then the others; None stands for what was not measured."""
    return [_gaps(found), _leakage(found), _flips(found), _transfer(found), _groups(found)]


def _dots(found: Settings, rows: list[dict], *, axis: str, about: str) -> dict:
    """Draw a group a setting, a dot a method."""
    return dots(
        rows,
        groups=list(dict.fromkeys(row["group"] for row in rows)),
        **named(found),
        group="setting",
        series="method",
        axis=axis,
        about=about,
        dot_px=max(5, min(LARGEST_DOT_PX, GROUP_PX // len(methods(found)))),
        axis_px=AXIS_PX,
    )


def _points(found: Settings, rate: Callable[[Fair], Interval | None]) -> list[dict]:
    return [
        {"group": words(setting)} | point(name, value)
        for setting, each in found
        for name in sorted(each.methods, key=method_order)
        if (value := rate(each.methods[name]))
    ]


def _gaps(found: Settings) -> Chart | None:
    rows = _points(found, lambda each: each.fairness.get(GAP))
    if not rows:
        return None
    numbers = [
        {"setting": words(setting), "method": words(name)}
        | {
            f"{part}.{measure}": _cell(rate)
            for part, measure, rate in measures(each.methods[name])
            if _listed(part, measure)
        }
        | {"code": _code(each.methods[name])}
        for setting, each in found
        for name in sorted(each.methods, key=method_order)
    ]
    shown = dict.fromkeys(key for row in numbers for key in row if "." in key)
    return Chart(
        name="fairberts-gaps",
        title="Equalized odds gap of each method",
        caption=(
            "Dot: the larger of the groups’ differences in true and in false positive rate, in points; lower is "
            "fairer. Bar: its interval. Grey: nothing is done about fairness. The numbers hold all measures, in per "
            "cent or points; where a group has no positives or no negatives there is none."
        ),
        spec=_dots(found, rows, axis="equalized odds gap (points)", about="Equalized odds gap by setting and method."),
        columns={"setting": "Setting", "method": "Method"}
        | {key: _heading(key) for key in shown}
        | {"code": "Code of the groups (bits)"},
        rows=numbers,
        wide=True,
    )


def _listed(part: str, measure: str) -> bool:
    return part != "skewed" or measure in ("accuracy", GAP)


def _code(found: Fair) -> str:
    """Say how many bits the groups' code takes given the states, of how many without them."""
    code = found.description_length
    return f"{code.bits:.0f} of {code.uniform:.0f}" if code else ""


def _heading(key: str) -> str:
    part, _, measure = key.partition(".")
    said = f"{part}: {words(measure)}" if part in ("counterfactual", "leakage", "skewed") else words(measure)
    return f"{said[0].upper()}{said[1:]}"


def _cell(rate: Interval) -> str:
    return f"{percent(rate.value):.1f} {span(rate.low, rate.high)}"


def _leakage(found: Settings) -> Chart | None:
    rows = _points(found, lambda each: probe[1] if (probe := leaked(each)) else None)
    if not rows:
        return None
    probes = {
        (words(setting), words(name)): words(probe[0])
        for setting, each in found
        for name, fair in each.methods.items()
        if (probe := leaked(fair))
    }
    lines = {
        words(setting): percent(max(rates))
        for setting, each in found
        if (rates := [rate for fair in each.methods.values() if (rate := majority(fair)) is not None])
    }
    spec = _dots(
        found, rows, axis="probe’s accuracy (%)", about="How well a fresh probe finds the protected attribute."
    )
    spec["layer"].append(_marks(lines, height=spec["height"] // len({row["group"] for row in rows})))
    return Chart(
        name="fairberts-leakage",
        title="What a fresh probe still finds",
        caption=(
            "Dot: accuracy on the protected attribute of the probe that finds most, trained anew on the sentence "
            "states. Bar: its interval. Line: how often it is right to name the larger group; nothing leaks there."
        ),
        spec=spec,
        columns={"group": "Setting", "series": "Method", "probe": "Probe", "value": "Accuracy (%)"}
        | {"range": "Interval", "majority": "Majority rate (%)", "n": "Sentences"},
        rows=[
            row | {"probe": probes[(row["group"], row["series"])], "majority": lines.get(row["group"], "")}
            for row in rows
        ],
    )


def _marks(lines: dict[str, float], *, height: int) -> dict:
    """Draw the majority rate of each setting across its group."""
    tooltip = [
        {"field": "group", "type": "nominal", "title": "setting"},
        {"field": "value", "type": "quantitative", "format": ".1f", "title": "majority rate (%)"},
    ]
    return {
        "data": {"values": [{"group": setting, "value": value} for setting, value in lines.items()]},
        "mark": {"type": "tick", "orient": "vertical", "thickness": 2, "size": height - MARGIN_PX, "color": INK},
        "encoding": {
            "y": {"field": "group", "type": "nominal", "sort": list(lines), "title": None} | BANDS,
            "x": {"field": "value", "type": "quantitative"},
            "tooltip": tooltip,
        },
    }


def _flips(found: Settings) -> Chart | None:
    rows = _points(found, lambda each: next((rate for name in FLIPS if (rate := each.counterfactual.get(name))), None))
    if not rows:
        return None
    return Chart(
        name="fairberts-flips",
        title="Counterfactual flips",
        caption=(
            "Dot: share of sentences whose predicted class changes when the identity terms are swapped; lower is "
            "fairer. Bar: its interval."
        ),
        spec=_dots(found, rows, axis="flip rate (%)", about="Counterfactual flip rate by setting and method."),
        columns={"group": "Setting", "series": "Method", "value": "Flips (%)", "range": "Interval", "n": "Sentences"},
        rows=rows,
    )


def _transfer(found: Settings) -> Chart | None:
    """Draw the gaps of other encoders that were given the generator, and of the controls, beside plain training."""
    beside = [(setting, named_models) for setting, each in found if (named_models := _elsewhere(each))]
    rows = [
        {"group": words(setting), "accuracy": _said(model.utility.get("accuracy"))} | point(name, gap)
        for setting, models in beside
        for name, model in models.items()
        if (gap := model.fairness.get(GAP))
    ]
    if not rows:
        return None
    return Chart(
        name="fairberts-transfer",
        title="The generator on other encoders, and controls",
        caption=(
            "Dot: equalized odds gap of encoders that were trained without regard to fairness and given the "
            "generator, and of controls, such as a generator of random weights. Bar: its interval. Grey: plain "
            "training."
        ),
        spec=dots(
            rows,
            groups=list(dict.fromkeys(row["group"] for row in rows)),
            names=list(dict.fromkeys(row["series"] for row in rows)),
            quiet=tuple(words(name) for name in QUIET),
            group="setting",
            series="model",
            axis="equalized odds gap (points)",
            about="Equalized odds gap of encoders that were given the generator, and of controls.",
            axis_px=AXIS_PX,
        ),
        columns={"group": "Setting", "series": "Model", "value": "Gap (points)", "range": "Interval"}
        | {"accuracy": "Accuracy (%)", "n": "Sentences"},
        rows=rows,
    )


def _elsewhere(found: FairBerts) -> dict[str, Fair]:
    """Return the plain model, then those with a generator that was not trained with them; empty if there are none."""
    others = found.transfer | found.controls
    return {name: found.methods[name] for name in QUIET if name in found.methods} | others if others else {}


def _said(rate: Interval | None) -> str:
    return _cell(rate) if rate else ""


def _groups(found: Settings) -> Chart | None:
    rows = [
        {"group": f"{words(setting)}: {each.groups.get(group, group)}", "series": label, "value": count, "range": ""}
        for setting, each in found
        for group, sizes in sorted(_counted(each).items())
        for label, count in (("y = 1", sizes.positives), ("y = 0", sizes.negatives))
    ]
    if not rows:
        return None
    return Chart(
        name="fairberts-groups",
        title="Sentences of each group in the test set",
        caption="Dot: count of test sentences by group and label. Few in a group make its rates uncertain.",
        spec=dots(
            rows,
            groups=list(dict.fromkeys(row["group"] for row in rows)),
            names=["y = 1", "y = 0"],
            group="group",
            series="label",
            axis="test sentences",
            about="Count of test sentences by setting, group and label.",
            axis_px=AXIS_PX,
        ),
        columns={"group": "Setting and group", "series": "Label", "value": "Sentences"},
        rows=rows,
    )


def _counted(found: FairBerts) -> dict[str, Sizes]:
    """Return the counts of the first method: all are tested on the same sentences."""
    return found.methods[min(found.methods, key=method_order)].counts if found.methods else {}
