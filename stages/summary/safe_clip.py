"""SAFE in the report: few-shot accuracy of every method with its interval, over shots, alpha and styles."""

from collections.abc import Iterator

from stages.summary import safe_clip_charts
from stages.summary.charts import Chart
from stages.summary.few_shot_results import GENERALISATION, MEANS, FewShot
from stages.summary.figures import MINUS, THIN, words
from stages.summary.readings import Interval, Score
from stages.summary.safe_clip_parts import ZERO_SHOT, Found, by_shots, gathered, said, whole

RIVALS = {"safe": "clip_adapter", "safe_a": "tip_adapter_f"}
"""What each of the paper's methods is set beside."""
SAID = (1, 4)
"""Shots that the paper quotes."""
LAST = "safe_a"

Measured = tuple[str, str, str, float | str, Interval]


def table(scores: list[Score]) -> list[dict]:
    """List every accuracy with its interval, for `dvc plots`; rates in [0, 1], entropies in nats; x: shots or alpha."""
    found = gathered(scores)
    sets = found.sets | ({MEANS: found.means} if found.means else {})
    rows = [(name, *each) for name, results in sets.items() for each in _measured(results)]
    if found.elsewhere:
        rows += [
            (GENERALISATION, method, "top1", target, "", rate)
            for target, rates in found.elsewhere.targets.items()
            for method, rate in rates.items()
        ]
    return [
        {"subject": subject, "method": method, "quantity": quantity, "name": name, "x": x}
        | {"value": rate.value, "low": rate.low, "high": rate.high, "n": rate.n}
        for subject, method, quantity, name, x, rate in rows
    ]


def _measured(found: FewShot) -> Iterator[Measured]:
    for method, rates in by_shots(found).items():
        yield from ((method, "top1", "", shots, rate) for shots, rate in sorted(rates.items()))
    for at in found.alpha.curve:
        for split, rate in (("val", at.val), ("test", at.test)):
            if rate:
                yield "safe", f"alpha_{split}", str(at.shots), at.alpha, rate
    for name, rate in found.attention or ():
        if rate:
            yield "safe", "attention", name, "", rate


def detail(score: Score) -> str:
    """Say what zero-shot reaches, and of how many classes."""
    found = gathered([score])
    results = found.means or next(iter(found.sets.values()), None)
    if found.elsewhere:
        return f"shots from {words(found.elsewhere.source)}"
    if results is None or results.zero_shot is None:
        return ""
    classes = f", {results.classes} classes" if results.classes else ""
    return f"zero-shot {100 * results.zero_shot.value:.1f}{THIN}%{classes}"


def leading(scores: list[Score]) -> list[Score]:
    """Return those that the overview shows at once: the means over the sets and what carries over."""
    return [score for score in scores if score.subject in (MEANS, GENERALISATION)] or scores[:1]


def finding(scores: list[Score]) -> str:
    """Say what the paper's methods reach beside their rivals at the shots it quotes, and what carries over."""
    found = gathered(scores)
    lines = [_beside(found.means, shots) for shots in SAID] if found.means else []
    return "\n".join(filter(None, [*lines, _elsewhere(found)]))


def _beside(means: FewShot, shots: int) -> str:
    rates = {method: each[shots] for method, each in by_shots(means).items() if shots in each}
    if ZERO_SHOT not in rates:
        return ""
    parts = [
        f"{said(ours)} {whole(rates[ours])} against {said(rival)} {whole(rates[rival])}"
        for ours, rival in RIVALS.items()
        if ours in rates and rival in rates
    ]
    start = f"{shots} shot{'s' if shots > 1 else ''} a class, mean of the sets"
    return f"{start}: zero-shot {whole(rates[ZERO_SHOT])}; {'; '.join(parts)}." if parts else ""


def _elsewhere(found: Found) -> str:
    if found.elsewhere is None:
        return ""
    gains = {
        target: 100 * (rates[LAST].value - rates[ZERO_SHOT].value)
        for target, rates in found.elsewhere.targets.items()
        if LAST in rates and ZERO_SHOT in rates
    }
    listed = ", ".join(f"{words(target)} {gain:+.1f}".replace("-", MINUS) for target, gain in gains.items())
    return f"{said(LAST)} over zero-shot on other styles, in points: {listed}." if gains else ""


def charts(scores: list[Score]) -> list[Chart]:
    """Draw the figures of the section."""
    return safe_clip_charts.charts(gathered(scores))
