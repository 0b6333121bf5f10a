"""ImageNet-E in the report: the drop of top-1 by setting, beside the paper's ResNet-50."""

from gauntlet.metrics.imagenet_e import PUBLISHED, SETTINGS
from stages.summary.charts import Chart, dots
from stages.summary.figures import THIN, percent, span, words
from stages.summary.readings import Score, interval

BESIDE = "ResNet-50, paper"
"""The published row that is shown in grey."""


def table(scores: list[Score]) -> list[dict]:
    """List the drop of top-1 and its interval by classifier and setting, for `dvc plots`; rates in [0, 1]."""
    rows = []
    for score in scores:
        found = score.results.get("settings", {})
        for setting in [*filter(found.__contains__, SETTINGS), *sorted(found.keys() - SETTINGS.keys())]:
            drop = interval(score, "settings", setting, "drop")
            rows.append(
                {"subject": score.subject, "setting": setting, "drop": drop.value}
                | {"low": drop.low, "high": drop.high, "n": drop.n}
            )
    return rows


def detail(score: Score) -> str:
    """Say how many of the originals are classified right."""
    return f"originals {100 * interval(score, 'original', 'top1').value:.1f}{THIN}%"


def finding(scores: list[Score]) -> str:
    """Say under which edit each classifier loses most."""
    said = []
    for score in scores:
        most = max(table([score]), key=lambda row: row["drop"])
        said.append(f"{score.subject} under {words(most['setting'])} ({100 * most['drop']:.1f}{THIN}points)")
    return f"Loses most: {'; '.join(said)}."


def charts(scores: list[Score]) -> list[Chart]:
    """Draw the figure of the section."""
    rows = table(scores)
    settings = list(dict.fromkeys(row["setting"] for row in rows))
    shown = [
        _dot(row["subject"], row["setting"], row["drop"])
        | {"low": percent(row["low"]), "high": percent(row["high"])}
        | {"range": span(row["low"], row["high"]), "n": row["n"]}
        for row in rows
    ]
    shown += [
        _dot(BESIDE, setting, PUBLISHED["resnet50"].drops[setting]) for setting in settings if setting in SETTINGS
    ]
    chart = Chart(
        name="imagenet_e-drop",
        title="Drop of top-1 by setting",
        caption=(
            "Dot: accuracy on the originals less accuracy on the edited images, on identical images. Bar: its "
            "interval. “inver” is the control, everything but the edit. Grey: the paper’s ResNet-50 on ImageNet-E."
        ),
        spec=dots(
            shown,
            groups=[words(setting) for setting in settings],
            names=[*(score.subject for score in scores), BESIDE],
            quiet=(BESIDE,),
            group="setting",
            series="classifier",
            axis="drop of top-1 (points)",
            about="Drop of top-1 accuracy of each classifier under each edit, beside the paper's ResNet-50.",
        ),
        columns={
            "group": "Setting",
            "paper": "In the paper",
            "series": "Classifier",
            "value": "Drop (points)",
            "range": "Interval",
            "n": "Images",
        },
        rows=shown,
        wide=True,
    )
    return [chart]


def _dot(classifier: str, setting: str, drop: float) -> dict:
    dot = {"series": classifier, "group": words(setting), "value": percent(drop), "range": "not stated"}
    return dot | {"paper": SETTINGS.get(setting, "")}
