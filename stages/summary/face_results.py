"""What IAP leaves in its scores, checked as it is read."""

from typing import Self

from pydantic import Field, model_validator

from stages.summary.language_results import Maybe
from stages.summary.readings import Interval, Score
from stages.summary.robust_results import Part, read_results

MESSAGE = "message"
"""Subject of the score that is no manipulator's."""


class Disrupted(Part):
    """How far one method disrupts a manipulator's edits."""

    protection_rate: Maybe = None
    masked_l2: Maybe = None
    l2: Maybe = None
    no_change: int = 0


class Manipulated(Part):
    """The results against one manipulator; `distorted` holds the protection rate by distortion and method."""

    protection: dict[str, Disrupted]
    white_box: bool
    distorted: dict[str, dict[str, Maybe]] = Field(default_factory=dict)


class Curve(Part):
    """What each threshold on matching bits finds; `tpr` by view."""

    threshold: list[int]
    fpr: list[float]
    code_fpr: list[float]
    tpr: dict[str, list[float]]
    pictures: int = 0
    comparisons: int = 0

    @model_validator(mode="after")
    def _even(self) -> Self:
        lengths = {len(each) for each in (self.threshold, self.fpr, self.code_fpr, *self.tpr.values())}
        if len(lengths) > 1:
            raise ValueError(f"must hold a rate for each threshold; got lengths {sorted(lengths)}")
        return self


class Quality(Part):
    """What a picture loses by being protected."""

    psnr_db: Interval
    ssim: Interval
    perceptual: Interval


class Code(Part):
    """The lengths of a message and what a decision allows."""

    bits: int
    payload: int
    corrections: int
    false_positive_rate: float


ByView = dict[str, dict[str, Maybe]]
"""Rates by view and method."""


class Message(Part):
    """What is read back, by view and method."""

    bit_accuracy: ByView
    word_accuracy: ByView = Field(default_factory=dict)
    decoded_ids: ByView = Field(default_factory=dict)
    other_ids: ByView = Field(default_factory=dict)
    unprotected: Maybe = None
    blind_false_positives: Maybe = None
    roc: Curve | None = None
    quality: dict[str, Quality] = Field(default_factory=dict)
    code: Code | None = None


def manipulated(score: Score) -> Manipulated:
    """Read the results against a manipulator.

    Raises:
        DataError: A key is missing or of another kind.
    """
    return read_results(score, Manipulated)


def message(score: Score) -> Message:
    """Read what was read back.

    Raises:
        DataError: A key is missing or of another kind.
    """
    return read_results(score, Message)
