"""What WAPAT and TransAudio leave in their scores, checked as it is read."""

from pydantic import Field

from stages.summary.readings import Interval, Score
from stages.summary.robust_results import Part, read_results


class Clean(Part):
    """Error rates on clips as they are."""

    wer: Interval
    cer: Interval | None = None


class Attack(Part):
    """Word error rate under one attack."""

    eps: float = Field(ge=0)
    steps: int | None = None
    snr_db: float | None = None
    wer: Interval


class Wapat(Part):
    """The results of one recogniser; a reference may lack corruptions and attacks."""

    clean: Clean
    domains: dict[str, Interval]
    mean_of_domains: Interval
    corruptions: dict[str, dict[int, Interval]] = Field(default_factory=dict)
    mean_of_corruptions: Interval | None = None
    feature_pgd: list[Attack] = Field(default_factory=list)
    waveform_pgd: list[Attack] = Field(default_factory=list)
    normalizer: str
    per_domain_seen: dict[str, bool] = Field(default_factory=dict)


class Success(Part):
    """How often a victim heard what the attack aimed at."""

    word: Interval
    exact: Interval
    cer_to_target: Interval


class TransAudio(Part):
    """The results of one setting of the attack: by edit and victim."""

    edits: dict[str, dict[str, Success]]
    control: dict[str, dict[str, Success]] = Field(default_factory=dict)
    snr_db: dict[str, Interval] = Field(default_factory=dict)
    settings: dict = Field(default_factory=dict)


def wapat(score: Score) -> Wapat:
    """Read the results of a recogniser.

    Raises:
        DataError: A key is missing or of another kind.
    """
    return read_results(score, Wapat)


def transaudio(score: Score) -> TransAudio:
    """Read the results of a setting.

    Raises:
        DataError: A key is missing or of another kind.
    """
    return read_results(score, TransAudio)
