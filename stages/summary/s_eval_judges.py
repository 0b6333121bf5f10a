"""S-Eval's judges in the report: how well each tells labelled answers apart, by attack, and how far they agree."""

from collections.abc import Iterator

from stages.summary.charts import Chart, dots
from stages.summary.figures import MINUS, THIN, words
from stages.summary.language_results import JUDGES, JudgeQuality, Judges, Quality, judges
from stages.summary.readings import Interval, Score
from stages.summary.s_eval_parts import attack_order, point, whole

MEASURES = {
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "precision": "precision (unsafe)",
    "recall": "recall (unsafe)",
    "precision_safe": "precision (safe)",
    "recall_safe": "recall (safe)",
}
BY_GROUP = "accuracy"
"""Of the answers to one attack or of one kind, all may carry the same label: then no other measure is defined."""
AXIS_PX = 190
KAPPA = "Cohen’s kappa"


def _found(scores: list[Score]) -> Judges | None:
    return next((judges(score) for score in scores if score.subject == JUDGES), None)


def _measures(found: Quality) -> Iterator[tuple[str, Interval]]:
    return ((name, rate) for name in MEASURES if (rate := getattr(found, name)))


def _groups(found: JudgeQuality) -> dict[str, Quality]:
    """Return the quality by attack, then by kind of answer."""
    return {name: found.attacks[name] for name in sorted(found.attacks, key=attack_order)} | dict(
        sorted(found.kinds.items())
    )


def table(scores: list[Score]) -> list[dict]:
    """List every measure of every judge, and the agreements."""
    found = _found(scores)
    if found is None:
        return []
    rates = [
        (judge, measure, name, rate)
        for judge, each in found.judges.items()
        for name, quality in ({"": each} | _groups(each)).items()
        for measure, rate in _measures(quality)
    ]
    rates += [("", "kappa", name, rate) for name, rate in found.agreement.items() if rate]
    return [
        {"subject": JUDGES, "judge": judge, "quantity": measure, "name": name, "x": ""}
        | {"value": rate.value, "low": rate.low, "high": rate.high, "n": rate.n}
        for judge, measure, name, rate in rates
    ]


def detail(score: Score) -> str:
    """Say the balanced accuracy of each judge."""
    rates = {name: each.balanced_accuracy for name, each in judges(score).judges.items()}
    return ", ".join(f"{words(name)} {100 * rate.value:.1f}{THIN}%" for name, rate in rates.items() if rate)


def finding(scores: list[Score]) -> str:
    """Say how good each judge is on labels held out, the best first, and how far two agree."""
    found = _found(scores)
    if found is None:
        return ""
    rates = [(name, each.balanced_accuracy) for name, each in found.judges.items() if each.balanced_accuracy]
    rates.sort(key=lambda each: -each[1].value)
    said = ", ".join(f"{words(name)} {whole(rate)}" for name, rate in rates)
    kappas = ", ".join(f"{kappa(rate)} on {words(name)}" for name, rate in found.agreement.items() if rate)
    sentences = (f"Balanced accuracy on labels held out: {said}." if said else "",)
    return " ".join(filter(None, (*sentences, f"Agreement of two judges (kappa): {kappas}." if kappas else "")))


def kappa(rate: Interval) -> str:
    """Write an agreement with its interval.

    >>> kappa(Interval(value=0.5, low=-0.125, high=0.75, n=40))
    '0.50 [−0.12, 0.75]'
    """
    return f"{rate.value:.2f} [{rate.low:.2f}, {rate.high:.2f}]".replace("-", MINUS)


def charts(scores: list[Score]) -> list[Chart]:
    """Draw the judges side by side, in all and by what was judged, and their agreement."""
    found = _found(scores)
    if found is None:
        return []
    drawn = [_quality(found), _by_group(found), _agreement(found)]
    return [chart for chart in drawn if chart]


def _quality(found: Judges) -> Chart | None:
    rows = [
        {"group": MEASURES[measure]} | point(name, rate)
        for name, each in found.judges.items()
        for measure, rate in _measures(each)
    ]
    if not rows:
        return None
    errors = {words(name): each.errors for name, each in found.judges.items()}
    return Chart(
        name="s_eval-judges",
        title="The judges on labels that were held out",
        caption=(
            "Dot: rate on answers whose label is known. Bar: its interval. Balanced accuracy is the mean of both "
            "recalls; a judge that always says the same has 50."
        ),
        spec=_dots(found, rows, group="measure", axis="rate (%)", about="Quality of each judge on held-out labels."),
        columns={"group": "Measure", "series": "Judge", "value": "Rate (%)", "range": "Interval", "n": "Answers"}
        | {"errors": "Without a verdict"},
        rows=[row | {"errors": errors[row["series"]]} for row in rows],
    )


def _by_group(found: Judges) -> Chart | None:
    rows = [
        {"group": words(name), "measure": MEASURES[measure]} | point(judge, rate)
        for judge, each in found.judges.items()
        for name, quality in _groups(each).items()
        for measure, rate in _measures(quality)
    ]
    shown = [row for row in rows if row["measure"] == MEASURES[BY_GROUP]]
    if not shown:
        return None
    return Chart(
        name="s_eval-judges-by",
        title="The judges by attack and kind of answer",
        caption="Dot: share of right verdicts on held-out answers. Bar: its interval; there are few answers of each.",
        spec=_dots(
            found, shown, group="answers", axis="accuracy (%)", about="Accuracy of each judge by kind of answer."
        ),
        columns={"group": "Answers", "measure": "Measure", "series": "Judge", "value": "Rate (%)"}
        | {"range": "Interval", "n": "Answers judged"},
        rows=rows,
    )


def _agreement(found: Judges) -> Chart | None:
    rows = [
        {"group": words(name), "series": KAPPA, "value": round(rate.value, 4), "low": rate.low, "high": rate.high}
        | {"range": f"[{rate.low:.2f}, {rate.high:.2f}]".replace("-", MINUS), "n": rate.n}
        for name, rate in found.agreement.items()
        if rate
    ]
    if not rows:
        return None
    return Chart(
        name="s_eval-agreement",
        title="Agreement of the trained judge and the rules",
        caption="Dot: Cohen’s kappa; 0 is what chance gives, 1 is full agreement. Bar: its interval over answers.",
        spec=dots(
            rows,
            groups=[row["group"] for row in rows],
            names=[KAPPA],
            group="answers",
            series="measure",
            axis="kappa",
            about="Agreement of two judges by set of answers.",
            axis_px=AXIS_PX,
        ),
        columns={"group": "Answers", "value": "Kappa", "range": "Interval", "n": "Answers judged"},
        rows=rows,
    )


def _dots(found: Judges, rows: list[dict], *, group: str, axis: str, about: str) -> dict:
    return dots(
        rows,
        groups=list(dict.fromkeys(row["group"] for row in rows)),
        names=[words(name) for name in found.judges],
        group=group,
        series="judge",
        axis=axis,
        about=about,
        axis_px=AXIS_PX,
    )
