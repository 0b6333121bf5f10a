"""Training curves: what each model's history says, by quantity and epoch."""

from stages.summary.charts import Chart, curves
from stages.summary.figures import words
from stages.summary.readings import History

EPOCH = "epoch"
NOT_SHOWN = ("lr", "seconds", "memory")
"""Beginnings of what a history may record that says nothing about the model."""
MOST_CURVES = 4


def table(histories: list[History]) -> list[dict]:
    """List every number by method, model, epoch and quantity, for `dvc plots`."""
    return [
        {"method": history.method, "subject": history.model, "epoch": record.get(EPOCH, place)}
        | {"quantity": key, "value": value}
        for history in histories
        for place, record in enumerate(history.records, start=1)
        for key, value in sorted(record.items())
        if not key.startswith((EPOCH, *NOT_SHOWN)) and _is_number(value)
    ]


def charts(histories: list[History]) -> list[Chart]:
    """Draw one figure for each quantity that a method's histories record, the loss first, its parts left out.

    Of models trained for one epoch there is no line to draw.
    """
    rows = table([history for history in histories if len(history.records) > 1])
    quantities = {row["quantity"] for row in rows if not row["quantity"].startswith("loss_")}
    ordered = sorted(quantities, key=lambda quantity: (quantity != "loss", quantity))
    return [_curve([row for row in rows if row["quantity"] == quantity]) for quantity in ordered[:MOST_CURVES]]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _curve(rows: list[dict]) -> Chart:
    method, quantity = rows[0]["method"], rows[0]["quantity"]
    shown = [{"series": row["subject"], "x": row["epoch"], "y": row["value"]} for row in rows]
    return Chart(
        name=f"{method}-training-{quantity}",
        title=f"Training: {words(quantity)}",
        caption="One line a model. Drag to pan, Ctrl-scroll to zoom, double-click to reset.",
        spec=curves(
            shown,
            names=list(dict.fromkeys(row["subject"] for row in rows)),
            x="epoch",
            y=words(quantity),
            about=f"{words(quantity)} of each model over the epochs of its training.",
        ),
        columns={"series": "Model", "x": "Epoch", "y": words(quantity)},
        rows=shown,
        decimals=4,
    )
