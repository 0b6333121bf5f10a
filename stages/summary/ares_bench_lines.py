"""ARES-Bench as lines: top-1 over budget, attack steps, pass band and severity; and clean against robust top-1."""

from collections.abc import Callable, Iterable

from stages.summary.ares_bench_models import NORM, Model, Models, common_budget, place
from stages.summary.charts import Chart
from stages.summary.figures import budget, percent, span, words
from stages.summary.lines import bands, loudest
from stages.summary.planes import apart, front, plane

NORMS = ("linf", "l2", "l1")
POINTED = "The line under the pointer stands out with its band; the legend singles one out."
SIMULTANEOUS = "Shade: DKW, 95 % over all budgets at once; in the pointer’s box: Wilson, 95 % at that budget alone"
LEVELS = 255


def charts(models: Models) -> list[Chart]:
    """Draw one curve a norm, the trade-off plane, and accuracy against steps, frequency and severity, where there."""
    known = [norm for norm in NORMS if any(norm in model.ares.curves for model in models.models)]
    lines = [_steps(models), _frequency(models), _severity(models)]
    return [chart for chart in (*(_curve(models, norm) for norm in known), _trade_off(models), *lines) if chart]


def _lines(models: Models, points: Callable[[Model], Iterable[dict]]) -> tuple[list[dict], list[str]]:
    """Return the rows of all models and the names of those that have any, the best first."""
    rows = [{"series": model.name} | point for model in models.ranked for point in points(model)]
    return rows, list(dict.fromkeys(row["series"] for row in rows))


def _bar(low: float, high: float) -> dict:
    return {"low": percent(low), "high": percent(high), "range": span(low, high)}


def _curve(models: Models, norm: str) -> Chart:
    scale, unit = (LEVELS, "255ths") if norm == "linf" else (1, "on pixels in [0, 1]")

    def points(model: Model) -> Iterable[dict]:
        curve = model.ares.curves.get(norm)
        if curve:
            bounds = (curve.low, curve.high, curve.band_low or curve.low, curve.band_high or curve.high)
            for eps, rate, *ends in zip(curve.budgets, curve.robust_top1, *bounds, strict=True):
                yield {"x": round(scale * eps, 4), "y": percent(rate)} | _bar(*ends[2:]) | {"range": span(*ends[:2])}

    rows, names = _lines(models, points)
    curves = {model.name: model.ares.curves[norm] for model in models.ranked if norm in model.ares.curves}
    said = SIMULTANEOUS if all(curve.band_low for curve in curves.values()) else next(iter(curves.values())).band
    largest = max(curve.budgets[-1] for curve in curves.values())
    read = [largest * share for share in (0.125, 0.25, 0.5, 1)]
    headings = {f"at_{number}": f"Top-1 (%) at {_radius(eps, norm)}" for number, eps in enumerate(read)}
    return Chart(
        name=f"ares_bench-curve-{norm}-{models.data}",
        title=f"Robustness curves, {words(norm)}: {models.data}",
        caption=(
            f"Share of images whose least adversarial radius exceeds the budget; at 0 it is clean top-1. {said}. "
            f"{POINTED} Drag to pan, Ctrl-scroll to zoom."
        ),
        spec=bands(
            rows,
            names=names,
            quiet=loudest(names),
            x=f"{words(norm)} budget ({unit})",
            y="robust top-1 (%)",
            about=f"Robust top-1 of each model over the {words(norm)} budget on {models.data}.",
        ),
        columns={"name": "Model", "area": "Area (%)", "median": "Median radius", **headings, "n": "Images"},
        rows=[
            {"name": name, "area": percent(curve.area), "n": curve.n}
            | {"median": "beyond" if curve.median_radius is None else _radius(curve.median_radius, norm)}
            | {f"at_{number}": percent(curve.robust_top1[place(curve, eps)]) for number, eps in enumerate(read)}
            for name, curve in curves.items()
        ],
        wide=True,
    )


def _radius(eps: float, norm: str) -> str:
    return f"{LEVELS * eps:.3g}/255" if norm == "linf" and eps * LEVELS <= LEVELS / 4 else f"{eps:.3g}"


