"""Corpora of speech as tables: a folder of sounds with their transcripts, Parquet with `audio, text`, the ESB sets."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pyarrow
import pyarrow.parquet

from gauntlet.errors import DataError
from gauntlet.readers.speech_corpora import (
    SOUNDS,
    Excluded,
    Layout,
    Recording,
    Records,
    read_bytes,
    read_fairseq,
    read_librispeech,
    recording,
)

ESB = ("librispeech", "common_voice", "voxpopuli", "tedlium", "gigaspeech", "spgispeech", "earnings22", "ami")
"""The eight sets of the End-to-end Speech Benchmark, as its column `dataset` names them."""
TABLES = {"transcripts.tsv": "\t", "transcripts.csv": ","}
NAME_COLUMNS = ("file", "path", "file_name", "audio")
TEXT_COLUMNS = ("text", "sentence", "transcript", "transcription")
BATCH = 64


def read_audio_folder(folder: Path, subset: str) -> Records:
    """Read the sounds below `<folder>/<subset>` with `<name>.txt` beside each, or one transcripts.tsv or .csv.

    The table has a column for the file (file, path, file_name or audio; relative to the table) and one for the text
    (text, sentence, transcript or transcription); a column `speaker` is read where there is one.

    Raises:
        DataError: No sound is there, or the table lacks a column.
    """
    root = folder / subset
    sounds = sorted(path for path in root.rglob("*") if path.suffix.lower() in SOUNDS)
    if not sounds:
        raise DataError(f"{root} must hold sound files ({' '.join(SOUNDS)}); none is there; misspelt?")
    table = next((root / name for name in TABLES if (root / name).is_file()), None)
    rows = _table(table) if table else {}
    for path in sounds:
        name = path.relative_to(root).as_posix()
        text, speaker = rows.pop(name, (None, "")) if table else (_beside(path), "")
        yield recording(path.read_bytes(), name=name, where=str(path), raw_text=text, speaker=speaker)
    for name in rows:
        yield Excluded("no sound file", name)


def _beside(path: Path) -> str | None:
    text = read_bytes(path.with_suffix(".txt"))
    return text.decode("utf-8", errors="replace") if text else None


def _table(path: Path) -> dict[str, tuple[str, str]]:
    """Return text and speaker by file."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream, delimiter=TABLES[path.name])
        names = reader.fieldnames or []
        column = _column(names, NAME_COLUMNS, where=path)
        text = _column(names, TEXT_COLUMNS, where=path)
        return {row[column]: (row[text] or "", row.get("speaker") or "") for row in reader}


def _column(names: list[str], wanted: tuple[str, ...], *, where: Path) -> str:
    found = next((name for name in wanted if name in names), None)
    if found is None:
        raise DataError(f"{where} must have a column {' or '.join(wanted)}; it has {', '.join(names)}; another table?")
    return found


def read_parquet(folder: Path, subset: str) -> Records:
    """Read `<subset>*.parquet` below the folder: `audio` is {bytes, path} or bytes, `text` the transcript.

    `id` and `speaker_id` (or `speaker`) are read where they are there; a record without an id is named by its row.

    Raises:
        DataError: No file matches, one is no Parquet, or it lacks `audio` or `text`.
    """
    yield from (one for one, _ in _parquet(folder, subset, columns=("audio", "text")))


def read_esb(folder: Path, subset: str) -> Records:
    """Read one set of ESB in its published layout, such as "ami/test": `audio, text, id, dataset`.

    Raises:
        DataError: As `read_parquet`; or `dataset` is none of the eight.
    """
    for one, row in _parquet(folder, subset, columns=("audio", "text", "id", "dataset")):
        if row["dataset"] not in ESB:
            raise DataError(f"{folder}, {subset}: dataset must be one of {', '.join(ESB)}; got {row['dataset']!r}")
        yield one


def _parquet(folder: Path, subset: str, *, columns: tuple[str, ...]) -> Iterator[tuple[Recording | Excluded, dict]]:
    files = sorted(folder.glob(f"{subset}*.parquet"))
    if not files:
        raise DataError(f"{folder} must hold {subset}*.parquet; none is there; another subset?")
    for path in files:
        try:
            file = pyarrow.parquet.ParquetFile(path)
        except (OSError, pyarrow.ArrowInvalid):
            raise DataError(f"{path} must be a whole Parquet file; it is not; an unfinished download?") from None
        if lacking := [name for name in columns if name not in file.schema_arrow.names]:
            raise DataError(f"{path} must have the columns {', '.join(columns)}; it lacks {lacking[0]}")
        wanted = [name for name in (*columns, "id", "speaker_id", "speaker") if name in file.schema_arrow.names]
        number = 0
        for batch in file.iter_batches(BATCH, columns=list(dict.fromkeys(wanted))):
            for row in batch.to_pylist():
                yield _row(row, path=path, number=number), row
                number += 1


def _row(row: dict, *, path: Path, number: int) -> Recording | Excluded:
    name = str(row.get("id") or f"{path.stem}-{number:06d}")
    audio = row["audio"]
    data = audio if isinstance(audio, bytes) else (audio or {}).get("bytes")
    if data is None and isinstance(audio, dict) and audio.get("path"):
        data = read_bytes(path.parent / audio["path"])
    speaker = row.get("speaker_id", row.get("speaker"))
    return recording(
        data or b"",
        name=name,
        where=f"{path}, row {number}",
        raw_text=row["text"],
        speaker="" if speaker is None else str(speaker),
    )


READERS: dict[str, Layout] = {
    "librispeech": read_librispeech,
    "folder": read_audio_folder,
    "parquet": read_parquet,
    "esb": read_esb,
    "fairseq": read_fairseq,
}
"""By the name of the layout in params.yaml."""
