"""What FGSM-LAW and ARES-Bench leave in their scores, checked as it is read."""

from typing import Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gauntlet.errors import DataError
from stages.summary.readings import Interval, Score, reason


class Part(BaseModel):
    """A part of what a score holds; keys that the report does not show are let through."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class Training(Part):
    """How a variant was trained."""

    method: str
    data: str
    eps: float
    seed: int
    epochs: int
    switches: dict = {}


class Overfitting(Part):
    """Whether one-step training collapsed, and when."""

    collapsed: bool
    epoch: int | None


class Cost(Part):
    """Forward and backward passes an image: in all, and against plain training."""

    passes: float = Field(ge=0)
    relative: float = Field(gt=0)


class Law(Part):
    """The results of one trained variant."""

    training: Training
    clean: Interval
    fgsm: Interval
    pgd_10: Interval
    pgd_20: Interval
    pgd_50: Interval
    cw_20: Interval
    autoattack: Interval | None
    last: dict[str, Interval]
    best_epoch: int
    overfitting: Overfitting
    cost: Cost
    monotone: bool


class _Line(Part):
    """Numbers side by side: as many of each."""

    @model_validator(mode="after")
    def _even(self) -> Self:
        lengths = {name: len(value) for name, value in self if isinstance(value, list)}
        if len(set(lengths.values())) > 1:
            said = ", ".join(f"{length} {name}" for name, length in lengths.items())
            raise ValueError(f"must hold as many of each; got {said}")
        return self


class Curve(_Line):
    """Robust top-1 over budgets: bounds at each budget alone and, where given, a band over all at once."""

    budgets: list[float] = Field(min_length=1)
    robust_top1: list[float]
    low: list[float]
    high: list[float]
    band_low: list[float] | None = None
    band_high: list[float] | None = None
    area: float
    median_radius: float | None
    n: int
    band: str


class Steps(_Line):
    """Robust top-1 over the attack's steps."""

    eps: float
    steps: list[int]
    robust_top1: list[float]
    low: list[float]
    high: list[float]


class Frequency(_Line):
    """Top-1 of low-passed images."""

    radius: list[float]
    top1: list[float]


class Defence(Part):
    """A model behind an input defence, and what speaks against its number."""

    clean: Interval
    robust: Interval
    problems: list[str]


class Trained(Part):
    """How the model under test was hardened."""

    method: str
    eps: float


class Ood(Part):
    """Top-1 on an out-of-distribution set; what only a corrupted set has may be missing."""

    top1: Interval
    drop: float | None = None
    mce: float | None = None


class Ares(Part):
    """The results of one model."""

    data: str
    trained: Trained | None = None
    clean: Interval
    curves: dict[str, Curve] = {}
    steps: Steps | None = None
    attacks: dict[str, Interval] = {}
    transfer: dict[str, dict[str, float]] = {}
    frequency: Frequency | None = None
    corruptions: dict[str, list[float]] = {}
    mce: float | None = None
    severity: list[float] = []
    defences: dict[str, Defence] = {}
    ood: dict[str, Ood] = {}
    self_checks: list[str] = []


Results = TypeVar("Results", bound=BaseModel)


def read_results(score: Score, kind: type[Results]) -> Results:
    """Read a score's results as those of its method.

    Raises:
        DataError: A key is missing or of another kind.
    """
    try:
        return kind.model_validate(score.results)
    except ValidationError as error:
        raise DataError(f"the results of {score.stage} must be those of {score.method}; {reason(error)}") from None


def law(score: Score) -> Law:
    """Read the results of a trained variant.

    Raises:
        DataError: A key is missing or of another kind.
    """
    return read_results(score, Law)


def ares(score: Score) -> Ares:
    """Read the results of a model on the benchmark; the parts that it was not tried on may be missing.

    Raises:
        DataError: A key is of another kind, or a curve holds more budgets than rates.
    """
    return read_results(score, Ares)
