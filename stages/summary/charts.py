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
LETTER_PX, SYMBOL_PX = 7, 36
"""Width of a letter in a legend, and of an entry's symbol with the space around it."""
AXIS_PX = 60
ROOM = "(isFinite(containerSize()[0]) ? containerSize()[0] : width)"
"""The chart's whole width, which `width` is not until the axes are laid out: too late for a legend above them."""

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


def frame(description: str, *, height: int, layers: list[dict], params: list[dict]) -> dict:
    """Lay layers over each other; the first with a colour, whose legend all share, takes the parameters."""
    first = next(place for place, layer in enumerate(layers) if "color" in layer["encoding"])
    layers = [layer | {"params": params} if place == first else layer for place, layer in enumerate(layers)]
    return plain_frame(description, height=height, layers=layers)


def plain_frame(description: str, *, height: int, layers: list[dict]) -> dict:
    """Lay layers over each other, as wide as their place in the page."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "description": description,
        "width": "container",
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": CONFIG,
        "layer": layers,
    }


def chosen(series: str) -> dict:
    """Let a click in the legend single out one series; shift adds more, a click elsewhere frees all."""
    return {"name": "chosen", "select": {"type": "point", "fields": [series]}, "bind": "legend"}


def zoom() -> dict:
    """Drag to pan, Ctrl (or ⌘) and wheel or a pinch to zoom: the wheel alone scrolls the page; double click resets."""
    return {
        "name": "zoom",
        "select": {"type": "interval", "zoom": "wheel![event.ctrlKey || event.metaKey]"},
        "bind": "scales",
    }


def faded() -> dict:
    """Pale, unless the legend's choice leaves it in."""
    return {"condition": {"param": "chosen", "value": 1}, "value": 0.12}


def colour(series: str, names: list[str], *, quiet: tuple[str, ...] = (), axis_px: int = AXIS_PX) -> dict:
    """Give each name a colour, grey to the quiet ones; the legend takes the columns that fit beside the axis."""
    colours = dict(zip([name for name in names if name not in quiet], cycle(SERIES), strict=False))
    scale = {"domain": names, "range": [colours.get(name, SOFT) for name in names]}
    entry = LETTER_PX * max(map(len, names), default=1) + SYMBOL_PX
    legend = {"columns": {"expr": f"max(1, floor(({ROOM} - {axis_px}) / {entry}))"}}
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
    dot_px: int = DOT_PX,
    axis_px: int = AXIS_PX,
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
        dot_px: Height of one series within a group; less than the default where groups are many.
        axis_px: Width of the groups' names; more than the default where they are long and the series many.
    """
    names = list(names)
    place = {
        "y": {"field": "group", "type": "nominal", "sort": list(groups), "title": None} | BANDS,
        "yOffset": {"field": "series", "type": "nominal", "sort": names},
        "color": colour("series", names, quiet=quiet, axis_px=axis_px),
        "opacity": faded(),
    }
    number = {"type": "quantitative", "title": axis, "axis": {"tickCount": 6}}
    tooltip = [
        *({"field": key, "type": "nominal", "title": said} for key, said in (("series", series), ("group", group))),
        {"field": "value", "type": "quantitative", "format": ".2f", "title": axis},
        {"field": "range", "type": "nominal", "title": "interval"},
    ]
    interval = {
        "transform": [{"filter": "isValid(datum.low)"}],
        "mark": {"type": "rule", "strokeWidth": 2, "strokeCap": "round"},
        "encoding": place | {"x": number | {"field": "low"}, "x2": {"field": "high"}},
    }
    point = {
        "mark": {"type": "point", "filled": True, "size": 5 * dot_px},
        "encoding": place | {"x": number | {"field": "value"}, "tooltip": tooltip},
    }
    height = len({row["group"] for row in rows}) * (len(names) * dot_px + GAP_PX)
    layers = [ZERO, *([interval] if any("low" in row for row in rows) else []), point]
    return frame(about, height=height, layers=layers, params=[chosen("series")]) | {"data": {"values": rows}}


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
        "color": colour("series", list(names)),
        "opacity": faded(),
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
    return frame(about, height=220, layers=[line, point], params=[chosen("series"), zoom()]) | {
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
    places, tint = {"x": x, "y": y}, {"color": colour("name", list(names)), "opacity": faded()}
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
        layer(line, places, values=[{"x": 0, "y": 0}, {"x": end, "y": slope * end}]),
        layer(grey, places | {"tooltip": tooltip}, values=published),
        layer(label, places | {"text": {"field": "label"}}, values=[row for row in published if row["label"]]),
        layer(bar, across | tint),
        layer(bar, upright | tint),
        layer({"type": "point", "filled": True, "size": 110}, places | tint | {"tooltip": tooltip}),
        layer(above, places | {"text": {"field": "name"}, "opacity": faded()}),
    ]
    return frame(about, height=380, layers=layers, params=[chosen("name"), zoom()]) | {"data": {"values": ours}}


def layer(mark: dict, encoding: dict, *, values: list[dict] | None = None) -> dict:
    """Make one layer, clipped at the frame, with data of its own where `values` are given."""
    layer = {"mark": mark | {"clip": True}, "encoding": encoding}
    return layer if values is None else layer | {"data": {"values": values}}
