"""Attacked clips on disk: FLAC of 16 bits beside its clean original and a noisy control, and their records."""

import io
import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet

from gauntlet.attacks.transaudio import Attacked
from gauntlet.errors import DataError
from gauntlet.metrics.transaudio import MOST_DB, snr_db
from gauntlet.resampling import SAMPLE_RATE_HZ
from stages.transaudio.candidates import Candidate

VERSIONS = ("clean", "attacked", "control")


@dataclass(frozen=True)
class Record:
    """One attacked clip.

    Attributes:
        id: The utterance's.
        kind: Of the edit.
        domain: The utterance's.
        text: What is said.
        target_text: What should be heard.
        word: Deleted, inserted or put in.
        original: The word that goes; empty for insert.
        position: Of the word, from 0.
        begin: Where the clip begins in the attacked utterance, in samples.
        end: Where it ends.
        steps: Of the second stage.
        snr_db: Clean over change, where the utterance is not replaced: outside of the clip for insert and substitute.
        change_db: The start, with the unattacked clip, over what the attack changed; as loud is the control's noise.
        clip_db: The clip's mean power over the clean utterance's.
        clean: File name.
        attacked: File name.
        control: File name.
    """

    id: str
    kind: str
    domain: str
    text: str
    target_text: str
    word: str
    original: str
    position: int
    begin: int
    end: int
    steps: int
    snr_db: float
    change_db: float
    clip_db: float
    clean: str
    attacked: str
    control: str


@dataclass(frozen=True)
class Clip:
    """A record with its sounds, float32 [T] each."""

    record: Record
    sounds: dict[str, np.ndarray]


def clips(candidates: Sequence[Candidate], found: Attacked, *, seed: int) -> list[Clip]:
    """Measure what was changed and make the controls."""
    rows = zip(candidates, *(part.cpu() for part in (*found.utterances, found.start.waveform)), strict=True)
    spans = zip(found.begins.tolist(), found.sizes.tolist(), found.steps.tolist(), strict=True)
    return [
        _clip(candidate, waveform[:length].numpy(), start[:length].numpy(), span=span, seed=seed)
        for (candidate, waveform, length, start), span in zip(rows, spans, strict=True)
    ]


def _clip(
    candidate: Candidate, attacked: np.ndarray, start: np.ndarray, *, span: tuple[int, int, int], seed: int
) -> Clip:
    utterance, edit = candidate.utterance, candidate.edit
    begin, size, steps = span
    end, clean = begin + size, utterance.waveform
    if edit.kind == "delete":
        untouched, rest = clean, attacked
    else:
        cut = begin if edit.kind == "insert" else end
        untouched = np.concatenate([clean[:begin], clean[cut:]])
        rest = np.concatenate([attacked[:begin], attacked[end:]])
    change_db = snr_db(start, attacked)
    power = np.square(attacked[begin:end]).mean() / np.square(clean).mean()
    name = f"{edit.kind}-{utterance.id.replace('/', '_')}"
    return Clip(
        Record(
            id=utterance.id,
            kind=edit.kind,
            domain=utterance.domain,
            text=utterance.text,
            target_text=edit.target_text,
            word=edit.word,
            original=edit.original,
            position=edit.position,
            begin=begin,
            end=end,
            steps=steps,
            snr_db=snr_db(untouched, rest) if untouched.any() else MOST_DB,
            change_db=change_db,
            clip_db=float(10 * np.log10(max(power, 1e-10))),
            **{version: f"{name}.{version}.flac" for version in VERSIONS},
        ),
        {"clean": clean, "attacked": attacked, "control": noisy(clean, change_db, key=f"{seed} {name}")},
    )


def noisy(clean: np.ndarray, level_db: float, *, key: str) -> np.ndarray:
    """Add white noise at an SNR, drawn by a key."""
    noise = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(len(clean))
    noise *= np.sqrt(np.square(clean, dtype=np.float64).sum() / np.square(noise).sum() / 10 ** (level_db / 10))
    return np.clip(clean + noise, -1, 1).astype(np.float32)


def write_clips(folder: Path, found: Sequence[Clip]) -> None:
    """Write `folder`/records.parquet and the FLAC files that it names."""
    import soundfile

    folder.mkdir(parents=True)
    for each in found:
        for version, sound in each.sounds.items():
            stream = io.BytesIO()
            soundfile.write(stream, sound, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
            (folder / getattr(each.record, version)).write_bytes(stream.getvalue())
    rows = [asdict(each.record) for each in found]
    columns = {name: [row[name] for row in rows] for name in Record.__dataclass_fields__}
    pyarrow.parquet.write_table(pyarrow.table(columns), folder / "records.parquet")


def read_settings(folder: Path) -> dict:
    """Read settings.json of an attack.

    Raises:
        DataError: It is missing or no JSON.
    """
    path = folder / "settings.json"
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{path} must be the settings of transaudio.attack; {error}; an unfinished attack?") from None


def read_records(folder: Path) -> list[Record]:
    """Read records.parquet of a setting.

    Raises:
        DataError: It is missing, damaged or lacks a column.
    """
    path = folder / "records.parquet"
    try:
        table = pyarrow.parquet.read_table(path)
        return [Record(**row) for row in table.to_pylist()]
    except (OSError, pyarrow.ArrowInvalid) as error:
        raise DataError(f"{path} must be a table of attacked clips; {error}; an unfinished attack?") from None
    except TypeError as error:
        raise DataError(f"{path} must have the columns of transaudio.attack; {error}; an older attack?") from None
