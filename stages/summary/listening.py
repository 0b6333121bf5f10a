"""Listening: the clips that stages left for people, dealt into rows of players."""

import csv
import json
from itertools import zip_longest
from pathlib import Path

from gauntlet.errors import DataError
from stages.summary.figures import MINUS, THIN, words
from stages.summary.players import Players, Sound, fitting, player_row, read_sound
from stages.summary.transaudio_pairs import read_pairs

LETTERS = {"speech": 600_000, "speech_c": 1_500_000}
"""What each set may add to the page; with the attacked clips, less than four megabytes in all."""
TOLD = ("3", "5", "1")
"""Severities in the order in which they are heard, as long as there is room."""
UNITS = {"db": "dB", "hz": "Hz", "s": "s"}
CLEAN = "clean"
ABREAST = 3
"""Clips of a row at most: of more voices that say a sentence, the first are heard."""


def find_players(built: Path, attacked: Path, scores: Path, *, rows: int) -> list[Players]:
    """Make players of the speech, its corruptions and the attacked clips, where there are any.

    Args:
        built: Holds `speech/samples` and `speech_c/samples`.
        attacked: Holds `transaudio/<setting>`.
        scores: Holds `transaudio/transcripts.csv`.
        rows: At most so many rows of each.

    Raises:
        DataError: A clip or a list of clips is damaged.
    """
    found = {"speech": (built / "speech/samples", _speech), "speech_c": (built / "speech_c/samples", _speech_c)}
    data = [make(folder, name=name, rows=rows) for name, (folder, make) in found.items() if folder.is_dir()]
    pairs = read_pairs(attacked / "transaudio", scores / "transaudio", rows=rows)
    return [*data, pairs] if pairs else data


def _speech(folder: Path, *, name: str, rows: int) -> Players:
    """Make rows of one sentence in several voices, in turn with rows of people, each with a sentence of its own."""
    sentences: dict[str, list[dict[str, str]]] = {}
    for record in read_list(folder / "transcripts.tsv", columns=("file", "text", "domain", "raw_text")):
        sentences.setdefault(record["text"], []).append(record)
    alone: dict[str, list[tuple[str, str]]] = {}
    voices = []
    for records in sentences.values():
        first = records[0]
        if len(records) == 1:
            alone.setdefault(first["domain"], []).append((first["raw_text"], first["file"]))
        else:
            said = [(words(record["domain"]), record["file"]) for record in records[:ABREAST]]
            voices.append((first["raw_text"], said))
    people = [
        (words(domain), clips[begin : begin + ABREAST])
        for domain, clips in alone.items()
        for begin in range(0, len(clips), ABREAST)
    ]
    dealt = [row for pair in zip_longest(people, voices) for row in pair if row]
    note = "Test sentences, by people and by synthetic voices. Spectrogram: loudness over time and frequency."
    return _players(folder, dealt, name=name, rows=rows, title="Speech", note=note)


def _speech_c(folder: Path, *, name: str, rows: int) -> Players:
    """Make rows of one utterance, clean and in every corruption, a severity after the other."""
    utterances: dict[str, list[dict[str, str]]] = {}
    columns = ("file", "text", "id", "shift", "severity", "amounts")
    for record in read_list(folder / "transcripts.tsv", columns=columns):
        utterances.setdefault(record["id"], []).append(record)
    size = {
        number: sum((folder / each["file"]).stat().st_size for each in records)
        for number, records in utterances.items()
    }
    shown = utterances[min(size, key=lambda number: (size[number], number))] if utterances else []
    by_severity = {severity: [each for each in shown if each["severity"] == severity] for severity in ("0", *TOLD)}
    clean = by_severity.pop("0")
    dealt = []
    for severity, records in by_severity.items():
        clips = [(_corrupted(each), each["file"]) for each in records]
        clips = [*((CLEAN, each["file"]) for each in clean if not dealt), *clips]
        dealt += [(f"Severity {severity}", clips[begin : begin + ABREAST]) for begin in range(0, len(clips), ABREAST)]
    title = f"Speech-C: “{shown[0]['text']}” in every corruption" if shown else "Speech-C"
    note = "The clips of a row share their scale, so that a shade means the same level in each."
    return _players(folder, dealt, name=name, rows=rows, title=title, note=note)


def _players(
    folder: Path, dealt: list[tuple[str, list[tuple[str, str]]]], *, name: str, rows: int, title: str, note: str
) -> Players:
    """Make players of rows, each a caption and the labels and files of its clips, as far as they fit."""
    made = (
        player_row(caption, [_sound(folder, file, label=label) for label, file in clips]) for caption, clips in dealt
    )
    kept = fitting(made, letters=LETTERS[name], most=rows)
    left_out = len(dealt) - len(kept)
    return Players(name=name, place=folder.as_posix(), title=title, note=note, rows=kept, left_out=left_out)


def _corrupted(record: dict[str, str]) -> str:
    amounts = json.loads(record["amounts"])
    return f"{words(record['shift'])}: {', '.join(amount(name, value) for name, value in amounts.items())}"


def amount(name: str, value: float) -> str:
    """Write what a corruption was given, with its unit.

    >>> amount("snr_db", 5), amount("width_hz", 1000.0), amount("kbit_s", 16), amount("cents", -350.0)
    ('SNR 5\u202fdB', 'width 1000\u202fHz', '16\u202fkbit/s', 'cents −350')
    """
    what, _, unit = name.rpartition("_")
    if name == "kbit_s":
        return f"{value:g}{THIN}kbit/s"
    said = (f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}").replace("-", MINUS)
    return f"{words(what)} {said}{THIN}{UNITS[unit]}" if unit in UNITS else f"{words(name)} {said}"


def read_list(file: Path, *, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Read a table of clips, tab-separated, with a heading.

    Raises:
        DataError: The file is missing, is no such table, or a row lacks one of `columns`.
    """
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            records = list(csv.DictReader(stream, delimiter="\t"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file} must be a table of clips; {error}") from None
    for number, record in enumerate(records, start=2):
        if missing := [column for column in columns if not record.get(column)]:
            raise DataError(f"{file} line {number} must have {', '.join(columns)}; {missing[0]} is missing; no tabs?")
    return records


def _sound(folder: Path, file: str, *, label: str) -> Sound:
    if Path(file).name != file:
        raise DataError(f"{folder} must list files beside the list; got {file!r}")
    return read_sound(folder / file, label=label)
