"""Lines with bands: many series on one chart, the one under the pointer or chosen in the legend standing out."""

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
        quiet: Series that stay grey.
        x: Title of the axis across.
        y: Title of the axis up.
        about: One sentence for a reader who cannot see the chart.
        marks: Crosses on top: "series", "x", "y" and "note", which the pointer gets.
        doubling: Whether equal steps across are doublings; needs x above 0.
        series: What the colour tells apart.
    """
    across = EDGES | ({"type": "log", "base": 2} if doubling else {"zero": False})
    places = {
        "x": {"field": "x", "type": "quantitative", "title": x, "scale": across, "axis": {"grid": False}},
        "y": {"field": "y", "type": "quantitative", "title": y, "scale": {"padding": 8}, "axis": {"tickCount": 5}},
    }
    tint = {"color": colour("series", list(names), quiet=quiet)}
    seen = _seen()
    tooltip = [
        {"field": "series", "type": "nominal", "title": series},
        {"field": "x", "type": "quantitative", "title": x, "format": ".4~g"},
        {"field": "y", "type": "quantitative", "title": y, "format": ".1f"},
    ]
    line = {"mark": {"type": "line", "strokeWidth": 2, "clip": True}, "encoding": places | tint | seen}
    point = {"mark": {"type": "point", "filled": True, "size": 22, "clip": True}, "params": [_pointed()]}
    layers = [line, point | {"encoding": places | tint | seen | {"tooltip": tooltip}}]
    if any("low" in row for row in rows):
        layers.insert(0, _band(places, tint))
        tooltip.append({"field": "range", "type": "nominal", "title": "interval"})
    if marks:
        layers.append(_crosses(places, tint, marks=marks))
    spec = frame(about, height=HEIGHT_PX, layers=layers, params=[chosen("series"), zoom()])
    return spec | {"data": {"values": rows}}


def _seen() -> dict:
    return {"opacity": {"condition": {"test": SINGLED, "value": 1}, "value": PALE}}


def _pointed() -> dict:
    select = {"type": "point", "fields": ["series"], "on": "pointerover", "nearest": True, "clear": "pointerout"}
    return {"name": "pointed", "select": select}


def _band(places: dict, tint: dict) -> dict:
    low = places["y"] | {"field": "low"}
    shown = {"opacity": {"condition": {"test": WITHIN, "value": 0.22}, "value": 0}}
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
