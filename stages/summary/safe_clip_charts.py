"""SAFE as figures: accuracy over shots, over alpha, on other styles, and where the attention lies."""

from collections import defaultdict
from statistics import mean

from stages.summary.charts import Chart, dots
from stages.summary.few_shot_results import Attention, Blend, FewShot, Generalisation
from stages.summary.figures import percent, span, words
from stages.summary.lines import bands
from stages.summary.readings import Interval
from stages.summary.safe_clip_parts import QUIET, Found, by_shots, in_order, row, said

NUMBERS = {"series": "Method", "x": "Shots", "y": "Accuracy (%)", "range": "Interval", "n": "Test pictures"}
BEFORE, AFTER = "before tuning", "after tuning"


def shots_chart(name: str, found: FewShot, *, title: str, note: str, wide: bool = False) -> Chart | None:
    """Draw accuracy over the shots of a class, a line and a band a method."""
    rates = by_shots(found)
    rows = [
        row(method, rate) | {"x": shots, "y": percent(rate.value)}
        for method, each in rates.items()
        for shots, rate in sorted(each.items())
    ]
    if not rows:
        return None
    return Chart(
        name=f"safe_clip-{name}",
        title=title,
        caption=(
            f"Line: top-1 accuracy by labelled pictures of each class, {note}. Band: its interval, when the pointer is "
            "near or the legend singles one out. Grey: no picture was used."
        ),
        spec=bands(
            rows,
            names=[said(method) for method in rates],
            quiet=QUIET,
            x="shots a class",
            y="top-1 (%)",
            about=f"{title}: accuracy of each method over the number of labelled pictures a class.",
            doubling=True,
            series="method",
        ),
        columns=NUMBERS,
        rows=rows,
        wide=wide,
    )


