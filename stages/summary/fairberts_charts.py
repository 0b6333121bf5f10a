"""fairBERTs as points: gaps, what leaks, counterfactual flips, the generator elsewhere, and the groups' counts."""

from collections.abc import Callable

from stages.summary.charts import BANDS, INK, Chart, dots
from stages.summary.fairberts_parts import (
    GAP,
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
from stages.summary.language_results import Fair, FairBerts, counts, intervals
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
        | {f"{part}.{measure}": _cell(rate) for part, measure, rate in measures(each.methods[name])}
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
        columns={"setting": "Setting", "method": "Method"} | {key: _heading(key) for key in shown},
        rows=numbers,
        wide=True,
    )


def _heading(key: str) -> str:
    part, _, measure = key.partition(".")
    said = f"{part}: {words(measure)}" if part in ("counterfactual", "leakage") else words(measure)
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
    """Draw what becomes of another encoder's gap when it is given this generator, or a random one."""
    every = [(setting, keys, rate) for setting, each in found for keys, rate in intervals(each.transfer)]
    rows = [{"group": words(setting)} | point(keys[0], rate) for setting, keys, rate in every if keys[-1] == GAP]
    numbers = [
        {"group": words(setting), "measure": words(" ".join(keys[1:])) or "value"} | point(keys[0], rate)
        for setting, keys, rate in every
    ]
    if not rows:
        return None
    names = list(dict.fromkeys(row["series"] for row in rows))
    return Chart(
        name="fairberts-transfer",
        title="The generator on another encoder",
        caption=(
            "Dot: equalized odds gap of an encoder that was trained without regard to fairness, as it is, with the "
            "generator trained elsewhere, and with a random one. Bar: its interval. The numbers hold the rest."
        ),
        spec=dots(
            rows,
            groups=list(dict.fromkeys(row["group"] for row in rows)),
            names=names,
            group="setting",
            series="generator",
            axis="equalized odds gap (points)",
            about="Equalized odds gap of other encoders with and without the generator.",
            axis_px=AXIS_PX,
        ),
        columns={"group": "Setting", "series": "Generator", "measure": "Measure", "value": "Value (%, points)"}
        | {"range": "Interval", "n": "Sentences"},
        rows=numbers,
    )


def _groups(found: Settings) -> Chart | None:
    rows = [
        {"group": words(setting), "series": words(" ".join(keys)), "value": count, "range": ""}
        for setting, each in found
        for keys, count in counts(_counted(each))
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
            names=list(dict.fromkeys(row["series"] for row in rows)),
            group="setting",
            series="group",
            axis="test sentences",
            about="Count of test sentences by setting, group and label.",
            axis_px=AXIS_PX,
        ),
        columns={"group": "Setting", "series": "Group", "value": "Sentences"},
        rows=rows,
    )


def _counted(found: FairBerts) -> dict:
    """Return the counts of the first method: all are tested on the same sentences."""
    return found.methods[min(found.methods, key=method_order)].counts if found.methods else {}
