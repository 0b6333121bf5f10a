"""TransAudio's clips: clean, attacked and with noise as loud, and what every victim heard in each."""

import csv
from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

import pyarrow
import pyarrow.parquet
from pydantic import BaseModel, ConfigDict, ValidationError

from gauntlet.errors import DataError
from gauntlet.metrics.transaudio import heard
from stages.summary.figures import THIN, words
from stages.summary.players import Heard, PlayerRow, Players, fitting, heard_by, player_row, read_sound
from stages.summary.readings import reason

NAME = "transaudio"
LETTERS = 1_600_000
"""What the clips may add to the page."""
VERSIONS = {"clean": "clean", "attacked": "attacked", "control": "noise as loud"}
"""What is heard of each utterance, and how it is labelled."""


class Pair(BaseModel):
    """An attacked clip; `clean`, `attacked` and `control` are files beside the table."""

    model_config = ConfigDict(frozen=True)
    id: str
    kind: str
    text: str
    target_text: str
    word: str
    original: str
    snr_db: float
    clean: str
    attacked: str
    control: str


class Transcript(BaseModel):
    """What a victim heard in the versions of a clip of a setting."""

    model_config = ConfigDict(frozen=True)
    setting: str
    kind: str
    id: str
    victim: str
    text: str
    target_text: str
    clean: str
    attacked: str
    control: str

    def reached(self, version: str = "attacked") -> bool:
        """Say whether the victim heard the edit."""
        return heard(self.text, self.target_text, hypothesis=getattr(self, version)).word

    @property
    def outcome(self) -> str:
        """What the attack came to."""
        if self.attacked == self.target_text:
            return "the whole target"
        if not self.reached():
            return ""
        return "the word, even before" if self.reached("clean") else "the word"


def read_pairs(attacked: Path, scores: Path, *, rows: int) -> Players | None:
    """Make players of the setting that reaches most victims, the kinds of edits in turn, the most telling first.

    Args:
        attacked: Holds a folder a setting, each with records.parquet and the files that it names.
        scores: Holds transcripts.csv, as transaudio.score leaves it; without it nobody is quoted.
        rows: At most so many.

    Returns:
        The players; None where nothing was attacked.

    Raises:
        DataError: A table or a clip is damaged.
    """
    settings = sorted(file.parent for file in attacked.glob("*/records.parquet"))
    if not settings:
        return None
    quoted = _transcripts(scores / "transcripts.csv")
    reached = Counter(each.setting for each in quoted if each.reached())
    folder = max(settings, key=lambda setting: reached[setting.name])
    own: dict[tuple[str, str], list[Transcript]] = {}
    for each in quoted:
        if each.setting == folder.name:
            own.setdefault((each.kind, each.id), []).append(each)
    pairs = _in_turn(_pairs(folder / "records.parquet"), own)
    made = (_row(folder, pair, own.get((pair.kind, pair.id), [])) for pair in pairs)
    kept = fitting(made, letters=LETTERS, most=rows)
    return Players(
        name=NAME,
        place=folder.as_posix(),
        title=f"Attacked clips: {words(folder.name)}",
        note=(
            "The setting that reaches most. Coloured words differ from what is said, struck ones are missing. “Noise "
            "as loud” is the control: white noise of the level of all that the attack changed."
        ),
        rows=kept,
        left_out=len(pairs) - len(kept),
    )


def _in_turn(pairs: Sequence[Pair], own: dict[tuple[str, str], list[Transcript]]) -> list[Pair]:
    """Order clips by how many victims they reach, a clip of each kind after the other."""
    reached = {place: sum(each.reached() for each in own.get(place, [])) for place in own}
    kinds: dict[str, list[Pair]] = {}
    for pair in sorted(pairs, key=lambda pair: -reached.get((pair.kind, pair.id), 0)):
        kinds.setdefault(pair.kind, []).append(pair)
    return [pair for some in zip_longest(*(kinds[kind] for kind in sorted(kinds))) for pair in some if pair]


def _row(folder: Path, pair: Pair, transcripts: Sequence[Transcript]) -> PlayerRow:
    for file in (getattr(pair, version) for version in VERSIONS):
        if Path(file).name != file:
            raise DataError(f"{folder}/records.parquet must name files beside it; got {file!r}")
    sounds = [read_sound(folder / getattr(pair, version), label=label) for version, label in VERSIONS.items()]
    return player_row(
        f"{pair.kind}: “{pair.text}” is to be heard as “{pair.target_text}”",
        sounds,
        note=f"{_edit(pair)}, SNR {pair.snr_db:.1f}{THIN}dB",
        heard=[_heard(each) for each in transcripts],
    )


def _edit(pair: Pair) -> str:
    if pair.original == pair.word:
        return f"without “{pair.word}”"
    return f"“{pair.word}” for “{pair.original}”" if pair.original else f"with “{pair.word}”"


def _heard(transcript: Transcript) -> Heard:
    said = {label: getattr(transcript, version) for version, label in VERSIONS.items()}
    return heard_by(transcript.victim, said, labels=VERSIONS.values(), spoken=transcript.text, note=transcript.outcome)


def _pairs(file: Path) -> list[Pair]:
    try:
        return [Pair.model_validate(row) for row in pyarrow.parquet.read_table(file).to_pylist()]
    except (OSError, pyarrow.ArrowInvalid) as error:
        said = " ".join(str(error).split())[:160]
        raise DataError(f"{file} must be a table of attacked clips; {said}; truncated?") from None
    except ValidationError as error:
        raise DataError(f"{file} must have the columns of transaudio.attack; {reason(error)}; an older one?") from None


def _transcripts(file: Path) -> list[Transcript]:
    if not file.exists():
        return []
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            return [Transcript.model_validate(row) for row in csv.DictReader(stream)]
    except ValidationError as error:
        raise DataError(f"{file} must have the columns of transaudio.score; {reason(error)}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file} must be a table of transcripts; {error}") from None