def _trade_off(models: Models) -> Chart | None:
    at = common_budget(models)
    placed = [model for model in models.ranked if NORM in model.ares.curves]
    if not placed:
        return None
    ahead = front([(model.ares.clean.value, model.at(at)) for model in placed])
    shown = [placed[number] for number in ahead]
    named = {shown[number].name for number in apart([(model.ares.clean.value, model.at(at)) for model in shown])}
    rows = [
        _placed(model, at=at, ahead=number in ahead, named=model.name in named) for number, model in enumerate(placed)
    ]
    return Chart(
        name=f"ares_bench-plane-{models.data}",
        title=f"Clean against robust: {models.data}",
        caption=(
            f"Up: read off the {words(NORM)} curve at {budget(at)}, with its interval. Dashed: the front of the "
            "models that no other beats in both. The pointer names every point. Drag to pan, Ctrl-scroll to zoom."
        ),
        spec=plane(
            rows,
            kinds=sorted({row["kind"] for row in rows}),
            cost=False,
            x="clean top-1 (%)",
            y=f"top-1 at {budget(at)} (%)",
            about=f"Robust top-1 at {words(NORM)} {budget(at)} against clean top-1 on {models.data}, with the front.",
        ),
        columns={
            "name": "Model",
            "x": "Clean (%)",
            "x_range": "Interval",
            "y": f"At {budget(at)} (%)",
            "range": "Band",
            "trained": "Trained against",
        },
        rows=rows,
        wide=True,
    )


def _placed(model: Model, *, at: float, ahead: bool, named: bool) -> dict:
    curve, clean, trained = model.ares.curves[NORM], model.ares.clean, model.ares.trained
    here = place(curve, at)
    return (
        {"name": model.name, "kind": model.kind, "front": ahead, "label": model.name if named else ""}
        | {"x": percent(clean.value), "x_low": percent(clean.low), "x_high": percent(clean.high)}
        | {"y": percent(curve.robust_top1[here]), "y_low": percent(curve.low[here])}
        | {"y_high": percent(curve.high[here]), "range": span(curve.low[here], curve.high[here])}
        | {"x_range": span(clean.low, clean.high)}
        | {"trained": f"{trained.method}, {budget(trained.eps)}" if trained and trained.eps else "nothing"}
    )


def _drawn(
    models: Models,
    points: Callable[[Model], Iterable[dict]],
    *,
    name: str,
    title: str,
    caption: str,
    about: str,
    columns: dict[str, str],
    axes: tuple[str, str] | None = None,
    doubling: bool = False,
) -> Chart | None:
    """Draw the points of all models, if any; `about` is the alternative text's begin, axes are columns' x and y."""
    rows, names = _lines(models, points)
    if not rows:
        return None
    x, y = axes or (columns["x"].lower(), columns["y"].lower())
    about = f"{about} on {models.data}."
    spec = bands(rows, names=names, quiet=loudest(names), x=x, y=y, about=about, doubling=doubling)
    return Chart(
        name=f"ares_bench-{name}-{models.data}",
        title=f"{title}: {models.data}",
        caption=caption,
        spec=spec,
        columns={"series": "Model"} | columns,
        rows=rows,
    )


def _steps(models: Models) -> Chart | None:
    def points(model: Model) -> Iterable[dict]:
        found = model.ares.steps
        if found:
            for steps, rate, low, high in zip(found.steps, found.robust_top1, found.low, found.high, strict=True):
                if steps > 0:  # a logarithmic axis has no place for 0, which is clean top-1
                    yield {"x": steps, "y": percent(rate), "eps": budget(found.eps)} | _bar(low, high)

    budgets = ", ".join(sorted({row["eps"] for row in _lines(models, points)[0]}))
    return _drawn(
        models,
        points,
        name="steps",
        title="Accuracy against attack steps",
        caption=f"PGD at {words(NORM)} {budgets}. A line that still falls at its end was attacked too briefly.",
        about="Robust top-1 of each model over the steps of the attack",
        columns={"x": "Steps", "y": "Robust top-1 (%)", "range": "Interval", "eps": "Budget"},
        doubling=True,
    )


def _frequency(models: Models) -> Chart | None:
    def points(model: Model) -> Iterable[dict]:
        found = model.ares.frequency
        if found:
            for radius, rate in zip(found.radius, found.top1, strict=True):
                yield {"x": radius, "y": percent(rate)}

    return _drawn(
        models,
        points,
        name="frequency",
        title="Frequency response",
        caption="Top-1 of images that a low pass has freed of all frequencies beyond the radius; at the right, whole.",
        about="Top-1 of each model over the radius of an ideal low pass",
        columns={"x": "Radius", "y": "Top-1 (%)"},
        axes=("radius of the pass band (frequencies)", "top-1 (%)"),
    )


def _severity(models: Models) -> Chart | None:
    def points(model: Model) -> Iterable[dict]:
        if model.ares.severity:
            for severity, rate in enumerate([model.ares.clean.value, *model.ares.severity]):
                yield {"x": severity, "y": percent(rate)}

    return _drawn(
        models,
        points,
        name="severity",
        title="Corruption severity",
        caption="Top-1, mean over the corruptions, at each severity; 0 is clean.",
        about="Mean top-1 of each model over the severity of corruptions",
        columns={"x": "Severity", "y": "Top-1 (%)"},
        axes=("severity", "mean top-1 (%)"),
    )
