"""IAP as figures: what is disrupted, what is read back from which view, under which distortion, and the ROC."""

from collections.abc import Iterable

from stages.summary.charts import EDGES, Chart, chosen, colour, dots, faded, frame, zoom
from stages.summary.face_results import Curve, Manipulated, Message
from stages.summary.figures import percent
from stages.summary.heat import heat
from stages.summary.iap_face_parts import Found, box, ends, in_order, plain, said, view

AXIS_PX = 190
PROTECTED, DISTORTED, MANIPULATED, BOTH = "protected", "distorted:", "manipulated:", "both:"
READINGS = {"bit_accuracy": "bit accuracy", "word_accuracy": "whole words", "decoded_ids": "ids decoded"}
"""What the map of views can show."""
SHOWN_ROC = 6
"""Views that the ROC shows: those in which most is lost."""
LEAST_FPR = 1e-7
"""False-positive rates below this are left out of the chart."""


def protection(found: dict[str, Manipulated]) -> Chart | None:
    """Draw the protection rate, a group a manipulator, a dot a method."""
    cells = [
        (box(name, each), method, each.protection[method])
        for name, each in found.items()
        for method in in_order(each.protection)
    ]
    rows = [
        {"group": group, "series": said(method), "value": percent(cell.protection_rate.value)}
        | ends(cell.protection_rate)
        | {"masked": plain(cell.masked_l2, 3), "l2": plain(cell.l2, 4), "no_change": cell.no_change}
        for group, method, cell in cells
        if cell.protection_rate
    ]
    if not rows:
        return None
    return Chart(
        name="iap_face-protection",
        title="Protection rate by manipulator",
        caption=(
            "Dot: share of edits that come out otherwise on the protected face (masked L2 above 0.05). Bar: its "
            "interval. Held out: neither IAP nor PGD has seen that manipulator. The two steps one after the other "
            "are scaled to IAP’s PSNR."
        ),
        spec=dots(
            rows,
            groups=list(dict.fromkeys(row["group"] for row in rows)),
            names=_names(method for _, method, _ in cells),
            group="manipulator",
            series="method",
            axis="protection rate (%)",
            about="Share of edits that each method disrupts, by manipulator.",
            axis_px=AXIS_PX,
        ),
        columns={"group": "Manipulator", "series": "Method", "value": "Protected (%)", "range": "Interval"}
        | {"masked": "Masked L2", "l2": "L2", "no_change": "Edits without effect", "n": "Edits"},
        rows=rows,
        wide=True,
    )


def _names(methods: Iterable[str]) -> list[str]:
    return [said(method) for method in in_order(set(methods))]


def readings(found: Message) -> Chart | None:
    """Map what is read back: a row a method, a column a view; bits, words or ids by choice."""
    parts = {words: getattr(found, name) for name, words in READINGS.items() if getattr(found, name)}
    views = _views(found.bit_accuracy)
    rows = [
        {"layer": layer, "row": said(method), "column": view(name), "value": percent(rate.value), "own": False}
        | {"range": ends(rate)["range"], "n": rate.n}
        for layer, by_view in parts.items()
        for name in views
        for method, rate in by_view.get(name, {}).items()
        if rate
    ]
    if not rows:
        return None
    methods = _names({method for each in found.bit_accuracy.values() for method in each})
    return Chart(
        name="iap_face-views",
        title="What is read back",
        caption=(
            "Cell: share of bits, of whole messages, or of ids that are right after error correction, in per cent, on "
            "the protected face and after each thing that may happen to it, in the order named. Half of the bits are "
            "right by chance."
        ),
        spec=heat(
            rows,
            layers=list(parts),
            up=methods,
            across=[view(name) for name in views],
            up_title="method",
            across_title="after",
            value="right (%)",
            about="What is read back of the message by method and view.",
        ),
        columns={"layer": "Read", "row": "Method", "column": "After", "value": "Right (%)", "range": "Interval"}
        | {"n": "Faces"},
        rows=rows,
        wide=True,
    )


def _views(found: Iterable[str]) -> list[str]:
    """Return the views in order: as it is, distorted, manipulated, both."""
    kinds = (PROTECTED, DISTORTED, MANIPULATED, BOTH, "")
    return sorted(
        found, key=lambda name: (next(place for place, kind in enumerate(kinds) if name.startswith(kind)), name)
    )


def sweep(found: Message) -> Chart | None:
    """Draw bit accuracy after each distortion, a dot a method."""
    names = [name for name in _views(found.bit_accuracy) if name.startswith((PROTECTED, DISTORTED))]
    rows = [
        {"group": view(name), "series": said(method), "value": percent(rate.value)} | ends(rate)
        for name in names
        for method in in_order(found.bit_accuracy[name])
        if (rate := found.bit_accuracy[name][method])
    ]
    return _swept(rows, name="sweep", title="Bit accuracy over distortions", axis="bit accuracy (%)") if rows else None


def distorted(found: dict[str, Manipulated]) -> Chart | None:
    """Draw the protection rate of IAP after each distortion, a dot a manipulator."""
    rows = [
        {"group": f"{said(distortion)}: {said(method)}", "series": box(name, each), "value": percent(rate.value)}
        | ends(rate)
        for name, each in found.items()
        for distortion, methods in each.distorted.items()
        for method in in_order(methods)
        if (rate := methods[method])
    ]
    title = "Protection rate after distortions"
    return _swept(rows, name="distorted", title=title, axis="protection rate (%)") if rows else None


