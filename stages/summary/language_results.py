"""What S-Eval and fairBERTs leave in their scores, checked as it is read."""

import math
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

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
    """The results of one victim; `beside` holds what the other judges make of it, by their names."""

    errors: dict[str, int | dict[str, int]] = Field(default_factory=dict)
    sweep: list[Decoded] = Field(default_factory=list)
    languages: dict[str, Maybe] = Field(default_factory=dict)
    beside: dict[str, Judged] = Field(default_factory=dict)
    model: Victim = Field(default_factory=Victim)
    verdicts: list[Ruling] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, found: dict) -> dict:
        """A judge's findings stand below its name, beside everything else; they are known by their safety scores."""
        others = {name: part for name, part in found.items() if isinstance(part, Mapping) and "safety" in part}
        return found | {"beside": others}


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


class Sizes(Part):
    """Sentences of one group, by label."""

    positives: int
    negatives: int


class Skewed(Part):
    """What a model makes of test sentences: here of those whose label tells the group as it did in training."""

    utility: dict[str, Maybe]
    fairness: dict[str, Maybe]


class Code(Part):
    """Bits of the groups' code given the states, and of the code that knows nothing."""

    bits: float
    uniform: float


class Fair(Skewed):
    """What one model leaves on the test set."""

    counterfactual: dict[str, Maybe | float] = Field(default_factory=dict)
    leakage: dict[str, Maybe | float] = Field(default_factory=dict)
    counts: dict[str, Sizes] = Field(default_factory=dict)
    description_length: Code | None = None
    skewed: Skewed | None = None


class Weighed(Part):
    """What one weight of a method leaves on the test set; a method may have none."""

    weight: float | None
    accuracy: Maybe
    equalized_odds_gap: Maybe
    demographic_parity_gap: Maybe = None
    leakage: Maybe = None


class FairBerts(Part):
    """The results of one setting, a task and a protected attribute; `groups` holds the names of the groups."""

    methods: dict[str, Fair]
    pareto: dict[str, list[Weighed]] = Field(default_factory=dict)
    transfer: dict[str, Fair] = Field(default_factory=dict)
    controls: dict[str, Fair] = Field(default_factory=dict)
    groups: dict[str, str] = Field(default_factory=dict)


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
