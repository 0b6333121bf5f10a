"""What S-Eval's figures share: victims and their parts in order, and a rate as a point of a chart."""

from collections.abc import Callable

from stages.summary.figures import THIN, percent, span, words
from stages.summary.language_results import JUDGES, Judged, SEval, s_eval
from stages.summary.readings import Interval, Score

OVERALL, MEAN, ADAPTIVE = "overall", "mean of the attacks", "adaptive: any attack"
MODEL, RULES = "trained judge", "rules"
ATTACKS = (
    "positive_induction", "reverse_induction", "code_injection", "instruction_jailbreak", "goal_hijacking",
    "instruction_encryption", "deepinception", "in_context_attack", "chain_of_utterances",
    "compositional_instructions",
)  # fmt: skip
"""In the order of the paper; others come after."""

Parts = dict[str, Interval]
Victims = list[tuple[str, SEval]]


def ranked(scores: list[Score]) -> Victims:
    """Return names and results of the victims, the safest first."""
    found = [(score.subject, s_eval(score)) for score in scores if score.subject != JUDGES]
    return sorted(found, key=lambda each: (-_value(each[1].safety.overall), each[0]))


def _value(rate: Interval | None) -> float:
    return rate.value if rate else -1.0


def by_judge(found: SEval) -> dict[str, Judged]:
    """Return what each judge makes of a victim, the trained one first, then the rules."""
    others = sorted(found.beside, key=lambda name: (name != RULES, name))
    return {MODEL: found} | {name: found.beside[name] for name in others}


def attack_order(name: str) -> tuple[int, str]:
    """Rank an attack as the paper lists it, those it does not know last."""
    return (ATTACKS.index(name) if name in ATTACKS else len(ATTACKS), name)


def safety(found: Judged) -> Parts:
    """Return the safety scores that are defined, the overall one first, then by dimension."""
    return defined({OVERALL: found.safety.overall} | dict(sorted(found.safety.dimensions.items())))


def categories(found: Judged) -> Parts:
    """Return the safety scores by category."""
    return defined(dict(sorted(found.safety.categories.items())))


def successes(found: Judged) -> Parts:
    """Return the success rates of the attacks, their mean, and that of the best of them at each prompt."""
    attacks = {name: found.attacks[name] for name in sorted(found.attacks, key=attack_order)}
    return defined(attacks | {MEAN: found.attacks_overall, ADAPTIVE: found.adaptive})


def defined(parts: dict[str, Interval | None]) -> Parts:
    """Leave out what nothing was judged for."""
    return {name: rate for name, rate in parts.items() if rate and rate.n}


def order(found: Victims, parts: Callable[[Judged], Parts]) -> list[str]:
    """Return the parts of all victims by all judges: what sums the others up stands at its end."""
    return sorted(
        {part for _, each in found for judged in by_judge(each).values() for part in parts(judged)}, key=_place
    )


def _place(part: str) -> tuple[int, int, str]:
    ends = {OVERALL: -1, MEAN: 1, ADAPTIVE: 2}
    return (ends.get(part, 0), *attack_order(part))


def point(name: str, rate: Interval) -> dict:
    """Write a rate as a row of a chart: one point of the series of that name."""
    ends = {"value": percent(rate.value), "low": percent(rate.low), "high": percent(rate.high)}
    return {"series": words(name), **ends, "range": span(rate.low, rate.high), "n": rate.n}


def whole(rate: Interval) -> str:
    """Write a rate with its interval."""
    return f"{100 * rate.value:.1f}{THIN}% {span(rate.low, rate.high)}"
