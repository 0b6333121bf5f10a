"""Corrupt test speech in every way and at every severity: Speech-C, speech's own ImageNet-C.

An utterance draws the same noise, room or direction at all severities of a shift, so that these compare in pairs; what
it draws depends on its id, not on which other utterances there are.
"""

import csv
import json
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import torch
import webdataset
from pydantic import Field, field_validator

from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.speech import Utterance, read_corpus
from gauntlet.shifts.waveforms import SEVERITIES, WAVEFORM_C, WAVEFORM_SHIFTS, draw_amounts
from stages import Out
from stages import Params as StageParams
from stages.files import write_json
from stages.machine import parallel
from stages.speech.shards import SHARD, encode_flac

COLUMNS = {
    "id": pyarrow.string(),
    "shift": pyarrow.string(),
    "severity": pyarrow.int64(),
    "text": pyarrow.string(),
    "domain": pyarrow.string(),
    "samples": pyarrow.int64(),
    "shard": pyarrow.string(),
    "amounts": pyarrow.string(),
}
"""Of the manifest; `amounts` is JSON: what the shift was given, by name and unit."""

HEARD = (1, 3, 5)
"""Severities among the loose samples."""


class Params(StageParams):
    """What is corrupted.

    Attributes:
        seed: Of noises, rooms, directions and the choice of utterances.
        split: Split of the utterances.
        domains: Domains they are from; null for all.
        utterances: At most so many of each domain; null for all.
        shifts: Names in WAVEFORM_SHIFTS; null for all.
        severities: Some of 1 to 5.
        samples: Utterances that lie loose for people to hear, clean and in every shift.
    """

    seed: int
    split: str
    domains: tuple[str, ...] | None
    utterances: int | None = Field(ge=1)
    shifts: tuple[str, ...] | None
    severities: tuple[int, ...] = Field(min_length=1)
    samples: int = Field(ge=0)

    @field_validator("shifts")
    @classmethod
    def _known(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if unknown := [name for name in names or () if name not in SEVERITIES]:
            raise ArgumentError(f"must be among {', '.join(SEVERITIES)}; got {unknown[0]!r}; misspelt?")
        return names and tuple(dict.fromkeys(names))

    @field_validator("severities")
    @classmethod
    def _levels(cls, levels: tuple[int, ...]) -> tuple[int, ...]:
        if wrong := [level for level in levels if not 1 <= level <= 5]:
            raise ArgumentError(f"must lie in 1 to 5; got {wrong[0]}")
        return tuple(sorted(set(levels)))


@dataclass(frozen=True)
class Clip:
    """One corrupted utterance, encoded, and the shift's amounts."""

    flac: bytes
    samples: int
    amounts: dict[str, float]


def corrupt_utterance(one: Utterance, *, shift: str, severity: int, seed: int) -> Clip:
    """Corrupt one utterance and encode it."""
    state = np.random.SeedSequence([seed, zlib.crc32(shift.encode()), zlib.crc32(one.id.encode())]).generate_state(1)
    generator = torch.Generator().manual_seed(int(state[0]))
    amounts = draw_amounts(shift, severity=severity, count=1, generator=generator)
    lengths = torch.tensor([len(one.waveform)])
    waveform = torch.from_numpy(np.ascontiguousarray(one.waveform))[None]
    shifted = WAVEFORM_SHIFTS[shift](waveform, lengths, generator=generator, **amounts)
    sound = shifted.waveform[0, : int(shifted.lengths)].numpy()
    return Clip(encode_flac(sound), len(sound), {name: round(float(value), 6) for name, value in amounts.items()})


def write_setting(
    setting: tuple[str, int], *, utterances: tuple[Utterance, ...], folder: Path, seed: int
) -> list[dict]:
    """Write the archives of one shift at one severity and return the manifest's rows."""
    shift, severity = setting
    rows = []
    for begin in range(0, len(utterances), SHARD):
        shard = f"{shift}-{severity}-{begin // SHARD:04d}.tar"
        with webdataset.TarWriter(str(folder / shard), mtime=0) as writer:
            for one in utterances[begin : begin + SHARD]:
                clip = corrupt_utterance(one, shift=shift, severity=severity, seed=seed)
                writer.write({"__key__": one.id, "flac": clip.flac, "txt": one.text})
                row = {"id": one.id, "shift": shift, "severity": severity, "text": one.text, "domain": one.domain}
                rows.append(row | {"samples": clip.samples, "shard": shard, "amounts": _json(clip.amounts)})
    return rows


def _json(amounts: dict[str, float]) -> str:
    return json.dumps(amounts, sort_keys=True)


def run(params: Params, *, corpora: Path, corrupted: Out) -> None:
    """Write the archives, the manifest, the version and the loose samples."""
    corpus = read_corpus(corpora, domains=params.domains, split=params.split, limit=params.utterances, seed=params.seed)
    if not len(corpus):
        raise DataError(f"{corpora}: split {params.split} must hold an utterance; it holds none; wrong domains?")
    corrupted.mkdir(parents=True)
    shifts = params.shifts or tuple(SEVERITIES)
    settings = [(shift, severity) for shift in shifts for severity in params.severities]
    work = partial(write_setting, utterances=corpus.utterances, folder=corrupted, seed=params.seed)
    rows = [row for done in parallel(work, settings, what="shifts and severities") for row in done]
    columns = {name: pyarrow.array([row[name] for row in rows], kind) for name, kind in COLUMNS.items()}
    pyarrow.parquet.write_table(pyarrow.table(columns), corrupted / "manifest.parquet")
    about = {"version": WAVEFORM_C, "utterances": len(corpus), "clips": len(rows), **params.model_dump(mode="json")}
    write_json(corrupted / "speech_c.json", about)
    _write_samples(corrupted / "samples", corpus.utterances, settings=settings, params=params)


def _write_samples(
    folder: Path, utterances: tuple[Utterance, ...], *, settings: list[tuple[str, int]], params: Params
) -> None:
    """Write loose FLAC files, clean ones first, and transcripts.tsv, which the layout "folder" reads."""
    folder.mkdir()
    places = np.unique(np.linspace(0, len(utterances) - 1, min(params.samples, len(utterances))).astype(int))
    with (folder / "transcripts.tsv").open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream, delimiter="\t", lineterminator="\n")
        table.writerow(["file", "text", "domain", "id", "shift", "severity", "amounts"])
        for one in (utterances[place] for place in places):
            clean = Clip(encode_flac(one.waveform), len(one.waveform), {})
            clips = {("clean", 0): clean} | {
                (shift, severity): corrupt_utterance(one, shift=shift, severity=severity, seed=params.seed)
                for shift, severity in settings
                if severity in HEARD
            }
            for (shift, severity), clip in clips.items():
                name = f"{one.id}-{shift}-{severity}.flac"
                (folder / name).write_bytes(clip.flac)
                table.writerow([name, one.text, one.domain, one.id, shift, severity, _json(clip.amounts)])
