"""Listening: the clips that stages left for people, dealt into rows of players."""

import csv
from itertools import zip_longest
from pathlib import Path

from gauntlet.errors import DataError
from stages.summary.figures import words
from stages.summary.players import Players, Sound, fitting, player_row, read_sound

LETTERS = {"speech": 800_000, "speech_c": 1_200_000}
"""What each set may add to the page: four megabytes in all, with the attacked clips."""
ABREAST = 3
"""Clips of a row at most: of more voices that say a sentence, the first are heard."""


def find_players(built: Path, attacked: Path, *, rows: int) -> list[Players]:
    """Make players of the speech, its corruptions and the attacked clips, where there are any.

    Args:
        built: Holds `speech/samples` and `speech_c/samples`.
        attacked: Holds `transaudio/<setting>`.
        rows: At most so many rows of each.

    Raises:
        DataError: A clip or a list of clips is damaged.
    """
    found = {"speech": (built / "speech/samples", _speech)}
    return [make(folder, name=name, rows=rows) for name, (folder, make) in found.items() if folder.is_dir()]


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
    made = (
        player_row(caption, [_sound(folder, file, label=label) for label, file in clips]) for caption, clips in dealt
    )
    kept = fitting(made, letters=LETTERS[name], most=rows)
    return Players(
        name=name,
        place=folder.as_posix(),
        title="Speech",
        note="Test sentences, by people and by synthetic voices. Spectrogram: loudness over time and frequency.",
        rows=kept,
        left_out=len(dealt) - len(kept),
    )


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
