"""S-Eval as heat maps: victims against dimensions, categories and attacks, by the judge that is picked."""

from collections.abc import Callable
from dataclasses import dataclass

from stages.summary.charts import Chart
from stages.summary.figures import percent, span, words
from stages.summary.heat import heat
from stages.summary.language_results import Judged
from stages.summary.s_eval_parts import Parts, Victims, by_judge, categories, order, safety, successes


@dataclass(frozen=True)
class View:
    """What one map shows: which parts of a judge's findings, and the words around them."""

    slug: str
    parts: Callable[[Judged], Parts]
    title: str
    caption: str
    across: str
    value: str
    wide: bool = False


VIEWS = (
    View(
        slug="dimensions",
        parts=safety,
        title="Safety by victim and dimension",
        caption="Darker is safer. The list chooses whose verdicts are shown.",
        across="dimension",
        value="safety score (%)",
    ),
    View(
        slug="matrix",
        parts=successes,
        title="Success by victim and attack",
        caption="Darker is less safe. Adaptive: a base prompt counts if any of the attacks succeeds on it.",
        across="attack",
        value="success rate (%)",
    ),
    View(
        slug="categories",
        parts=categories,
        title="Safety by victim and category",
        caption=(
            "Darker is safer. A category has few prompts: mind the intervals in the numbers. The publisher names no "
            "categories; where a label was predicted, the records below say so."
        ),
        across="category",
        value="safety score (%)",
        wide=True,
    ),
)


def charts(found: Victims) -> list[Chart]:
    """Draw every view that has a number."""
    return [_chart(found, view, across) for view in VIEWS if (across := order(found, view.parts))]


def _chart(found: Victims, view: View, across: list[str]) -> Chart:
    cells = [
        {"row": words(name), "column": words(part), "layer": judge, "value": percent(rate.value), "own": False}
        | {"range": span(rate.low, rate.high), "n": rate.n}
        for name, each in found
        for judge, judged in by_judge(each).items()
        for part, rate in view.parts(judged).items()
    ]
    layers = list(dict.fromkeys(cell["layer"] for cell in cells))
    return Chart(
        name=f"s_eval-{view.slug}",
        title=view.title,
        caption=view.caption,
        spec=heat(
            cells,
            layers=layers if len(layers) > 1 else (),
            up=[words(name) for name, _ in found],
            across=[words(part) for part in across],
            up_title="victim",
            across_title=view.across,
            value=view.value,
            about=f"{view.title}, in per cent.",
        ),
        columns={"row": "Victim", "column": view.across.capitalize(), "layer": "Judge"}
        | {"value": f"{view.value.capitalize()}", "range": "Interval", "n": "Prompts"},
        rows=cells,
        wide=view.wide,
    )
