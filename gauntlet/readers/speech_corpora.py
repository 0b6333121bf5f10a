"""Published corpora of speech as they lie on disk: recordings with their raw transcripts, one iterator a layout.

A record that cannot be used comes out as `Excluded` with its reason; nothing is skipped in silence. What is wrong with
a whole folder (nothing in it, a table without the column) is a DataError.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gauntlet.errors import DataError
from gauntlet.readers.speech import SoundError, decode
from gauntlet.resampling import SAMPLE_RATE_HZ

SOUNDS = (".flac", ".wav", ".mp3", ".ogg", ".opus")


@dataclass(frozen=True)
class Recording:
    """One usable record.

    Attributes:
        name: Unique in its corpus.
        waveform: float32 [T] in [-1, 1] at 16 kHz.
        raw_text: Transcript as published.
        speaker: Within the corpus; "" where it is not known.
        source_hz: Sampling rate of the file.
        channels: Of the file.
    """

    name: str
    waveform: np.ndarray
    raw_text: str
    speaker: str
    source_hz: int
    channels: int


class Excluded(NamedTuple):
    """A record that cannot be used: why, and which."""

    reason: str
    name: str


Records = Iterator[Recording | Excluded]
Layout = Callable[[Path, str], Records]
"""From a folder and the part of it that is one split."""


def recording(data: bytes, *, name: str, where: str, raw_text: str | None, speaker: str = "") -> Recording | Excluded:
    """Check one record.

    Args:
        data: Content of the sound file.
        name: Of the record.
        where: File and record, for messages.
        raw_text: None where there is no transcript.
        speaker: "" where it is not known.
    """
    if raw_text is None:
        return Excluded("no transcript", name)
    try:
        sound = decode(data, where=where)
    except SoundError as error:
        return Excluded(error.reason, name)
    return Recording(name, sound.waveform, raw_text, speaker, sound.source_hz, sound.channels)


def read_bytes(path: Path) -> bytes:
    """Return a file's content, or nothing where the file is missing."""
    return path.read_bytes() if path.is_file() else b""


def read_librispeech(folder: Path, subset: str) -> Records:
    """Read `<subset>/<speaker>/<chapter>/<speaker>-<chapter>.trans.txt` and the FLAC files beside it.

    Raises:
        DataError: There is no such transcript, or a line of one is not `<id> <TEXT>`.
    """
    tables = sorted((folder / subset).glob("*/*/*.trans.txt"))
    if not tables:
        raise DataError(f"{folder / subset} must hold <speaker>/<chapter>/*.trans.txt; none is there; another subset?")
    for table in tables:
        for number, line in enumerate(table.read_text(encoding="utf-8").splitlines(), 1):
            name, _, text = line.strip().partition(" ")
            if name.count("-") != 2:
                raise DataError(f"{table}, line {number} must be <speaker>-<chapter>-<n> TEXT; got {line[:40]!r}")
            path = table.parent / f"{name}.flac"
            yield recording(read_bytes(path), name=name, where=str(path), raw_text=text, speaker=name.partition("-")[0])


def read_fairseq(folder: Path, subset: str) -> Records:
    """Read fairseq's manifests: `<subset>.tsv` (root, then path and samples) and `<subset>.ltr` line by line.

    A root that is not there is taken relative to the folder. Letters are joined and `|` becomes a blank.

    Raises:
        DataError: A manifest is missing, or the two do not have the same number of lines.
    """
    tables = [folder / f"{subset}.tsv", folder / f"{subset}.ltr"]
    if missing := [path for path in tables if not path.is_file()]:
        raise DataError(f"{missing[0]} must be a manifest of fairseq; it is not there; another subset?")
    (root, *rows), letters = (path.read_text(encoding="utf-8").splitlines() for path in tables)
    if len(rows) != len(letters):
        raise DataError(f"{tables[1]} must have a line for each of {len(rows)} in {tables[0].name}; got {len(letters)}")
    base = Path(root) if Path(root).is_dir() else folder / root
    for row, line in zip(rows, letters, strict=True):
        name, _, samples = row.partition("\t")
        one = recording(
            read_bytes(base / name), name=name, where=str(base / name), raw_text=line.replace(" ", "").replace("|", " ")
        )
        yield _checked(one, samples)


def _checked(one: Recording | Excluded, samples: str) -> Recording | Excluded:
    """Hold a recording of 16 kHz to the length that its manifest gives."""
    wrong = isinstance(one, Recording) and one.source_hz == SAMPLE_RATE_HZ and samples != str(len(one.waveform))
    return Excluded("another length than the manifest says", one.name) if wrong else one