def alpha_chart(sets: dict[str, FewShot]) -> Chart | None:
    """Draw test accuracy over alpha, the mean over the sets, a line a number of shots; the table has every set."""
    points: dict[int, dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    for each in sets.values():
        for at in each.alpha.curve:
            if at.test:
                points[at.shots][at.alpha].append(at.test.value)
    rows = [
        {"series": _shots(shots), "x": alpha, "y": percent(mean(values))}
        for shots, curve in sorted(points.items())
        for alpha, values in sorted(curve.items())
    ]
    if not rows:
        return None
    table = [_blend_row(name, at) for name, each in sets.items() for at in each.alpha.curve]
    return Chart(
        name="safe_clip-alpha",
        title="Accuracy over alpha",
        caption=(
            "Line: test accuracy of SAFE by the weight of the tuned pooling, mean over sets and seeds; 0 is zero-shot, "
            "1 the tuned pooling alone. Cross: mean of what the validation pictures chose."
        ),
        spec=bands(
            rows,
            names=[_shots(shots) for shots in sorted(points)],
            x="alpha",
            y="top-1 (%)",
            about="Test accuracy of SAFE over alpha, one line a number of shots.",
            marks=_chosen(sets, rows),
            series="shots",
        ),
        columns={"set": "Set", "shots": "Shots", "alpha": "Alpha", "val": "Validation (%)", "test": "Test (%)"}
        | {"range": "Interval", "n": "Test pictures"},
        rows=table,
    )


def _blend_row(name: str, at: Blend) -> dict:
    numbers = {"val": _percent(at.val), "test": _percent(at.test)}
    test = {"range": span(at.test.low, at.test.high), "n": at.test.n} if at.test else {"range": "", "n": ""}
    return {"set": words(name), "shots": at.shots, "alpha": at.alpha} | numbers | test


def _percent(rate: Interval | None) -> float | str:
    return percent(rate.value) if rate else ""


def _shots(shots: int) -> str:
    return f"{shots} shot{'s' if shots > 1 else ''}"


def _chosen(sets: dict[str, FewShot], rows: list[dict]) -> list[dict]:
    """Put a cross on each line at the mean of the chosen alphas; between two points as the line runs."""
    chosen: dict[str, list[float]] = defaultdict(list)
    for each in sets.values():
        for shots, alphas in each.alpha.chosen.items():
            chosen[_shots(shots)] += alphas
    marks = []
    for series, alphas in chosen.items():
        line = [(each["x"], each["y"]) for each in rows if each["series"] == series]
        if line and alphas:
            x = mean(alphas)
            note = f"chosen: {min(alphas):g} to {max(alphas):g}, mean {x:.2f}"
            marks.append({"series": series, "x": x, "y": _between(line, x), "note": note})
    return marks


def _between(line: list[tuple[float, float]], x: float) -> float:
    left = max((point for point in line if point[0] <= x), default=line[0])
    right = min((point for point in line if point[0] >= x), default=line[-1])
    share = (x - left[0]) / (right[0] - left[0]) if right[0] > left[0] else 0.0
    return round(left[1] + share * (right[1] - left[1]), 2)


def generalisation_chart(found: Generalisation) -> Chart | None:
    """Draw a group a target, a dot a method."""
    methods = in_order({method for each in found.targets.values() for method in each})
    rows = [
        {"group": words(target), "value": percent(rates[method].value)} | row(method, rates[method])
        for target, rates in found.targets.items()
        for method in methods
        if method in rates
    ]
    if not rows:
        return None
    return Chart(
        name="safe_clip-generalisation",
        title="Accuracy on other styles",
        caption=(
            f"Dot: top-1 accuracy on the same classes in another style; the shots came from {words(found.source)} "
            "alone. Bar: its interval. Grey: zero-shot."
        ),
        spec=dots(
            rows,
            groups=[words(target) for target in found.targets],
            names=[said(method) for method in methods],
            quiet=QUIET,
            group="target",
            series="method",
            axis="top-1 (%)",
            about="Accuracy of each method on each style that it was not tuned on.",
            axis_px=120,
        ),
        columns={"group": "Target", "series": "Method", "value": "Accuracy (%)", "range": "Interval", "n": "Pictures"},
        rows=rows,
    )


def attention_chart(sets: dict[str, FewShot]) -> Chart | None:
    """Draw the share of attention that lies on the object, before and after, a group a set."""
    pairs = {name: each.attention for name, each in sets.items() if each.attention}
    rows = [
        _attention_row(name, label, rate=rate, entropy=entropy)
        for name, each in pairs.items()
        for label, rate, entropy in _sides(each)
        if rate
    ]
    if not rows:
        return None
    return Chart(
        name="safe_clip-attention",
        title="Attention on the object",
        caption=(
            "Dot: share of the pooling’s attention that lies on the object’s mask, mean over test pictures. Bar: its "
            "interval. The table has the entropy too: the fewer nats, the fewer places are looked at."
        ),
        spec=dots(
            rows,
            groups=list(dict.fromkeys(each["group"] for each in rows)),
            names=[BEFORE, AFTER],
            quiet=(BEFORE,),
            group="set",
            series="pooling",
            axis="attention on the object (%)",
            about="Share of the attention that lies on the object before and after tuning, by set.",
            axis_px=150,
        ),
        columns={"group": "Set", "series": "Pooling", "value": "On the object (%)", "range": "Interval"}
        | {"entropy": "Entropy (nats)", "n": "Pictures"},
        rows=rows,
    )


def _sides(found: Attention) -> list[tuple[str, Interval | None, Interval | None]]:
    return [
        (BEFORE, found.on_object_before, found.entropy_before),
        (AFTER, found.on_object_after, found.entropy_after),
    ]


def _attention_row(name: str, label: str, *, rate: Interval, entropy: Interval | None) -> dict:
    ends = {"low": percent(rate.low), "high": percent(rate.high), "range": span(rate.low, rate.high)}
    numbers = {"value": percent(rate.value), "entropy": round(entropy.value, 3) if entropy else "", "n": rate.n}
    return {"group": words(name), "series": label} | ends | numbers


def charts(found: Found) -> list[Chart]:
    """Draw the means over the sets, alpha, other styles, attention, then every set by itself."""
    number = len(found.sets)
    drawn = [
        shots_chart("means", found.means, title="Accuracy over shots", note=f"mean of {number} sets", wide=True)
        if found.means
        else None,
        alpha_chart(found.sets),
        generalisation_chart(found.elsewhere) if found.elsewhere else None,
        attention_chart(found.sets),
    ]
    drawn += [
        shots_chart(f"shots-{name}", each, title=f"Accuracy over shots: {words(name)}", note=_size(each))
        for name, each in found.sets.items()
    ]
    return [chart for chart in drawn if chart]


def _size(found: FewShot) -> str:
    return f"{found.classes} classes" if found.classes else "mean over seeds"
