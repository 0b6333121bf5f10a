"""What SAFE leaves in its scores, checked as it is read."""

from pydantic import Field

from stages.summary.language_results import Maybe
from stages.summary.readings import Interval, Score
from stages.summary.robust_results import Part, read_results

MEANS, GENERALISATION = "means", "generalisation"
"""Subjects of the scores that are no set's: means over the sets, and the drawn styles."""


class ByShots(Part):
    """Accuracy of one method by the shots of a class."""

    shots: dict[int, Maybe]


class Blend(Part):
    """Accuracy at one weight of the tuned pooling, on the validation shots and on the test split."""

    alpha: float = Field(ge=0, le=1)
    shots: int
    val: Maybe = None
    test: Maybe = None


class Alpha(Part):
    """The accuracies over alpha, and what the validation shots chose, by shots, one a seed."""

    curve: list[Blend] = Field(default_factory=list)
    chosen: dict[int, list[float]] = Field(default_factory=dict)


class Attention(Part):
    """How the attention of the pooling spreads before and after tuning: nats, and the share on the object."""

    entropy_before: Maybe = None
    entropy_after: Maybe = None
    on_object_before: Maybe = None
    on_object_after: Maybe = None


class FewShot(Part):
    """The results on one set, or their means over the sets."""

    methods: dict[str, ByShots]
    zero_shot: Maybe = None
    alpha: Alpha = Field(default_factory=Alpha)
    attention: Attention | None = None
    classes: int | None = None


class Generalisation(Part):
    """Accuracy of each method on targets that its shots were not drawn from."""

    source: str
    targets: dict[str, dict[str, Interval]]


def few_shot(score: Score) -> FewShot:
    """Read the results of a set, or of the means.

    Raises:
        DataError: A key is missing or of another kind.
    """
    return read_results(score, FewShot)


def generalisation(score: Score) -> Generalisation:
    """Read the results on other styles.

    Raises:
        DataError: A key is missing or of another kind.
    """
    return read_results(score, Generalisation)
