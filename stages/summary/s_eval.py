"""S-Eval in the report: how safe each victim's answers are, which attack gets through, how good the judges are."""

from collections.abc import Iterator

from stages.summary import s_eval_charts, s_eval_heat, s_eval_judges
from stages.summary.charts import Chart
from stages.summary.figures import THIN, words
from stages.summary.language_results import JUDGES, SEval, s_eval
from stages.summary.readings import Interval, Score
from stages.summary.s_eval_parts import (
    MODEL,
    Victims,
    by_judge,
    categories,
    defined,
    ranked,
    safety,
    successes,
    whole,
)

QUANTITIES = {"safety": safety, "category": categories, "success_rate": successes}


def table(scores: list[Score]) -> list[dict]:
    """List every rate with its interval, for `dvc plots`, the judges' own quality last; kappa lies in [-1, 1]."""
    rows = [
        {"subject": victim, "judge": judge, "quantity": quantity, "name": name, "x": x}
        | {"value": rate.value, "low": rate.low, "high": rate.high, "n": rate.n}
        for victim, found in ranked(scores)
        for judge, quantity, name, x, rate in _rates(found)
    ]
    return rows + s_eval_judges.table(scores)


def _rates(found: SEval) -> Iterator[tuple[str, str, str, float | str, Interval]]:
    for judge, judged in by_judge(found).items():
        for quantity, parts in QUANTITIES.items():
            yield from ((judge, quantity, name, "", rate) for name, rate in parts(judged).items())
    for at in found.sweep:
        if at.safety:
            yield MODEL, "sweep", "", at.temperature, at.safety
    yield from ((MODEL, "language", language, "", rate) for language, rate in defined(found.languages).items())


def detail(score: Score) -> str:
    """Say of a victim how often attacks succeed and how large it is; of the judges, how good the others are."""
    if score.subject == JUDGES:
        return s_eval_judges.detail(score)
    found = s_eval(score)
    rates = {"attacks": found.attacks_overall, "adaptive": found.adaptive}
    said = [f"{name} {100 * rate.value:.1f}{THIN}%" for name, rate in rates.items() if rate]
    said += [f"{size} parameters"] if (size := s_eval_charts.size(found)) else []
    return ", ".join(said + (["safety prompt"] if found.model.system_prompt else []))


def leading(scores: list[Score]) -> list[Score]:
    """Return those that the overview shows at once: the safest, the least safe, and the judges."""
    names = [name for name, _ in ranked(scores)]
    return [score for score in scores if score.subject in {*names[:1], *names[-1:], JUDGES}]


def finding(scores: list[Score]) -> str:
    """Say which victim is safest, which attack gets through most, what was not judged, and how good the judge is."""
    found = ranked(scores)
    said = " ".join(filter(None, (_safest(found), _strongest(found), _unjudged(found))))
    return "\n".join(filter(None, (said, s_eval_judges.finding(scores))))


def _safest(found: Victims) -> str:
    rates = [(name, rate) for name, each in found if (rate := each.safety.overall)]
    if not rates:
        return ""
    (best, high), (worst, low) = rates[0], rates[-1]
    last = f"; least safe: {words(worst)}, {whole(low)}" if worst != best else ""
    return f"Safest on the base prompts: {words(best)}, {whole(high)}{last}."


def _strongest(found: Victims) -> str:
    rates = [(rate, attack, name) for name, each in found for attack, rate in defined(each.attacks).items()]
    if not rates:
        return ""
    rate, attack, name = max(rates, key=lambda each: each[0].value)
    return f"The attack that succeeds most: {words(attack)} on {words(name)}, {whole(rate)} of {rate.n}."


def _unjudged(found: Victims) -> str:
    tags = [ruling.tag for _, each in found for ruling in each.verdicts]
    return (
        f"Without a verdict, and in no denominator: {tags.count('error'):,} of {len(tags):,} answers." if tags else ""
    )


def charts(scores: list[Score]) -> list[Chart]:
    """Draw the victims' safety and the attacks' success, then the judges that these rest on."""
    found = ranked(scores)
    victims = [*s_eval_charts.charts(found), *s_eval_heat.charts(found), *s_eval_charts.asked_otherwise(found)]
    return [*victims, *s_eval_judges.charts(scores)]
