"""Let every victim hear the attacked clips: which edits reach it, and what noise as loud does; one score a setting."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from pydantic import Field

from gauntlet.errors import ArgumentError
from gauntlet.metrics.intervals import Interval, mean_interval
from gauntlet.metrics.transaudio import MOST_DB
from gauntlet.readers.speech import read_waveform
from gauntlet.transcripts import NORMALIZER
from gauntlet.waveforms import padded
from stages import Out
from stages import Params as StageParams
from stages.machine import machine, parallel
from stages.scores import write_score
from stages.transaudio.clips import VERSIONS, Record, read_records, read_settings
from stages.transaudio.rates import Table, success, transfer
from stages.transaudio.victims import Hears, Places, opened

COLUMNS = ("setting", "kind", "id", "victim", "text", "target_text", *VERSIONS)


class Params(StageParams):
    """Who hears what.

    Attributes:
        seed: Of the bootstrap.
        resamples: Its draws.
        victims: Models of wapat.train, "whisper" or "pocketsphinx", each with the settings that it hears; null for all.
        batch: Clips at a time.
    """

    seed: int
    resamples: int = Field(ge=1)
    victims: dict[str, list[str] | None] = Field(min_length=1)
    batch: int = Field(ge=1)


class Sound(NamedTuple):
    """One clip to be heard: `what` is unique among all, the same for clean clips of one utterance."""

    what: tuple[str, ...]
    path: Path


@dataclass(frozen=True)
class Task:
    """Clips that a victim hears together."""

    victim: str
    sounds: Sequence[Sound]


Transcripts = dict[tuple[str, tuple[str, ...]], str]
"""What a victim hears in a clip."""


def run(params: Params, *, attacked: Path, whisper: Path, models: Path, scores: Out) -> None:
    """Write one score a setting, and transcripts.csv."""
    about = read_settings(attacked)
    records = {name: read_records(attacked / name) for name in about["settings"]}
    for victim, settings in params.victims.items():
        if unknown := [name for name in settings or () if name not in records]:
            raise ArgumentError(f"victims.{victim} must list settings of {', '.join(records)}; got {unknown[0]!r}")
    victims = opened(params.victims, Places(whisper, models))
    said = _heard(params, victims, _sounds(attacked, records))
    scores.mkdir(parents=True)
    places = {"attacked": attacked, "whisper": whisper, "models": models}
    for name, clips in records.items():
        hearers = [victim for victim in victims if _hears(params, victim, name)]
        table = Table(name, clips, {victim: _of(said, victim, setting=name, clips=clips) for victim in hearers})
        _write(params, scores, table, about=about, places=places)
    _write_transcripts(scores / "transcripts.csv", params, records=records, said=said)


def _hears(params: Params, victim: str, setting: str) -> bool:
    wanted = params.victims[victim]
    return wanted is None or setting in wanted


def _what(setting: str, record: Record, made: str) -> tuple[str, ...]:
    return ("clean", record.id) if made == "clean" else (made, setting, record.kind, record.id)


def _sounds(attacked: Path, records: Mapping[str, Sequence[Record]]) -> dict[str, list[Sound]]:
    """List all clips by setting."""
    return {
        name: [
            Sound(_what(name, each, made), attacked / name / getattr(each, made)) for each in clips for made in VERSIONS
        ]
        for name, clips in records.items()
    }


def _heard(params: Params, victims: Mapping[str, Hears], sounds: Mapping[str, Sequence[Sound]]) -> Transcripts:
    """Let each victim hear each of its clips once, those of about equal length together."""
    tasks = []
    for victim in victims:
        own = {each.what: each for name, some in sounds.items() if _hears(params, victim, name) for each in some}
        # A FLAC file's size tells its length well enough.
        ordered = sorted(own.values(), key=lambda each: (each.path.stat().st_size, each.what))
        tasks += [Task(victim, ordered[at : at + params.batch]) for at in range(0, len(ordered), params.batch)]
    # CUDA does not survive a fork.
    workers = 1 if machine().device.startswith("cuda") else None
    found = parallel(partial(_listen, victims), tasks, what="batches heard", workers=workers)
    return {
        (task.victim, sound.what): text
        for task, texts in zip(tasks, found, strict=True)
        for sound, text in zip(task.sounds, texts, strict=True)
    }


def _listen(victims: Mapping[str, Hears], task: Task) -> list[str]:
    utterances = padded([torch.from_numpy(read_waveform(sound.path)).to(machine().device) for sound in task.sounds])
    return victims[task.victim].transcribe(*utterances)


def _of(said: Transcripts, victim: str, *, setting: str, clips: Sequence[Record]) -> dict[str, list[str]]:
    return {made: [said[victim, _what(setting, each, made)] for each in clips] for made in VERSIONS}


def _write(params: Params, scores: Path, table: Table, *, about: dict, places: Mapping[str, Path]) -> None:
    setting = about["settings"][table.setting]
    unseen = [victim for victim in table.texts if victim not in setting["surrogates"]]
    carried = transfer(table, unseen, resamples=params.resamples, seed=params.seed)
    made = {"edits": "attacked", "control": "control"}
    results = {
        key: {
            kind: {
                victim: {
                    name: asdict(rate)
                    for name, rate in success(
                        table, kind, victim, made=version_, resamples=params.resamples, seed=params.seed
                    ).items()
                }
                for victim in table.texts
            }
            for kind in table.kinds
        }
        for key, version_ in made.items()
    }
    results |= {f"{name}_db": _levels(params, table, f"{name}_db") for name in ("snr", "change", "clip")}
    results |= {"settings": setting, "white_box": about["white_box"], "left_out": about["left_out"]}
    write_score(
        scores / f"{table.setting}.json",
        method="transaudio",
        stage="transaudio-score",
        subject=table.setting,
        results=results | {"normalizer": NORMALIZER},
        headline={"name": "transfer", **asdict(carried), "interval": "95 % bootstrap over clips"},
        n=carried.n,
        seeds=sorted({params.seed, about["seed"]}),
        scorer=f"gauntlet {version('gauntlet')}, jiwer {version('jiwer')}",
        params=params,
        inputs=places,
    )


def _levels(params: Params, table: Table, name: str) -> dict[str, dict]:
    """Return the mean level of each kind, in decibels, over the clips that were changed; n counts those."""
    found = {}
    for kind in table.kinds:
        levels = [getattr(table.records[place], name) for place in table.places(kind)]
        changed = [[level] for level in levels if level < MOST_DB]
        mean = Interval(MOST_DB, MOST_DB, MOST_DB, 0)
        if changed:
            generator = np.random.default_rng(params.seed)
            mean = mean_interval(np.array(changed), resamples=params.resamples, generator=generator)[0]
        found[kind] = asdict(mean)
    return found


def _write_transcripts(
    path: Path, params: Params, *, records: Mapping[str, Sequence[Record]], said: Transcripts
) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for name, clips in records.items():
            for each in clips:
                for victim in params.victims:
                    if _hears(params, victim, name):
                        texts = [said[victim, _what(name, each, made)] for made in VERSIONS]
                        writer.writerow([name, each.kind, each.id, victim, each.text, each.target_text, *texts])
