"""S-Eval as points and lines: safety and success with their intervals, over temperature and by language."""

from collections.abc import Callable

from stages.summary.charts import Chart, dots
from stages.summary.figures import THIN, percent, span, words
from stages.summary.language_results import Judged, SEval
from stages.summary.lines import bands, loudest
from stages.summary.readings import Interval
from stages.summary.s_eval_parts import Parts, Victims, defined, order, point, safety, successes

LARGEST_DOT_PX, GROUP_PX, AXIS_PX = 14, 110, 190
MILLION = 1e6
MOST_LETTERS = 60
"""Of a reason why there is no verdict."""


def charts(found: Victims) -> list[Chart]:
    """Draw safety by dimension, and success by attack where any was tried."""
    drawn = [_safety(found), _attacks(found)] if found else []
    return [chart for chart in drawn if chart]


def asked_otherwise(found: Victims) -> list[Chart]:
    """Draw safety over temperature and by language, where there are several."""
    return [chart for chart in (_sweep(found), _languages(found)) if chart]


def size(found: SEval) -> str:
    """Say how large the model is, empty where nobody said."""
    count = found.model.parameters
    return f"{count / MILLION:,.0f}{THIN}M" if isinstance(count, float) else count or ""


def _dots(found: Victims, parts: Callable[[Judged], Parts], *, group: str, axis: str) -> dict:
    rows = [{"group": words(part)} | point(name, rate) for name, each in found for part, rate in parts(each).items()]
    return dots(
        rows,
        groups=[words(part) for part in order(found, parts)],
        names=[words(name) for name, _ in found],
        group=group,
        series="victim",
        axis=axis,
        about=f"{axis.partition(' (')[0].capitalize()} of each victim by {group}.",
        dot_px=max(5, min(LARGEST_DOT_PX, GROUP_PX // len(found))),
        axis_px=AXIS_PX,
    )


def _cells(found: Judged, parts: Callable[[Judged], Parts]) -> dict[str, str]:
    return {part: _cell(rate) for part, rate in parts(found).items()}


def _cell(rate: Interval) -> str:
    return f"{percent(rate.value):.1f} {span(rate.low, rate.high)} of {rate.n}"


def _model(found: SEval) -> dict[str, str]:
    """Say which model answered and what came of its answers besides verdicts."""
    troubles = [
        (kind, what, count)
        for kind, each in found.errors.items()
        for what, count in (each if isinstance(each, dict) else {"": each}).items()
    ]
    counted = ", ".join(f"{f'{kind} {words(what)[:MOST_LETTERS]}'.strip()} {n}" for kind, what, n in troubles if n)
    return (
        {"parameters": size(found), "weights": found.model.quantisation or ""}
        | {"prompt": "yes" if found.model.system_prompt else "no", "counted": counted or "none"}
    )  # fmt: skip


def _safety(found: Victims) -> Chart:
    model = {"parameters": "Parameters", "weights": "Weights", "prompt": "Safety prompt", "counted": "Errors"}
    return Chart(
        name="s_eval-safety",
        title="Safety score of each victim",
        caption=(
            "Dot: share of base prompts answered safely, by the trained judge; higher is better. Bar: its interval. "
            "Answers without a verdict leave the denominator; the numbers count them."
        ),
        spec=_dots(found, safety, group="dimension", axis="safety score (%)"),
        columns={"name": "Victim"} | {part: f"{words(part)} (%)" for part in order(found, safety)} | model,
        rows=[{"name": words(name)} | _cells(each, safety) | _model(each) for name, each in found],
    )


def _attacks(found: Victims) -> Chart | None:
    parts = order(found, successes)
    if not parts:
        return None
    return Chart(
        name="s_eval-attacks",
        title="Success rate of each attack",
        caption=(
            "Dot: share of attacked prompts answered unsafely; lower is better for the victim. Bar: its interval. "
            "Judged on base prompt and response. The mean weighs the attacks alike and leaves the adaptive one out."
        ),
        spec=_dots(found, successes, group="attack", axis="success rate (%)"),
        columns={"name": "Victim"} | {part: f"{words(part)} (%)" for part in parts},
        rows=[{"name": words(name)} | _cells(each, successes) for name, each in found],
    )


def _sweep(found: Victims) -> Chart | None:
    rows = [
        {"x": at.temperature, "y": percent(at.safety.value)} | point(name, at.safety)
        for name, each in found
        for at in sorted(each.sweep, key=lambda at: at.temperature)
        if at.safety and at.safety.n
    ]
    if not rows:
        return None
    names = list(dict.fromkeys(row["series"] for row in rows))
    return Chart(
        name="s_eval-sweep",
        title="Safety over temperature",
        caption=(
            "Safety score on a subset of the base prompts. The line under the pointer stands out with its interval; "
            "the legend singles one out. Drag to pan, Ctrl-scroll to zoom."
        ),
        spec=bands(
            rows,
            names=names,
            quiet=loudest(names),
            x="temperature",
            y="safety score (%)",
            about="Safety score of each victim over the temperature of decoding.",
            series="victim",
        ),
        columns={"series": "Victim", "x": "Temperature", "value": "Safety (%)", "range": "Interval", "n": "Prompts"},
        rows=rows,
    )


def _languages(found: Victims) -> Chart | None:
    rows = [
        {"group": words(language)} | point(name, rate)
        for name, each in found
        for language, rate in sorted(defined(each.languages).items())
    ]
    groups = list(dict.fromkeys(row["group"] for row in rows))
    if len(groups) < 2:
        return None
    return Chart(
        name="s_eval-languages",
        title="Safety by language",
        caption="Dot: share of base prompts of a language answered safely. Bar: its interval.",
        spec=dots(
            rows,
            groups=groups,
            names=[words(name) for name, _ in found],
            group="language",
            series="victim",
            axis="safety score (%)",
            about="Safety score of each victim by language.",
        ),
        columns={"group": "Language", "series": "Victim", "value": "Safety (%)", "range": "Interval", "n": "Prompts"},
        rows=rows,
    )
