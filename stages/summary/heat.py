"""Heat maps: a number for each pair of a row and a column, as shade and figure, one layer at a time."""

from collections.abc import Sequence

from stages.summary.charts import INK, SERIES, plain_frame

CELL_PX = 26
NUMBER_PX = 25
"""Narrowest cell that still shows its number."""
LEAST_PX = 7
"""Smallest letters of a column's name."""
STRONG = 55
"""Per cent above which a cell is so dark that its number takes the paper's colour."""


def heat(
    rows: list[dict],
    *,
    layers: Sequence[str] = (),
    up: Sequence[str],
    across: Sequence[str],
    up_title: str,
    across_title: str,
    value: str,
    about: str,
) -> dict:
    """Draw a shaded cell with its number for each pair.

    Args:
        rows: Each holds "row", "column", "value" in per cent, "own" (bool: outlined), and "layer" if there are several.
        layers: What can be chosen, the first shown at first; empty for a single layer without a list.
        up: Order of the rows.
        across: Order of the columns.
        up_title: What a row is.
        across_title: What a column is.
        value: What the number is, with its unit.
        about: One sentence for a reader who cannot see the chart.
    """
    places = {
        "x": {"field": "column", "type": "nominal", "sort": list(across), "title": across_title},
        "y": {"field": "row", "type": "nominal", "sort": list(up), "title": up_title, "axis": {"labelLimit": 130}},
    }
    pitch = f"width / {max(len(across), 1)}"
    letters = {"expr": f"max({LEAST_PX}, min(12, {pitch}))"}
    places["x"]["axis"] = {"labelAngle": -60, "labelLimit": 130, "labelOverlap": False, "labelFontSize": letters}
    tooltip = [
        {"field": "row", "type": "nominal", "title": up_title},
        {"field": "column", "type": "nominal", "title": across_title},
        {"field": "value", "type": "quantitative", "format": ".1f", "title": value},
    ]
    shade = {"field": "value", "type": "quantitative", "legend": None}
    shade["scale"] = {"domain": [0, 100], "range": [0.05, 0.95], "clamp": True}
    outline = {"condition": {"test": "datum.own", "value": INK}, "value": None}
    number = {
        "text": {"field": "value", "type": "quantitative", "format": ".0f"},
        "fill": {"condition": {"test": f"datum.value > {STRONG}", "value": "var(--paper)"}, "value": INK},
    }
    fits = {"expr": f"{pitch} >= {NUMBER_PX} ? 11 : 0"}
    cell = {
        "mark": {"type": "rect", "fill": SERIES[0], "strokeWidth": 1.5},
        "encoding": places | {"fillOpacity": shade, "stroke": outline, "tooltip": tooltip},
    }
    text = {"mark": {"type": "text", "fontSize": fits, "tooltip": None}, "encoding": places | number}
    spec = plain_frame(about, height=CELL_PX * len(up), layers=[cell, text]) | {"data": {"values": rows}}
    return spec | (_picked(layers) if layers else {})


def _picked(layers: Sequence[str]) -> dict:
    choice = {"input": "select", "options": list(layers), "name": "Shown: "}
    return {
        "params": [{"name": "picked", "value": layers[0], "bind": choice}],
        "transform": [{"filter": "datum.layer === picked"}],
    }
