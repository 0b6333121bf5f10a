"""Attack utterances of the test split, one word each, in several settings: from one stage alone to all together."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from pydantic import Field

from gauntlet.attacks.transaudio import EDITS, Batch, Release, Setting, transaudio, tuned
from gauntlet.errors import ArgumentError, DataError
from gauntlet.models.recognizer import Recognizer, Transcriber
from gauntlet.readers.speech import read_corpus
from gauntlet.resampling import SAMPLE_RATE_HZ
from gauntlet.synthesis import speak as say
from stages import Out
from stages import Params as StageParams
from stages.files import write_json
from stages.machine import machine, parallel
from stages.transaudio.candidates import Candidate, Choice, chosen, started, waveforms
from stages.transaudio.clips import Clip, clips, write_clips
from stages.transaudio.victims import Places, opened

Values = dict[str, bool | int | float | str | dict[str, bool]]


class Tuning(StageParams):
    """How surrogates are tuned to the score of the data, where a setting says `score_match: surrogate_ft`.

    Attributes:
        updates: Of Adam; the first so many batches of the train split.
        batch: Utterances of an update.
        rate: Learning rate.
    """

    updates: int = Field(ge=1)
    batch: int = Field(ge=1)
    rate: float = Field(gt=0)


class Params(StageParams):
    """What is attacked, and how.

    Attributes:
        seed: Of all randomness.
        surrogates: Models of wapat.train, or "whisper"; the first one writes letters by CTC and is the white box.
        domains: Of the corpora; null for all.
        candidates: Utterances of each domain to choose from.
        utterances: Attacked ones a kind of edit: those that the white box hears best.
        longest_s: Longer ones are left out.
        kinds: Of edits.
        inserted: What `insert` puts in.
        replacements: What `substitute` puts in, the one of about equal length.
        voice: Says both; an espeak-ng voice.
        batch: Utterances at a time.
        setting: What all settings share, as `gauntlet.attacks.transaudio.Setting` names it.
        settings: And what each has of its own, by its name.
        tuning: Of surrogates.
    """

    seed: int
    surrogates: list[str] = Field(min_length=1)
    domains: list[str] | None
    candidates: int | None = Field(ge=1)
    utterances: int = Field(ge=1)
    longest_s: float = Field(gt=0)
    kinds: list[str] = Field(min_length=1)
    inserted: str
    replacements: list[str] = Field(min_length=1)
    voice: str
    batch: int = Field(ge=1)
    setting: Values
    settings: dict[str, Values] = Field(min_length=1)
    tuning: Tuning


def setting_of(params: Params, name: str) -> Setting:
    """Return one setting.

    Raises:
        ArgumentError: It names what there is not, or a number lies outside its range.
    """
    values = {**params.setting, **params.settings[name]}
    try:
        release = Release(**values.pop("release", {}))
        found = Setting(**values, release=release)
    except TypeError as error:
        known = ", ".join(field.name for field in fields(Setting))
        wrong = str(error).rpartition("argument ")[2]
        raise ArgumentError(f"settings.{name} must name fields of Setting, {known}; got {wrong}; misspelt?") from None
    if found.surrogates > len(params.surrogates):
        raise ArgumentError(f"settings.{name} wants {found.surrogates} surrogates; surrogates lists fewer; add some")
    return found


@dataclass(frozen=True)
class Work:
    """All that a setting needs; workers inherit it."""

    params: Params
    corpora: Path
    surrogates: Sequence[Transcriber]
    candidates: Sequence[Candidate]

    def speak(self, word: str) -> np.ndarray:
        """Say a word."""
        return say(word, voice=self.params.voice, sample_rate=SAMPLE_RATE_HZ).waveform

    def attacked(self, name: str) -> list[Clip]:
        """Attack all candidates in one setting."""
        setting, found = setting_of(self.params, name), []
        surrogates = self.tuned(setting) if setting.score_match == "surrogate_ft" else self.surrogates
        for place in range(0, len(self.candidates), self.params.batch):
            some = self.candidates[place : place + self.params.batch]
            start = started(self.surrogates[0], some, speak=self.speak, setting=setting)
            generator = torch.Generator().manual_seed(self.params.seed + place)
            moved = transaudio(surrogates, start, setting=setting, generator=generator)
            found += clips(some, moved, seed=self.params.seed)
        return found

    def tuned(self, setting: Setting) -> list[Transcriber]:
        """Return the setting's surrogates, tuned on the train split."""
        tuning = self.params.tuning
        size = tuning.updates * tuning.batch
        known = read_corpus(self.corpora, domains=self.params.domains, split="train", limit=size, seed=self.params.seed)
        short = [each for each in known.utterances if len(each.waveform) <= self.params.longest_s * SAMPLE_RATE_HZ]
        if not short:
            raise DataError("the train split must hold utterances of longest_s to tune on; it holds none; test voices?")
        some = iter(sorted(short, key=lambda each: each.id))
        batches = [
            Batch(waveforms(part), [each.text for each in part])
            for _ in range(tuning.updates)
            if (part := list(islice(some, tuning.batch)))
        ]
        return [
            tuned(
                each,
                batches,
                sigma=setting.sigma,
                lam=setting.lam,
                rate=tuning.rate,
                generator=torch.Generator().manual_seed(self.params.seed),
            )
            for each in self.surrogates[: setting.surrogates]
        ]


def run(params: Params, *, corpora: Path, whisper: Path, models: Path, attacked: Out) -> None:
    """Write a folder of clips a setting, and settings.json."""
    if unknown := [kind for kind in params.kinds if kind not in EDITS]:
        raise ArgumentError(f"kinds must be of {', '.join(EDITS)}; got {unknown[0]!r}; misspelt?")
    settings = {name: setting_of(params, name) for name in params.settings}
    surrogates = opened(params.surrogates, Places(whisper, models))
    first = surrogates[params.surrogates[0]]
    if not isinstance(first, Recognizer):
        raise ArgumentError(f"surrogates must begin with a CTC model; got {params.surrogates[0]!r}; put it later")
    work = Work(params, corpora, list(surrogates.values()), [])
    found = read_corpus(corpora, domains=params.domains, split="test", limit=params.candidates, seed=params.seed)
    picked = chosen(
        first, found.utterances, choice=_choice(params), speak=work.speak, setting=next(iter(settings.values()))
    )
    candidates = [each for kind in params.kinds for each in picked.candidates[kind]]
    if not candidates:
        raise DataError(f"{corpora} must hold test utterances to attack; none is left: {dict(picked.left_out)}")
    work = replace(work, candidates=candidates)
    # CUDA does not survive a fork.
    workers = 1 if machine().device.startswith("cuda") else None
    done = parallel(partial(Work.attacked, work), settings, what="settings", workers=workers)
    for name, clips_ in zip(settings, done, strict=True):
        write_clips(attacked / name, clips_)
    write_json(attacked / "settings.json", _about(params, settings, left_out=picked.left_out))


def _choice(params: Params) -> Choice:
    return Choice(
        kinds=params.kinds,
        count=params.utterances,
        longest_s=params.longest_s,
        words={"insert": {"inserted": params.inserted}, "substitute": {"replacements": params.replacements}},
        batch=params.batch,
    )


def _about(params: Params, settings: Mapping[str, Setting], *, left_out: Mapping[str, Mapping[str, int]]) -> dict:
    return {
        "settings": {
            name: asdict(setting) | {"surrogates": params.surrogates[: setting.surrogates]}
            for name, setting in settings.items()
        },
        "white_box": params.surrogates[0],
        "left_out": {kind: dict(reasons) for kind, reasons in left_out.items()},
        "seed": params.seed,
    }
