"""FGSM-LAW by epoch: held-out robustness and local linearity of each variant while it is trained."""

from collections.abc import Sequence

from stages.summary.charts import Chart
from stages.summary.fgsm_law import COMPARED, Group, groups
from stages.summary.figures import percent
from stages.summary.lines import bands, loudest
from stages.summary.readings import History, Score

QUANTITIES = {
    "pgd_10": ("Held-out PGD-10", "held-out top-1 under PGD-10 (%)"),
    "linearity": ("Local linearity", "cosine of the gradients at x and x + U (%)"),
}
"""What is drawn of a history: its heading and its axis."""
READ = "Cross: catastrophic overfitting. The line under the pointer stands out, the legend singles one out."


def charts(histories: list[History], scores: list[Score]) -> list[Chart]:
    """Draw held-out PGD-10 and local linearity over the epochs for each group that has histories."""
    by_model = {history.model: history for history in histories}
    return [
        chart
        for group in groups(scores)
        for quantity in QUANTITIES
        if (chart := _chart(group, by_model=by_model, quantity=quantity))
    ]


def _chart(group: Group, *, by_model: dict[str, History], quantity: str) -> Chart | None:
    lines = {
        variant.name: _line(by_model[variant.name], quantity) for variant in group.variants if variant.name in by_model
    }
    rows = [
        {"series": name, "x": epoch, "y": percent(value)}
        for name, line in lines.items()
        for epoch, value in line.items()
    ]
    if not rows:
        return None
    heading, axis = QUANTITIES[quantity]
    telling = [name for name in _telling(group) if lines.get(name)]
    return Chart(
        name=f"fgsm_law-{quantity}-{group.slug}",
        title=f"{heading} by epoch: {group.title}",
        caption=READ,
        spec=bands(
            rows,
            names=telling,
            quiet=loudest(telling),
            x="epoch",
            y=axis,
            about=f"{heading} of each variant on {group.title} over the epochs of its training.",
            marks=_marks(group, lines),
            series="variant",
        ),
        columns={"name": "Variant", "first": "First (%)", "best": "Highest (%)", "at": "Epoch", "last": "Last (%)"},
        rows=[{"name": name, **_summary(lines[name])} for name in telling],
        wide=True,
    )


def _line(history: History, quantity: str) -> dict[int, float]:
    return {
        int(record.get("epoch", place)): float(record[quantity])
        for place, record in enumerate(history.records, start=1)
        if isinstance(record.get(quantity), int | float)
    }


def _telling(group: Group) -> list[str]:
    """Order the variants by what a colour is worth to them: always compared, collapsed, then the most robust."""
    ordered = sorted(
        group.variants, key=lambda variant: (variant.law.training.method not in COMPARED, not variant.collapsed)
    )
    return [variant.name for variant in ordered]


def _marks(group: Group, lines: dict[str, dict[int, float]]) -> Sequence[dict]:
    return [
        {"series": variant.name, "x": epoch, "y": percent(lines[variant.name][epoch])}
        | {"note": f"overfits catastrophically in epoch {epoch}"}
        for variant in group.variants
        if variant.collapsed and (epoch := variant.law.overfitting.epoch) in lines.get(variant.name, {})
    ]


def _summary(line: dict[int, float]) -> dict:
    epochs = sorted(line)
    best = max(epochs, key=lambda epoch: line[epoch])
    return {
        "first": percent(line[epochs[0]]),
        "best": percent(line[best]),
        "at": best,
        "last": percent(line[epochs[-1]]),
    }
