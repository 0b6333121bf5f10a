"""Speech-C: what `speech.corrupt` writes, a manifest and one archive of FLAC for every shift and severity."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from gauntlet.errors import DataError
from gauntlet.readers.speech import read_sounds

COLUMNS = ("id", "shift", "severity", "text", "domain", "samples", "shard")


@dataclass(frozen=True)
class Row:
    """One corrupted clip in the manifest; `id` and `text` are the utterance's, `samples` the clip's length."""

    id: str
    shift: str
    severity: int
    text: str
    domain: str
    samples: int
    shard: str


@dataclass(frozen=True)
class CorruptedClip:
    """One corrupted clip: float32 [T] in [-1, 1] at 16 kHz, and what is said in it."""

    id: str
    waveform: np.ndarray
    text: str
    domain: str


def read_rows(folder: Path, *, limit: int | None = None, seed: int = 0) -> list[Row]:
    """Read the manifest.

    Args:
        folder: Usually data/built/speech_c.
        limit: Utterances; the same ones at every shift and severity. None for all.
        seed: Of the draw, where there are more.

    Returns:
        The rows in the manifest's order.

    Raises:
        DataError: The manifest is missing or damaged, lacks a column, or holds nothing or a clip twice.
    """
    table = _table(folder / "manifest.parquet")
    if not len(table):
        raise DataError(f"{folder}/manifest.parquet must hold a clip; got none")
    twice = table.duplicated(["id", "shift", "severity"])
    if twice.any():
        row = table[twice].iloc[0]
        raise DataError(f"{folder}/manifest.parquet: each clip must stand once; {row['id']} at {row['shift']} does not")
    known = np.sort(table["id"].unique())
    if limit is not None and limit < len(known):
        kept = np.random.default_rng(seed).permutation(known)[:limit]
        table = table[table["id"].isin(kept)]
    return [
        Row(r.id, r.shift, int(r.severity), r.text, r.domain, int(r.samples), r.shard)
        for r in table[list(COLUMNS)].itertuples(index=False)
    ]


def read_version(folder: Path) -> str:
    """Read the version of the severities: figures on different versions do not compare.

    Raises:
        DataError: speech_c.json is missing, no JSON, or names none.
    """
    path = folder / "speech_c.json"
    try:
        return str(json.loads(path.read_text())["version"])
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"{path} must name the version of Speech-C; it does not; an unfinished build?") from None


def read_clips(folder: Path, rows: Iterable[Row]) -> list[CorruptedClip]:
    """Decode clips.

    Args:
        folder: As of `read_rows`.
        rows: Which; those of one shift and severity at a time are read fastest, for they lie in one archive.

    Returns:
        The clips, in the order of the rows.

    Raises:
        DataError: An archive or a clip is missing or damaged, or a clip is not as long as the manifest says.
    """
    rows = list(rows)
    wanted: dict[str, list[str]] = {}
    for row in rows:
        wanted.setdefault(row.shard, []).append(row.id)
    sounds = {shard: read_sounds(folder, shards=[shard], ids=ids) for shard, ids in wanted.items()}
    return [_clip(folder, row, sounds[row.shard][row.id]) for row in rows]


def _table(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError):
        slip = "damaged" if path.exists() else "missing: wrong folder or an unfinished build"
        raise DataError(f"{path} must be a manifest in Parquet; it is {slip}?") from None
    if lacking := [name for name in COLUMNS if name not in table]:
        raise DataError(f"{path} must have the columns {', '.join(COLUMNS)}; it lacks {lacking[0]}; another data set?")
    return table


def _clip(folder: Path, row: Row, waveform: np.ndarray) -> CorruptedClip:
    if len(waveform) != row.samples:
        raise DataError(
            f"{folder / row.shard}: {row.id} must have the manifest's {row.samples} samples; got {len(waveform)}; "
            "a mixed build?"
        )
    return CorruptedClip(row.id, waveform, row.text, row.domain)