def _swept(rows: list[dict], *, name: str, title: str, axis: str) -> Chart:
    series = list(dict.fromkeys(row["series"] for row in rows))
    return Chart(
        name=f"iap_face-{name}",
        title=title,
        caption="Dot: mean over the faces after what the row names. Bar: its interval.",
        spec=dots(
            rows,
            groups=list(dict.fromkeys(row["group"] for row in rows)),
            names=series,
            group="after",
            series="method",
            axis=axis,
            about=f"{title}, by method.",
            dot_px=max(6, min(14, 60 // len(series))),
            axis_px=AXIS_PX,
        ),
        columns={"group": "After", "series": "Method", "value": f"{axis[0].upper()}{axis[1:]}", "range": "Interval"}
        | {"n": "Count"},
        rows=rows,
    )


def roc(found: Curve) -> Chart | None:
    """Draw how many protected faces are found over the false-positive rate, a line a view."""
    views = sorted(found.tpr, key=lambda name: sum(found.tpr[name]))[: SHOWN_ROC - 1]
    views = [name for name in _views(found.tpr) if name in (*views, PROTECTED)]
    points = list(zip(found.threshold, found.code_fpr, found.fpr, strict=True))
    rows = [
        {"series": view(name), "x": rate, "y": percent(found.tpr[name][place]), "threshold": threshold}
        for name in views
        for place, (threshold, rate, _) in enumerate(points)
        if rate >= LEAST_FPR
    ]
    if not rows:
        return None
    return Chart(
        name="iap_face-roc",
        title="Faces found over the false-positive rate",
        caption=(
            "Line: share of protected faces in which enough bits match the id that is looked for, against the share of "
            "random words in which as many match (binomial law). The table has the share measured on unprotected "
            f"faces against wrong ids ({found.comparisons:,} comparisons)."
        ),
        spec=_curve(rows, names=[view(name) for name in views]),
        columns={"threshold": "Bits that must match", "code": "By chance", "measured": "On unprotected faces"}
        | {name: f"Found: {view(name)} (%)" for name in views},
        rows=[
            {"threshold": threshold, "code": f"{code:.1e}", "measured": f"{measured:.1e}"}
            | {name: percent(found.tpr[name][place]) for name in views}
            for place, (threshold, code, measured) in enumerate(points)
            if code < 0.5
        ],
    )


def _curve(rows: list[dict], *, names: list[str]) -> dict:
    x = {"field": "x", "type": "quantitative", "title": "false-positive rate", "scale": EDGES | {"type": "log"}}
    x["axis"] = {"grid": False, "format": ".0e", "tickCount": 8}
    y = {"field": "y", "type": "quantitative", "title": "found (%)", "scale": EDGES | {"zero": False}}
    tint = {"color": colour("series", names), "opacity": faded()}
    tooltip = [
        {"field": "series", "type": "nominal", "title": "after"},
        {"field": "threshold", "type": "quantitative", "title": "bits that must match"},
        {"field": "x", "type": "quantitative", "format": ".2e", "title": "false-positive rate"},
        {"field": "y", "type": "quantitative", "format": ".1f", "title": "found (%)"},
    ]
    line = {"mark": {"type": "line", "strokeWidth": 2, "clip": True}, "encoding": {"x": x, "y": y} | tint}
    point = {"mark": {"type": "point", "filled": True, "size": 30, "clip": True}}
    point["encoding"] = {"x": x, "y": y, "tooltip": tooltip} | tint
    about = "Share of protected faces that are found over the false-positive rate, one line a view."
    spec = frame(about, height=260, layers=[line, point], params=[chosen("series"), zoom()])
    return spec | {"data": {"values": rows}}


def quality(found: Message) -> Chart | None:
    """Draw the PSNR of each method; the table has SSIM and the distance of features."""
    rows = [
        {"group": said(method), "series": "PSNR", "value": round(each.psnr_db.value, 2)}
        | {"low": round(each.psnr_db.low, 2), "high": round(each.psnr_db.high, 2)}
        | {"range": f"[{each.psnr_db.low:.1f}, {each.psnr_db.high:.1f}]", "n": each.psnr_db.n}
        | {"ssim": plain(each.ssim, 4), "perceptual": plain(each.perceptual, 4)}
        for method in in_order(found.quality)
        for each in (found.quality[method],)
    ]
    if not rows:
        return None
    return Chart(
        name="iap_face-quality",
        title="What protection costs the picture",
        caption=(
            "Dot: peak signal-to-noise ratio of the protected face against the original; higher is closer. Bar: its "
            "interval. The table has SSIM and the distance of an attribute network’s features."
        ),
        spec=dots(
            rows,
            groups=[row["group"] for row in rows],
            names=["PSNR"],
            group="method",
            series="measure",
            axis="PSNR (dB)",
            about="PSNR of the protected faces by method.",
            axis_px=AXIS_PX,
        ),
        columns={"group": "Method", "value": "PSNR (dB)", "range": "Interval", "ssim": "SSIM"}
        | {"perceptual": "Features", "n": "Faces"},
        rows=rows,
    )


def charts(found: Found) -> list[Chart]:
    """Draw what is disrupted, what is read back, and what both cost."""
    drawn = [protection(found.manipulators)]
    if found.message:
        drawn += [readings(found.message), sweep(found.message)]
        drawn += [roc(found.message.roc) if found.message.roc else None, quality(found.message)]
    drawn.append(distorted(found.manipulators))
    return [chart for chart in drawn if chart]
