"""Charts: Vega-Lite specifications that pan, zoom, answer the pointer and follow the page's colours."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

SERIES = tuple(f"var(--series-{number})" for number in range(1, 9))
"""Colours by number; the style sheet gives them values for light, dark and print."""
INK, SOFT, RULE = "var(--ink)", "var(--soft)", "var(--rule)"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
DOT_PX, GAP_PX = 14, 12
"""Height of one series within a group of dots, and what parts two groups."""

CONFIG = {
    "background": None,
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "domain": False,
        "ticks": False,
        "gridColor": RULE,
        "labelColor": SOFT,
        "titleColor": SOFT,
        "titleFontWeight": "normal",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "labelPadding": 6,
        "titlePadding": 10,
    },
    "legend": {
        "labelColor": INK,
        "titleColor": SOFT,
        "labelFontSize": 12,
        "orient": "top",
        "title": None,
        "symbolSize": 90,
        "labelLimit": 260,
    },
    "text": {"fill": INK, "fontSize": 12},
}

BANDS = {"axis": {"grid": False}, "scale": {"paddingInner": 0.3, "paddingOuter": 0.15}}
EDGES = {"nice": False, "padding": 12}
"""Room in px around the outermost points of a line."""

ZERO = {
    "data": {"values": [{"zero": 0}]},
    "mark": {"type": "rule", "stroke": SOFT, "strokeWidth": 1},
    "encoding": {"x": {"field": "zero", "type": "quantitative"}},
}


@dataclass(frozen=True)
class Chart:
    """A figure of the page.

    Attributes:
        name: Its id, unique in the page.
        title: What it shows, as a heading.
        caption: How to read it.
        spec: Vega-Lite, with its data inside.
        columns: Key and heading of each column of the table of numbers below it, the row's own name first.
        rows: The numbers themselves, ready to print.
        wide: Whether it takes the whole width of the page.
        decimals: Of the numbers in the table.
    """

    name: str
    title: str
    caption: str
    spec: dict
    columns: dict[str, str]
    rows: list[dict]
    wide: bool = False
    decimals: int = 2


def _frame(description: str, *, height: int, layers: list[dict], params: list[dict]) -> dict:
    """Lay layers over each other; the first with a colour, whose legend all share, takes the parameters."""
    first = next(place for place, layer in enumerate(layers) if "color" in layer["encoding"])
    layers = [layer | {"params": params} if place == first else layer for place, layer in enumerate(layers)]
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": description,
        "width": "container",
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": CONFIG,
        "layer": layers,
    }


def _chosen(series: str) -> dict:
    """Let a click in the legend single out one series; shift adds more, a click elsewhere frees all."""
    return {"name": "chosen", "select": {"type": "point", "fields": [series]}, "bind": "legend"}


def _zoom() -> dict:
    """Drag to pan, Ctrl (or ⌘) and wheel or a pinch to zoom: the wheel alone scrolls the page; double click resets."""
    return {
        "name": "zoom",
        "select": {"type": "interval", "zoom": "wheel![event.ctrlKey || event.metaKey]"},
        "bind": "scales",
    }


def _faded() -> dict:
    return {"condition": {"param": "chosen", "value": 1}, "value": 0.12}


def _colour(series: str, names: list[str], *, quiet: tuple[str, ...] = ()) -> dict:
    colours = dict(zip([name for name in names if name not in quiet], cycle(SERIES), strict=False))
    scale = {"domain": names, "range": [colours.get(name, SOFT) for name in names]}
    legend = {"columns": 3 if sum(map(len, names)) <= 24 else 2}
    return {"field": series, "type": "nominal", "scale": scale, "legend": legend}


def dots(
    rows: list[dict],
    *,
    groups: Sequence[str],
    names: Sequence[str],
    quiet: tuple[str, ...] = (),
    group: str,
    series: str,
    axis: str,
    about: str,
) -> dict:
    """Draw one dot with its interval for each series in each group, groups down the page.

    Args:
        rows: Each holds "group", "series", "value", "range" (words) and, where there is an interval, "low" and "high".
        groups: Order of the groups.
        names: Order of the series.
        quiet: Series that stay grey, such as published ones.
        group: What a group is, such as "domain".
        series: What the colour tells apart, such as "detector".
        axis: Title of the number's axis, with its unit.
        about: One sentence for a reader who cannot see the chart.
    """
    names = list(names)
    place = {
        "y": {"field": "group", "type": "nominal", "sort": list(groups), "title": None} | BANDS,
        "yOffset": {"field": "series", "type": "nominal", "sort": names},
        "color": _colour("series", names, quiet=quiet),
        "opacity": _faded(),
    }
    number = {"type": "quantitative", "title": axis, "axis": {"tickCount": 6}}
    tooltip = [
        {"field": "series", "type": "nominal", "title": series},
        {"field": "group", "type": "nominal", "title": group},
        {"field": "value", "type": "quantitative", "format": ".2f", "title": axis},
        {"field": "range", "type": "nominal", "title": "interval"},
    ]
    interval = {
        "transform": [{"filter": "isValid(datum.low)"}],
        "mark": {"type": "rule", "strokeWidth": 2, "strokeCap": "round"},
        "encoding": place | {"x": number | {"field": "low"}, "x2": {"field": "high"}},
    }
    point = {
        "mark": {"type": "point", "filled": True, "size": 70},
        "encoding": place | {"x": number | {"field": "value"}, "tooltip": tooltip},
    }
    layers = [ZERO, interval, point] if any("low" in row for row in rows) else [ZERO, point]
    height = len({row["group"] for row in rows}) * (len(names) * DOT_PX + GAP_PX)
    frame = _frame(about, height=height, layers=layers, params=[_chosen("series")])
    return frame | {"data": {"values": rows}}


def curves(rows: list[dict], *, names: Sequence[str], x: str, y: str, about: str) -> dict:
    """Draw one line for each series over "x", to be panned and zoomed.

    Args:
        rows: Each holds "series", "x" and "y".
        names: Order of the series.
        x: Title of the axis across.
        y: Title of the axis up.
        about: One sentence for a reader who cannot see the chart.
    """
    encoding = {
        "x": {"field": "x", "type": "quantitative", "title": x, "scale": EDGES | {"zero": False}},
        "y": {"field": "y", "type": "quantitative", "title": y, "scale": EDGES | {"zero": False}},
        "color": _colour("series", list(names)),
        "opacity": _faded(),
    }
    encoding["x"]["axis"] = {"grid": False, "tickMinStep": 1}
    encoding["y"]["axis"] = {"tickCount": 5}
    tooltip = [
        {"field": "series", "type": "nominal", "title": "model"},
        {"field": "x", "type": "quantitative", "title": x},
        {"field": "y", "type": "quantitative", "format": ".4f", "title": y},
    ]
    line = {"mark": {"type": "line", "strokeWidth": 2, "clip": True}, "encoding": encoding}
    point = {
        "mark": {"type": "point", "filled": True, "size": 34, "clip": True},
        "encoding": encoding | {"tooltip": tooltip},
    }
    return _frame(about, height=220, layers=[line, point], params=[_chosen("series"), _zoom()]) | {
        "data": {"values": rows}
    }


def scatter(
    ours: list[dict], *, published: list[dict], names: Sequence[str], slope: float, x_axis: str, y_axis: str, about: str
) -> dict:
    """Draw shifted against source, ours in colour with intervals, the published ones in grey, and a line through 0.

    Args:
        ours: "name", "x", "y", and "x_low" to "y_high".
        published: "name", "x", "y", "label" (shown beside the point, or empty).
        names: Order of ours.
        slope: Of the line.
        x_axis: Title with unit.
        y_axis: Title with unit.
        about: One sentence for a reader who cannot see the chart.
    """
    x = {"field": "x", "type": "quantitative", "title": x_axis, "axis": {"tickCount": 6}}
    y = {"field": "y", "type": "quantitative", "title": y_axis, "axis": {"tickCount": 6}}
    places, colour = {"x": x, "y": y}, {"color": _colour("name", list(names)), "opacity": _faded()}
    tooltip = [{"field": "name", "type": "nominal"}, *(axis | {"format": ".2f"} for axis in (x, y))]
    end = 1.05 * max([row["x"] for row in ours + published], default=1.0)
    right = f"datum.x > {0.7 * end}"
    beside = {"align": {"expr": f"{right} ? 'right' : 'left'"}, "dx": {"expr": f"{right} ? -9 : 9"}, "dy": 9}
    line = {"type": "line", "stroke": SOFT, "strokeDash": [5, 4], "strokeWidth": 1.2}
    grey = {"type": "point", "filled": True, "size": 42, "fill": SOFT, "fillOpacity": 0.45}
    label = {"type": "text", "fill": SOFT, "fontSize": 11, **beside}
    bar = {"type": "rule", "strokeWidth": 1.6}
    across = {"x": x | {"field": "x_low"}, "x2": {"field": "x_high"}, "y": y}
    upright = {"x": x, "y": y | {"field": "y_low"}, "y2": {"field": "y_high"}}
    above = {"type": "text", "align": "center", "fontWeight": 600, "dy": -13}
    layers = [
        _layer(line, places, values=[{"x": 0, "y": 0}, {"x": end, "y": slope * end}]),
        _layer(grey, places | {"tooltip": tooltip}, values=published),
        _layer(label, places | {"text": {"field": "label"}}, values=[row for row in published if row["label"]]),
        _layer(bar, across | colour),
        _layer(bar, upright | colour),
        _layer({"type": "point", "filled": True, "size": 110}, places | colour | {"tooltip": tooltip}),
        _layer(above, places | {"text": {"field": "name"}, "opacity": _faded()}),
    ]
    return _frame(about, height=380, layers=layers, params=[_chosen("name"), _zoom()]) | {"data": {"values": ours}}


def _layer(mark: dict, encoding: dict, *, values: list[dict] | None = None) -> dict:
    """Make one layer, clipped at the frame, with data of its own where `values` are given."""
    layer = {"mark": mark | {"clip": True}, "encoding": encoding}
    return layer if values is None else layer | {"data": {"values": values}}
