"""Speech: utterances of the corpora that `speech.build` writes, and sound files as waveforms of 16 kHz."""

import io
import tarfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import pyarrow
import pyarrow.parquet

from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.archives import members
from gauntlet.resampling import SAMPLE_RATE_HZ, resample
from gauntlet.sentences import rank

SPLITS = ("train", "held_out", "test")
COLUMNS = ("id", "domain", "split", "speaker", "text", "phonemes", "samples", "shard")
DECODED_S = 36_000.0
"""Seconds of sound that fit into anyone's memory, 2.3 GB: a fair bound for `read_corpus`."""


@dataclass(frozen=True)
class Shelved:
    """A sound that stays in its shard: `numpy.asarray` decodes it anew each time, to float32 [T] at 16 kHz.

    Attributes:
        shard: Tar that it is in.
        begin: Where its FLAC begins there, in bytes.
        size: Of the FLAC, in bytes.
        samples: T.
    """

    shard: Path
    begin: int
    size: int
    samples: int

    def __len__(self) -> int:
        return self.samples

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        """Decode it."""
        with self.shard.open("rb") as stream:
            stream.seek(self.begin)
            waveform = decode(stream.read(self.size), where=f"{self.shard}, at byte {self.begin}").waveform
        if len(waveform) != self.samples:
            raise DataError(
                f"{self.shard}, at byte {self.begin}: must have {self.samples} samples, as the manifest says; "
                f"got {len(waveform)}; a mixed build?"
            )
        return waveform.astype(dtype or np.float32, copy=False)


@dataclass(frozen=True)
class Utterance:
    """One utterance.

    Attributes:
        id: Unique in its corpus.
        waveform: float32 [T] in [-1, 1] at 16 kHz; left on disk only where `read_corpus` was told so.
        text: Normalised.
        domain: Who speaks where: "prompts", or a voice.
        split: "train", "held_out" or "test".
        speaker: Unique over the corpora.
        phonemes: IPA, without stress.
    """

    id: str
    waveform: np.ndarray | Shelved
    text: str
    domain: str
    split: str
    speaker: str
    phonemes: tuple[str, ...]


@dataclass(frozen=True)
class Corpus:
    """Utterances in the manifest's order."""

    utterances: tuple[Utterance, ...]

    def __len__(self) -> int:
        return len(self.utterances)

    @property
    def domains(self) -> list[str]:
        """The domains that there are, each once, in the order of their first utterance."""
        return list(dict.fromkeys(one.domain for one in self.utterances))


class Sound(NamedTuple):
    """A sound file's content as one channel of 16 kHz, and the rate (Hz) and channels that it had."""

    waveform: np.ndarray
    source_hz: int
    channels: int


class SoundError(DataError):
    """A sound that cannot be used; `reason` names why in a few words, to be counted."""

    def __init__(self, where: str, rule: str, *, reason: str, slip: str) -> None:
        self.reason = reason
        super().__init__(f"{where} must {rule}; it has {reason}; {slip}?")


def decode(data: bytes, *, where: str) -> Sound:
    """Decode WAV, FLAC, Ogg, MP3 or what else libsndfile reads: mixed down to one channel, resampled to 16 kHz.

    Args:
        data: The file's content.
        where: File and record, for the error.

    Raises:
        SoundError: No sound, no sample, or a value that is not finite.
    """
    import soundfile

    if not data:
        raise SoundError(where, "be a sound file", reason="no content", slip="missing, or an unfinished copy")
    try:
        samples, source_hz = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError, TypeError):
        slip = "truncated, or no WAV, FLAC, Ogg or MP3"
        raise SoundError(where, "be a whole sound file", reason="no readable sound", slip=slip) from None
    if not len(samples):
        raise SoundError(where, "hold sound", reason="0 samples", slip="an unfinished recording")
    if not np.isfinite(samples).all():
        raise SoundError(where, "hold finite samples", reason="NaN or infinity", slip="a faulty conversion")
    mono = np.clip(samples.mean(axis=1, dtype=np.float32), -1, 1)
    waveform = resample(mono, source_hz=source_hz, target_hz=SAMPLE_RATE_HZ)
    return Sound(np.clip(waveform, -1, 1), source_hz, samples.shape[1])


def read_waveform(source: Path | bytes, *, where: str | None = None) -> np.ndarray:
    """Read a sound file as float32 [T] in [-1, 1] at 16 kHz.

    Args:
        source: A file, or its content.
        where: File and record, for the error; the path where there is one.

    Raises:
        DataError: The file is missing, or is no sound that can be used.
    """
    if isinstance(source, bytes):
        return decode(source, where=where or "the sound").waveform
    try:
        data = source.read_bytes()
    except OSError as error:
        raise DataError(f"{where or source} must be a sound file; {error.strerror}; misspelt?") from None
    return decode(data, where=where or str(source)).waveform


