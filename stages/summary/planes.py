"""Planes: two numbers of each model against each other, with the front of those that no other beats in both."""

from collections.abc import Sequence

from stages.summary.charts import INK, SOFT, chosen, colour, faded, frame, layer, zoom

TICKS = (1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50)
"""Labelled places of an axis of ratios."""
HEIGHT_PX = 360
ROOM = (0.12, 0.06)
"""Share of the width and of the height that a label takes."""


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return the places of the points that no other point dominates, by falling first coordinate.

    Args:
        points: Both coordinates to be as high as can be; negate one that is a cost.

    Returns:
        Indices; of equal points the first alone. A point is left out if another is at least as high in both.

    >>> front([(0.9, 0.1), (0.8, 0.4), (0.7, 0.3), (0.8, 0.2)])
    [0, 1]
    """
    best, kept = float("-inf"), []
    for place in sorted(range(len(points)), key=lambda place: (-points[place][0], -points[place][1], place)):
        if points[place][1] > best:
            best = points[place][1]
            kept.append(place)
    return kept


def apart(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return the places of the points whose labels fit: each is left out that would cover one before it.

    Args:
        points: As drawn (take the logarithm first where the axis is one), the most telling first.

    >>> apart([(0, 0), (1, 1), (0.99, 0.99), (1, 0)])
    [0, 1, 3]
    """
    across, up = (max(axis) - min(axis) or 1.0 for axis in zip(*points, strict=True)) if points else (1.0, 1.0)
    kept: list[int] = []
    for place, (x, y) in enumerate(points):
        others = (points[other] for other in kept)
        if all(abs(x - left) > ROOM[0] * across or abs(y - low) > ROOM[1] * up for left, low in others):
            kept.append(place)
    return kept


def plane(
    rows: list[dict], *, kinds: Sequence[str], quiet: tuple[str, ...] = (), cost: bool, x: str, y: str, about: str
) -> dict:
    """Draw one point a model with its intervals, the front as a dashed staircase, and names beside the named ones.

    Args:
        rows: "name", "kind", "x", "y", "range" (words), "front" (bool), "label" (shown beside, or empty), and
            "x_low" to "y_high" where known.
        kinds: Order of the kinds, which the colour tells apart.
        quiet: Kinds that stay grey.
        cost: Whether x is a cost above 0, on an axis of ratios, that is better low; else it is better high.
        x: Title with unit.
        y: Title with unit.
        about: One sentence for a reader who cannot see the chart.
    """
    scale = {"nice": False, "padding": 24} | ({"type": "log"} if cost else {"zero": False})
    values = {"values": list(TICKS), "format": "~g", "labelOverlap": True} if cost else {"tickCount": 6}
    across = {"field": "x", "type": "quantitative", "title": x, "scale": scale, "axis": values | {"grid": False}}
    up = {"field": "y", "type": "quantitative", "title": y, "scale": {"zero": False, "padding": 20}}
    up["axis"] = {"tickCount": 6}
    places, tint = {"x": across, "y": up}, {"color": colour("kind", list(kinds), quiet=quiet), "opacity": faded()}
    tooltip = [
        {"field": "name", "type": "nominal"},
        {"field": "kind", "type": "nominal"},
        {"field": "x", "type": "quantitative", "title": x, "format": ".1f"},
        {"field": "y", "type": "quantitative", "title": y, "format": ".1f"},
        {"field": "range", "type": "nominal", "title": "interval"},
    ]
    stairs = {"type": "line", "stroke": SOFT, "strokeDash": [5, 4], "strokeWidth": 1.2}
    stairs["interpolate"] = "step-after" if cost else "step-before"
    bar = {"type": "rule", "strokeWidth": 1.6, "strokeOpacity": 0.5}
    right = "scale('x', datum.x) > 0.8 * width"
    beside = {"type": "text", "dy": -9, "fontSize": 11, "fill": INK}
    beside |= {"align": {"expr": f"{right} ? 'right' : 'left'"}, "dx": {"expr": f"{right} ? -8 : 8"}}
    upright = {"x": across, "y": up | {"field": "y_low"}, "y2": {"field": "y_high"}} | tint
    level = {"x": across | {"field": "x_low"}, "x2": {"field": "x_high"}, "y": up} | tint
    layers = [
        layer(stairs, places, values=sorted((row for row in rows if row["front"]), key=lambda row: row["x"])),
        layer(bar, upright, values=[row for row in rows if "y_low" in row]),
        layer(bar, level, values=[row for row in rows if "x_low" in row]),
        layer({"type": "point", "filled": True, "size": 80}, places | tint | {"tooltip": tooltip}),
        layer(beside, places | {"text": {"field": "label"}}, values=[row for row in rows if row["label"]]),
    ]
    if not any("x_low" in row for row in rows):
        del layers[2]
    return frame(about, height=HEIGHT_PX, layers=layers, params=[chosen("kind"), zoom()]) | {"data": {"values": rows}}
