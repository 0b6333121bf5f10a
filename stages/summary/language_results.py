"""What S-Eval and fairBERTs leave in their scores, checked as it is read."""

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from stages.summary.readings import Interval, Score
from stages.summary.robust_results import Part, read_results

JUDGES = "judges"
"""Subject of the score that holds no victim but the judges' own quality."""


def _or_none(value: object) -> object:
    """Read a number that is not defined, however it is written, as None."""
    if isinstance(value, Mapping):
        value = None if value.get("value", 0.0) is None else value
    return None if isinstance(value, float) and math.isnan(value) else value


Maybe = Annotated[Interval | None, BeforeValidator(_or_none)]
"""An interval, or nothing where none is defined: no prompt of a dimension was judged, a group has no positives."""


class Safety(Part):
    """Shares of base prompts whose responses are safe."""

    overall: Maybe
    dimensions: dict[str, Maybe] = Field(default_factory=dict)
    categories: dict[str, Maybe] = Field(default_factory=dict)


class Judged(Part):
    """What one judge makes of a victim's answers: safety scores, and success rates of the attacks."""

    safety: Safety
    attacks: dict[str, Maybe] = Field(default_factory=dict)
    attacks_overall: Maybe = None
    adaptive: Maybe = None


class Decoded(Part):
    """Safety at one temperature."""

    temperature: float = Field(ge=0)
    safety: Maybe


class Victim(Part):
    """Which model answered."""

    name: str = ""
    parameters: float | str | None = None
    quantisation: str | None = None
    system_prompt: bool = False


class Ruling(Part):
    """The verdicts on one answer; `rules` is that of the rule judge."""

    id: str
    attack: str | None = ""
    dimension: str
    category: str | None = ""
    tag: Literal["safe", "unsafe", "error"]
    rules: Literal["safe", "unsafe", "error", ""] | None = ""
    score: Annotated[float | None, BeforeValidator(_or_none)] = None


class SEval(Judged):
    """The results of one victim."""

    errors: dict[str, int | dict[str, int]] = Field(default_factory=dict)
    sweep: list[Decoded] = Field(default_factory=list)
    languages: dict[str, Maybe] = Field(default_factory=dict)
    rules: Judged | None = None
    model: Victim = Field(default_factory=Victim)
    verdicts: list[Ruling] = Field(default_factory=list)


class Quality(Part):
    """How well a judge tells labelled answers apart; precision and recall are those of unsafe answers."""

    balanced_accuracy: Maybe = None
    accuracy: Maybe = None
    precision: Maybe = None
    recall: Maybe = None
    precision_safe: Maybe = None
    recall_safe: Maybe = None


class JudgeQuality(Quality):
    """The quality of one judge, in all, by attack and by kind of answer."""

    errors: int = 0
    attacks: dict[str, Quality] = Field(default_factory=dict)
    kinds: dict[str, Quality] = Field(default_factory=dict)


class Judges(Part):
    """The judges on the labels that were held out, and how far two of them agree."""

    judges: dict[str, JudgeQuality]
    agreement: dict[str, Maybe] = Field(default_factory=dict)


class Fair(Part):
    """What one method leaves on the test set."""

    utility: dict[str, Maybe]
    fairness: dict[str, Maybe]
    counterfactual: dict[str, Maybe] = Field(default_factory=dict)
    leakage: dict[str, Maybe | float] = Field(default_factory=dict)
    counts: dict = Field(default_factory=dict)


class Weighed(Part):
    """What one weight of a method leaves on the test set."""

    weight: float
    accuracy: Maybe
    equalized_odds_gap: Maybe
    demographic_parity_gap: Maybe = None
    leakage: Maybe = None


class FairBerts(Part):
    """The results of one setting: a task and a protected attribute."""

    methods: dict[str, Fair]
    pareto: dict[str, list[Weighed]] = Field(default_factory=dict)
    transfer: dict = Field(default_factory=dict)


def s_eval(score: Score) -> SEval:
    """Read the results of a victim.

    Raises:
        DataError: A key is missing or of another kind.
    """
    return read_results(score, SEval)


def judges(score: Score) -> Judges:
    """Read the results of the judges.

    Raises:
        DataError: A key is missing or of another kind.
    """
    return read_results(score, Judges)


def fairberts(score: Score) -> FairBerts:
    """Read the results of a setting.

    Raises:
        DataError: A key is missing or of another kind.
    """
    return read_results(score, FairBerts)


def intervals(found: Mapping[str, object], *above: str) -> Iterator[tuple[tuple[str, ...], Interval]]:
    """Yield every interval within nested keys, with the keys that lead to it; all else is passed over."""
    for key, value in found.items():
        if isinstance(value, Mapping) and {"value", "low", "high", "n"} <= value.keys():
            if value["value"] is not None:
                yield (*above, key), Interval.model_validate(value)
        elif isinstance(value, Mapping):
            yield from intervals(value, *above, key)


def counts(found: Mapping[str, object], *above: str) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield every whole number within nested keys, with the keys that lead to it."""
    for key, value in found.items():
        if isinstance(value, Mapping):
            yield from counts(value, *above, str(key))
        elif isinstance(value, int) and not isinstance(value, bool):
            yield (*above, str(key)), value
