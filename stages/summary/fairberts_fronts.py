"""fairBERTs' fronts: accuracy against the gap over the weight of fairness, a line a method."""

from collections.abc import Sequence

from stages.summary.charts import SOFT, Chart, chosen, colour, faded, frame, layer, zoom
from stages.summary.fairberts_parts import GAP, QUIET, Settings, method_order, methods
from stages.summary.figures import percent, span, words
from stages.summary.language_results import FairBerts
from stages.summary.planes import front
from stages.summary.readings import Interval

SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left")
HEIGHT_PX = 300
X, Y = "equalized odds gap (points)", "accuracy (%)"
NONE = "none"


def charts(found: Settings) -> list[Chart]:
    """Draw one plane a setting that has a point."""
    names = methods(found)
    return [_chart(setting, rows, names=names) for setting, each in found if (rows := _rows(each))]


def _rows(found: FairBerts) -> list[dict]:
    """Return a point for each weight of each method; of a method without weights, its one point."""
    rows = [
        _point(name, at.accuracy, at.equalized_odds_gap, weight=NONE if at.weight is None else f"{at.weight:g}")
        | {"other": _said(at.demographic_parity_gap), "leakage": _said(at.leakage)}
        for name in sorted(found.pareto, key=method_order)
        for at in sorted(found.pareto[name], key=lambda at: at.weight or 0.0)
        if at.accuracy and at.equalized_odds_gap
    ]
    for name in sorted(found.methods.keys() - found.pareto.keys(), key=method_order):
        each = found.methods[name]
        accuracy, gap = each.utility.get("accuracy"), each.fairness.get(GAP)
        if accuracy and gap:
            other = each.fairness.get("demographic_parity_gap")
            rows.append(_point(name, accuracy, gap, weight=NONE) | {"other": _said(other), "leakage": ""})
    best = front([(-row["x"], row["y"]) for row in rows])
    return [row | {"front": place in best} for place, row in enumerate(rows)]


def _point(name: str, accuracy: Interval, gap: Interval, *, weight: str) -> dict:
    return (
        {"kind": words(name), "weight": weight, "quiet": name in QUIET}
        | {"x": percent(gap.value), "x_low": percent(gap.low), "x_high": percent(gap.high)}
        | {"y": percent(accuracy.value), "y_low": percent(accuracy.low), "y_high": percent(accuracy.high)}
        | {"across": span(gap.low, gap.high), "up": span(accuracy.low, accuracy.high), "n": accuracy.n}
    )  # fmt: skip


def _said(rate: Interval | None) -> str:
    return f"{percent(rate.value):.1f} {span(rate.low, rate.high)}" if rate else ""


def _chart(setting: str, rows: list[dict], *, names: list[str]) -> Chart:
    return Chart(
        name=f"fairberts-front-{setting}",
        title=f"Accuracy against the gap: {words(setting)}",
        caption=(
            "One point a weight of fairness, joined by method in the order of the weights; up and left is better. "
            "Dashed: the points that no other beats in both. Bars: intervals. Drag to pan, Ctrl-scroll to zoom."
        ),
        spec=_plane(
            rows,
            names=[words(name) for name in names],
            about=f"Accuracy over the equalized odds gap of each method at each weight, {words(setting)}.",
        ),
        columns={"kind": "Method", "weight": "Weight", "x": "Equalized odds gap (points)", "across": "Interval"}
        | {"y": "Accuracy (%)", "up": "Interval", "other": "Demographic parity gap", "leakage": "Leakage"}
        | {"n": "Sentences"},
        rows=rows,
    )


def _plane(rows: list[dict], *, names: Sequence[str], about: str) -> dict:
    scale = {"zero": False, "nice": False, "padding": 16}
    x = {"field": "x", "type": "quantitative", "title": X, "scale": scale, "axis": {"tickCount": 6, "grid": False}}
    y = {"field": "y", "type": "quantitative", "title": Y, "scale": scale, "axis": {"tickCount": 6}}
    quiet = tuple(dict.fromkeys(row["kind"] for row in rows if row["quiet"]))
    tint = {"color": colour("kind", names, quiet=quiet), "opacity": faded()}
    shapes = [SHAPES[place % len(SHAPES)] for place in range(len(names))]
    shape = {"field": "kind", "type": "nominal", "scale": {"domain": list(names), "range": shapes}}
    tooltip = [
        {"field": "kind", "type": "nominal", "title": "method"},
        {"field": "weight", "type": "nominal"},
        *(
            {"field": axis, "type": "quantitative", "title": title, "format": ".1f"}
            for axis, title in zip("xy", (X, Y), strict=True)
        ),
        {"field": "across", "type": "nominal", "title": "interval of the gap"},
        {"field": "up", "type": "nominal", "title": "interval of accuracy"},
    ]
    places, bar = {"x": x, "y": y}, {"type": "rule", "strokeWidth": 1.2, "strokeOpacity": 0.35}
    stairs = {"type": "line", "stroke": SOFT, "strokeDash": [5, 4], "strokeWidth": 1.2, "interpolate": "step-after"}
    path = {"order": {"field": "place", "type": "quantitative"}}
    upright = {"x": x, "y": y | {"field": "y_low"}, "y2": {"field": "y_high"}}
    level = {"x": x | {"field": "x_low"}, "x2": {"field": "x_high"}, "y": y}
    layers = [
        layer(stairs, places, values=sorted((row for row in rows if row["front"]), key=lambda row: row["x"])),
        layer(bar, upright | tint),
        layer(bar, level | tint),
        layer({"type": "line", "strokeWidth": 1.6}, places | tint | path),
        layer({"type": "point", "filled": True, "size": 80}, places | tint | {"shape": shape, "tooltip": tooltip}),
    ]
    placed = [row | {"place": place} for place, row in enumerate(rows)]
    return frame(about, height=HEIGHT_PX, layers=layers, params=[chosen("kind"), zoom()]) | {"data": {"values": placed}}
