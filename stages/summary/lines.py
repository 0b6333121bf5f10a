"""Lines with bands: many series on one chart, the one under the pointer or chosen in the legend standing out."""

import json
from collections.abc import Sequence

from stages.summary.charts import EDGES, SERIES, chosen, colour, frame, zoom

PALE = 0.12
HEIGHT_PX = 320
ALONE = {"or": [{"param": "pointed", "empty": False}, {"param": "chosen", "empty": False}]}
"""Some series is pointed at or chosen."""
SINGLED = {"and": [{"param": "chosen"}, {"param": "pointed"}]}
"""This series is, or none is."""
WITHIN = {"and": [SINGLED, ALONE]}


def loudest(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names that stay grey: all beyond those that have a colour, the most telling coming first.

    >>> loudest(["a", "b"])
    ()
    """
    return tuple(names[len(SERIES) :])


def bands(
    rows: list[dict],
    *,
    names: Sequence[str],
    quiet: tuple[str, ...] = (),
    x: str,
    y: str,
    about: str,
    marks: Sequence[dict] = (),
    doubling: bool = False,
    series: str = "model",
) -> dict:
    """Draw one line a series; its band shows when the pointer is near it or the legend singles it out.

    Args:
        rows: Each holds "series", "x", "y" in per cent, and "low" and "high" where a band is known.
        names: Order of the series.
        quiet: Series that stay grey, thin and below the others.
        x: Title of the axis across.
        y: Title of the axis up.
        about: One sentence for a reader who cannot see the chart.
        marks: Crosses on top: "series", "x", "y" and "note", which the pointer gets.
        doubling: Whether equal steps across are doublings; needs x above 0.
        series: What the colour tells apart.
    """
    whole, seen = all(float(row["x"]).is_integer() for row in rows), _seen()
    across = EDGES | ({"type": "log", "base": 2} if doubling else {"zero": False})
    places = {
        "x": {"field": "x", "type": "quantitative", "title": x, "scale": across},
        "y": {"field": "y", "type": "quantitative", "title": y, "scale": {"nice": False, "padding": 8}},
    }
    places["x"]["axis"] = {"grid": False, "tickCount": 9, "labelOverlap": True} | ({"tickMinStep": 1} if whole else {})
    places["y"]["axis"] = {"tickCount": 5}
    tint = {"color": colour("series", list(names), quiet=quiet)}
    banded = any("low" in row for row in rows)
    thin = {"strokeWidth": {"condition": {"test": {"field": "series", "oneOf": list(quiet)}, "value": 1}, "value": 2}}
    line = {"mark": {"type": "line", "clip": True}, "encoding": places | tint | seen | thin}
    point = {"mark": {"type": "point", "filled": True, "size": 22, "clip": True}, "params": [_pointed()]}
    layers = [line, point | {"encoding": places | tint | seen | _said(series, x=x, y=y, banded=banded)}]
    if banded:
        layers.insert(0, _band(places, tint))
    if marks:
        layers.append(_crosses(places, tint, marks=marks))
    spec = frame(about, height=HEIGHT_PX, layers=layers, params=[chosen("series"), zoom()])
    return spec | {"data": {"values": sorted(rows, key=lambda row: row["series"] not in quiet)}}


def _seen() -> dict:
    return {"opacity": {"condition": {"test": SINGLED, "value": 1}, "value": PALE}}


def _said(series: str, *, x: str, y: str, banded: bool) -> dict:
    """Give the pointer's box: an expression, as the cells that catch the pointer hold the point one level deeper.

    Vega-Lite 6.4 forgets that level for names.
    """
    here = "(datum.datum || datum)"
    parts = {series: f"{here}.series", x: f"format({here}.x, '.4~g')", y: f"format({here}.y, '.1f')"}
    parts |= {"interval": f"{here}.range"} if banded else {}
    inside = ", ".join(f"{json.dumps(title)}: {value}" for title, value in parts.items())
    return {"tooltip": {"value": {"expr": f"{{{inside}}}"}}}


def _pointed() -> dict:
    select = {"type": "point", "fields": ["series"], "on": "pointerover", "nearest": True, "clear": "pointerout"}
    return {"name": "pointed", "select": select}


def _band(places: dict, tint: dict) -> dict:
    low = places["y"] | {"field": "low"}
    shown = {"fillOpacity": {"condition": {"test": WITHIN, "value": 0.22}, "value": 0}}
    return {
        "transform": [{"filter": "isValid(datum.low)"}],
        "mark": {"type": "area", "clip": True},
        "encoding": {"x": places["x"], "y": low, "y2": {"field": "high"}} | tint | shown,
    }


def _crosses(places: dict, tint: dict, *, marks: Sequence[dict]) -> dict:
    tooltip = [{"field": "series", "type": "nominal"}, {"field": "note", "type": "nominal"}]
    shape = "M-1,-1L1,1M-1,1L1,-1"
    return {
        "data": {"values": list(marks)},
        "mark": {"type": "point", "shape": shape, "size": 140, "strokeWidth": 2.5, "filled": False, "clip": True},
        "encoding": places | tint | _seen() | {"tooltip": tooltip},
    }