def read_manifest(folder: Path) -> pyarrow.Table:
    """Read manifest.parquet of a built corpus.

    Raises:
        DataError: It is missing, no Parquet, or lacks a column.
    """
    path = folder / "manifest.parquet"
    try:
        table = pyarrow.parquet.read_table(path)
    except (OSError, pyarrow.ArrowInvalid):
        slip = "damaged" if path.exists() else "missing: wrong folder or an unfinished build"
        raise DataError(f"{path} must be a manifest in Parquet; it is {slip}?") from None
    if lacking := [name for name in COLUMNS if name not in table.column_names]:
        raise DataError(f"{path} must have the columns {', '.join(COLUMNS)}; it lacks {lacking[0]}; another data set?")
    return table


def read_sounds(folder: Path, *, shards: Collection[str], ids: Collection[str]) -> dict[str, np.ndarray]:
    """Decode the FLAC of some utterances out of a corpus's shards.

    Args:
        folder: Where the shards lie.
        shards: Names of the tars to look into.
        ids: Keys of the utterances.

    Returns:
        float32 [T] at 16 kHz by key.

    Raises:
        DataError: A shard is missing or truncated, a sound is damaged, or an utterance is in none of the shards.
    """
    wanted, found = set(ids), {}
    for shard in sorted(set(shards)):
        if not (folder / shard).is_file():
            raise DataError(f"{folder / shard} must be there, as the manifest says; it is not; an unfinished build?")
        for member in members(folder / shard, "*.flac"):
            key = str(PurePosixPath(member.name).with_suffix(""))
            if key in wanted:
                found[key] = decode(member.data, where=f"{folder / shard}: {member.name}").waveform
    if lost := sorted(wanted - set(found)):
        raise DataError(f"{folder}: the shards must hold {lost[0]}, as the manifest says; they do not; a mixed build?")
    return found


def _shelved(folder: Path, *, shards: Collection[str], samples: dict[str, int]) -> dict[str, Shelved]:
    """Find the FLAC of some utterances, of which the samples are given, and decode none."""
    found = {}
    for shard in sorted(set(shards)):
        path = folder / shard
        try:
            with tarfile.open(path, "r:") as tar:
                places = {
                    str(PurePosixPath(info.name).with_suffix("")): info for info in tar if info.name.endswith(".flac")
                }
        except (OSError, tarfile.TarError) as error:
            raise DataError(f"{path} must be a whole tar, as the manifest says; {error}; unfinished?") from None
        for key in samples.keys() & places.keys():
            found[key] = Shelved(path, places[key].offset_data, places[key].size, samples[key])
    if lost := sorted(samples.keys() - found.keys()):
        raise DataError(f"{folder}: the shards must hold {lost[0]}, as the manifest says; they do not; a mixed build?")
    return found


def read_corpus(
    folder: Path,
    *,
    domains: Sequence[str] | None = None,
    split: str,
    limit: int | None = None,
    seed: int = 0,
    decoded_s: float | None = None,
) -> Corpus:
    """Read a split of the corpora that `speech.build` writes.

    Args:
        folder: The built data set.
        domains: Which to read; None for all.
        split: "train", "held_out" or "test".
        limit: At most so many utterances of each domain, drawn by the seed; None for all.
        seed: Of the draw, which depends on the utterances' ids alone.
        decoded_s: Of more seconds than these none is held in memory, 64 KB each: waveforms are `Shelved`. None holds
            all.

    Returns:
        The utterances in the manifest's order.

    Raises:
        ArgumentError: No such split or domain, or a limit below 1.
        DataError: The data set is damaged.
    """
    if split not in SPLITS:
        raise ArgumentError(f"split must be one of {', '.join(SPLITS)}; got {split!r}; misspelt?")
    if limit is not None and limit < 1:
        raise ArgumentError(f"limit must be at least 1, or None for all; got {limit}")
    rows = read_manifest(folder).to_pylist()
    known = dict.fromkeys(row["domain"] for row in rows)
    if unknown := [name for name in domains or () if name not in known]:
        raise ArgumentError(f"domains must be among {', '.join(known)}; got {unknown[0]!r}; misspelt?")
    chosen: list[dict] = []
    for domain in domains if domains is not None else known:
        inside = [row for row in rows if row["domain"] == domain and row["split"] == split]
        chosen += sorted(inside, key=lambda row: rank(row["id"], seed=seed))[:limit]
    names = {row["id"] for row in chosen}
    shards, samples = {row["shard"] for row in chosen}, {row["id"]: row["samples"] for row in chosen}
    if decoded_s is not None and sum(samples.values()) > decoded_s * SAMPLE_RATE_HZ:
        sounds = _shelved(folder, shards=shards, samples=samples)
    else:
        sounds = read_sounds(folder, shards=shards, ids=names)
    return Corpus(tuple(_utterance(row, sounds[row["id"]]) for row in rows if row["id"] in names))


def _utterance(row: dict, waveform: np.ndarray | Shelved) -> Utterance:
    return Utterance(
        id=row["id"],
        waveform=waveform,
        text=row["text"],
        domain=row["domain"],
        split=row["split"],
        speaker=row["speaker"],
        phonemes=tuple(row["phonemes"]),
    )
