"""The models of ARES-Bench that can be compared: those tried on the same data."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from stages.summary.readings import Score
from stages.summary.robust_results import Ares, Curve, ares

NORM = "linf"
"""The norm of the trade-off plane and of the median radius in the overview."""
ROUNDING = 1e-4
"""Relative room for a budget that was written with fewer digits."""
DEFAULT_EPS = 8 / 255
"""Where no model was trained against a budget."""


@dataclass(frozen=True)
class Model:
    """One model under test."""

    name: str
    headline: float
    ares: Ares

    def at(self, eps: float, norm: str = NORM) -> float | None:
        """Return the top-1 that is left at the largest budget of the curve up to `eps`, or None without a curve."""
        curve = self.ares.curves.get(norm)
        return None if curve is None else curve.robust_top1[place(curve, eps)]

    @property
    def kind(self) -> str:
        """How it was hardened, in words."""
        trained = self.ares.trained
        return "not hardened" if trained is None or trained.eps == 0 else "adversarially trained"


@dataclass(frozen=True)
class Models:
    """All models on one data set."""

    data: str
    models: tuple[Model, ...]

    @property
    def ranked(self) -> tuple[Model, ...]:
        """By headline, the best first."""
        return tuple(sorted(self.models, key=lambda model: (-model.headline, model.name)))

    @property
    def names(self) -> list[str]:
        """By headline, the best first."""
        return [model.name for model in self.ranked]


def place(curve: Curve, eps: float) -> int:
    """Return the index of the curve's largest budget up to `eps`, or the first."""
    below = [number for number, radius in enumerate(curve.budgets) if radius <= eps * (1 + ROUNDING)]
    return below[-1] if below else 0


def deal(scores: Sequence[Score]) -> list[Models]:
    """Deal the scores to their data sets, the one with most models first."""
    dealt: dict[str, list[Model]] = {}
    for score in scores:
        found = ares(score)
        dealt.setdefault(found.data, []).append(Model(score.subject, score.headline.value, found))
    return [Models(data, tuple(dealt[data])) for data in sorted(dealt, key=lambda data: (-len(dealt[data]), data))]


def common_budget(models: Models) -> float:
    """Return the budget at which to compare: the one that most models were trained against, the smallest of equals."""
    trained = [model.ares.trained.eps for model in models.models if model.ares.trained and model.ares.trained.eps > 0]
    counted = Counter(round(eps, 6) for eps in trained)
    return min(counted, key=lambda eps: (-counted[eps], eps)) if counted else DEFAULT_EPS
