"""Panels: the same small line chart once for each of many conditions, side by side on one axis up."""

import json
from collections.abc import Sequence

from stages.summary.charts import RULE, chosen, colour, faded, frame

GAP = 1.0
"""Steps between two panels."""
HEIGHT_PX = 240
NARROW_PX = 760
"""Width below which the panels' names stand on end."""


def panels(
    rows: list[dict],
    *,
    groups: Sequence[str],
    names: Sequence[str],
    quiet: tuple[str, ...] = (),
    group: str,
    series: str,
    x: str,
    y: str,
    about: str,
) -> dict:
    """Draw one line for each series in each panel, with its interval as a bar.

    The panels share one view, their places across laid end to end: facets would not take the width of the page.

    Args:
        rows: Each holds "group", "series", "x" (0 or more, the same few steps in each panel), "y", "range" (words) and,
            where there is an interval, "low" and "high".
        groups: Order of the panels.
        names: Order of the series.
        quiet: Series that stay grey.
        group: What a panel is, such as "corruption".
        series: What the colour tells apart, such as "model".
        x: What the steps within a panel are.
        y: Title of the axis up, with its unit.
        about: One sentence for a reader who cannot see the chart.
    """
    longest = max((row["x"] for row in rows), default=0)
    pitch = longest + 2 * GAP
    order = {name: place for place, name in enumerate(groups)}
    placed = [row | {"place": order[row["group"]] * pitch + row["x"]} for row in rows]
    ends = [-GAP, pitch * len(order) - GAP]
    places = {
        "x": {"field": "place", "type": "quantitative", "title": None, "scale": {"domain": ends, "nice": False}},
        "y": {"field": "y", "type": "quantitative", "title": y, "axis": {"tickCount": 5}},
    }
    places["x"]["axis"] = _labels(groups, pitch=pitch, middle=longest / 2)
    tint = {"color": colour("series", list(names), quiet=quiet), "opacity": faded()}
    said = {series: "series", group: "group", x: "x", y: "y", "interval": "range"}
    line = {"type": "line", "strokeWidth": 1.8}
    bar = {"type": "rule", "strokeWidth": 1.2, "strokeOpacity": 0.4}
    point = {"type": "point", "filled": True, "size": 22}
    upright = {"y": places["y"] | {"field": "low"}, "y2": {"field": "high"}}
    bars = {"transform": [{"filter": "isValid(datum.low)"}], "mark": bar, "encoding": places | upright | tint}
    layers = [
        _fences([place * pitch - GAP for place in range(1, len(order))], across=places["x"]),
        {"mark": line, "encoding": places | tint | {"detail": {"field": "group", "type": "nominal"}}},
        *([bars] if any("low" in row for row in rows) else []),
        {"mark": point, "encoding": places | tint | {"tooltip": _tooltip(said)}},
    ]
    spec = frame(about, height=HEIGHT_PX, layers=layers, params=[chosen("series")])
    return spec | {"data": {"values": placed}}


def _fences(between: list[float], *, across: dict) -> dict:
    """Part the panels by lines."""
    return {
        "data": {"values": [{"place": place} for place in between]},
        "mark": {"type": "rule", "stroke": RULE},
        "encoding": {"x": across},
    }


def _tooltip(said: dict[str, str]) -> list[dict]:
    return [
        {"field": field, "title": title, "type": "quantitative" if field in "xy" else "nominal"}
        | ({"format": ".1f"} if field == "y" else {})
        for title, field in said.items()
    ]


def _labels(groups: Sequence[str], *, pitch: float, middle: float) -> dict:
    """Name each panel below its middle."""
    narrow = f"width < {NARROW_PX}"
    return {
        "grid": False,
        "values": [place * pitch + middle for place in range(len(groups))],
        "labelExpr": f"{json.dumps(list(groups))}[round((datum.value - {middle}) / {pitch})]",
        "labelAngle": {"expr": f"{narrow} ? -60 : 0"},
        "labelAlign": {"expr": f"{narrow} ? 'right' : 'center'"},
        "labelOverlap": False,
        "labelLimit": 110,
    }
