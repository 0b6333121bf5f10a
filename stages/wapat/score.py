"""Score every recogniser of wapat.train: clean, in every domain, under every corruption, under PGD.

All variants hear the same clips; what their common frozen front makes of a clip is computed once. Clean speech is that
of the domains that the training speech is from; the mean of the domains is over the others, as the paper's ESB score
leaves LibriSpeech out. Whisper itself, decoder and all, is scored beside them on clean speech and the domains.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from pydantic import Field

from gauntlet.errors import ArgumentError, DataError
from gauntlet.models.recognizer import Transcriber
from gauntlet.readers.recognizers import read_whisper
from gauntlet.readers.speech import DECODED_S, Utterance, read_corpus, read_manifest
from gauntlet.readers.speech_c import Row, read_clips, read_rows, read_version
from gauntlet.readers.trained_recognizers import read_recognizer
from stages import Out
from stages import Params as StageParams
from stages.machine import machine, parallel
from stages.scores import write_score
from stages.wapat.hearing import Ears, Heard, Radius, batches, heard_by
from stages.wapat.rates import Group, Rates

REFERENCE = "whisper"
"""Name of the score of Whisper with its own decoder."""


class Attack(StageParams):
    """A PGD.

    Attributes:
        eps: Radius: on [-1, 1] for waveforms, in standard deviations of an utterance's features for features.
        steps: Each of 2.5 eps / steps.
    """

    eps: float = Field(ge=0)
    steps: int = Field(ge=1)

    @property
    def radius(self) -> Radius:
        """For the library."""
        return Radius(self.eps, self.steps)


class Params(StageParams):
    """What the recognisers hear.

    Attributes:
        seed: Of the draws of utterances, the random starts and the intervals.
        variants: The models that are scored; others in the folder are left-overs.
        domains: Of the test split; null for all.
        utterances: Of each domain; null for all.
        corrupted: Clips at each shift and severity, the same ones at all; null for all.
        attacked: Utterances of each clean domain that are attacked; 0 for none.
        feature_pgd: Attacks on the front's features.
        waveform_pgd: Attacks on the waveform.
        reference: Utterances of each domain that Whisper hears; 0 for none.
        batch_s: Seconds of sound at a time.
        precision: Of the variants' passes; bfloat16 pays on processors that know it.
        resamples: Of the bootstrap.
    """

    seed: int
    variants: list[str] = Field(min_length=1)
    domains: list[str] | None
    utterances: int | None = Field(ge=1)
    corrupted: int | None = Field(ge=1)
    attacked: int = Field(ge=0)
    feature_pgd: list[Attack]
    waveform_pgd: list[Attack]
    reference: int = Field(ge=0)
    batch_s: float = Field(gt=0)
    precision: Literal["float32", "bfloat16"]
    resamples: int = Field(ge=1)


@dataclass(frozen=True)
class Task:
    """One thing to do, for a group; `batch` counts the batches of an attack."""

    group: Group
    batch: int = 0


@dataclass(frozen=True)
class Work:
    """All that the tasks need; workers inherit it."""

    params: Params
    corpora: Path
    corrupted: Path
    ears: Ears
    whisper: Transcriber | None
    rows: Mapping[tuple[str, int], list[Row]]
    attacked: list[list[Utterance]]

    def tasks(self, domains: list[str]) -> list[Task]:
        """List what is to be done, the longest first, so that no worker waits for it at the end."""
        attacks = {"waveform_pgd": self.params.waveform_pgd, "feature_pgd": self.params.feature_pgd}
        return [
            *(
                Task(Group(kind, "", place), batch)
                for kind, several in attacks.items()
                for place in range(len(several))
                for batch in range(len(self.attacked))
            ),
            *(Task(Group("reference", domain)) for domain in domains if self.whisper),
            *(Task(Group("domain", domain)) for domain in domains),
            *(Task(Group("corruption", shift, severity)) for shift, severity in self.rows),
        ]

    def utterances(self, domains: list[str], limit: int | None) -> list[Utterance]:
        """Read some of the test split."""
        found = read_corpus(
            self.corpora, domains=domains, split="test", limit=limit, seed=self.params.seed, decoded_s=DECODED_S
        )
        return list(found.utterances)

    def done(self, task: Task) -> Heard:
        """Do one."""
        return KINDS[task.group.kind](self, task)


def _domain(work: Work, task: Task) -> Heard:
    return work.ears.hear(work.utterances([task.group.name], work.params.utterances))


def _reference(work: Work, task: Task) -> Heard:
    clips = work.utterances([task.group.name], work.params.reference)
    return heard_by(REFERENCE, work.whisper, clips, batch_s=work.params.batch_s, device=machine().device)


def _corruption(work: Work, task: Task) -> Heard:
    return work.ears.hear(read_clips(work.corrupted, work.rows[task.group.name, task.group.place]))


def _feature_pgd(work: Work, task: Task) -> Heard:
    radius = work.params.feature_pgd[task.group.place].radius
    return work.ears.under_feature_pgd(work.attacked[task.batch], radius, seed=work.params.seed + task.batch)


def _waveform_pgd(work: Work, task: Task) -> Heard:
    radius = work.params.waveform_pgd[task.group.place].radius
    return work.ears.under_waveform_pgd(work.attacked[task.batch], radius, seed=work.params.seed + task.batch)


KINDS: dict[str, Callable[[Work, Task], Heard]] = {
    "domain": _domain,
    "reference": _reference,
    "corruption": _corruption,
    "feature_pgd": _feature_pgd,
    "waveform_pgd": _waveform_pgd,
}


def run(params: Params, *, corpora: Path, corrupted: Path, whisper: Path, models: Path, scores: Out) -> None:
    """Write one score a variant, and Whisper's."""
    manifest = read_manifest(corpora).select(["id", "domain", "split", "phonemes"]).to_pylist()
    seen = _seen(params, manifest)
    clean = [domain for domain in seen if seen[domain]] or list(seen)
    places = {"corpora": corpora, "corrupted": corrupted, "whisper": whisper, "models": models}
    work = _work(params, places, phonemes={row["id"]: " ".join(row["phonemes"]) for row in manifest}, clean=clean)
    tasks = work.tasks(list(seen))
    # CUDA does not survive a fork.
    workers = 1 if machine().device.startswith("cuda") else None
    heard: dict[Group, Heard] = {}
    for task, found in zip(tasks, parallel(work.done, tasks, what="groups heard", workers=workers), strict=True):
        heard[task.group] = heard.get(task.group, Heard()) + found
    scores.mkdir(parents=True)
    rates = Rates(heard, seed=params.seed, resamples=params.resamples)
    for name in params.variants:
        results = rates.results(name, seen=seen, clean=clean)
        results["speech_c"] = read_version(corrupted)
        results |= {
            kind: [
                {"eps": attack.eps, "steps": attack.steps} | rates.attack(name, Group(kind, "", place))
                for place, attack in enumerate(attacks)
                if work.attacked
            ]
            for kind, attacks in (("feature_pgd", params.feature_pgd), ("waveform_pgd", params.waveform_pgd))
        }
        _write(params, scores, name, results=results, places=places)
    if params.reference:
        results = rates.results(REFERENCE, seen=seen, clean=clean, kind="reference")
        _write(params, scores, REFERENCE, results=results, places=places)


def _seen(params: Params, manifest: list[dict]) -> dict[str, bool]:
    """Return the domains under test, and whether each is in the training speech."""
    splits = {row["domain"]: set() for row in manifest}
    for row in manifest:
        splits[row["domain"]].add(row["split"])
    tested = [domain for domain, found in splits.items() if "test" in found]
    if unknown := [name for name in params.domains or () if name not in tested]:
        raise ArgumentError(f"domains must be among {', '.join(tested)}; got {unknown[0]!r}; misspelt?")
    if not tested:
        raise DataError("the corpora must have a test split; got none; too few sentences?")
    return {domain: "train" in splits[domain] for domain in params.domains or tested}


def _work(params: Params, places: Mapping[str, Path], *, phonemes: Mapping[str, str], clean: list[str]) -> Work:
    device = machine().device
    recognizers = {
        name: read_recognizer(places["models"] / name, whisper=places["whisper"]).to(device) for name in params.variants
    }
    for recognizer in recognizers.values():
        recognizer.requires_grad_(False)
    rows: dict[tuple[str, int], list[Row]] = {}
    for row in read_rows(places["corrupted"], limit=params.corrupted, seed=params.seed):
        rows.setdefault((row.shift, row.severity), []).append(row)
    work = Work(
        params,
        places["corpora"],
        places["corrupted"],
        Ears(recognizers, phonemes=phonemes, batch_s=params.batch_s, device=device, precision=params.precision),
        read_whisper(places["whisper"]).to(device) if params.reference else None,
        rows,
        [],
    )
    attacked = work.utterances(clean, params.attacked) if params.attacked else []
    return replace(work, attacked=batches(attacked, batch_s=params.batch_s))


def _write(params: Params, scores: Path, name: str, *, results: dict, places: Mapping[str, Path]) -> None:
    inputs = {key: places[key] for key in ("corpora", "corrupted", "whisper")}
    mean = results["mean_of_domains"]
    write_score(
        scores / f"{name}.json",
        method="wapat",
        stage="wapat-score",
        subject=name,
        results=results,
        headline={"name": "mean_of_domains", **mean, "interval": "95 % bootstrap over sentences"},
        n=mean["n"],
        seeds=[params.seed],
        scorer=f"gauntlet {version('gauntlet')}, jiwer {version('jiwer')}",
        params=params,
        inputs=inputs if name == REFERENCE else inputs | {"model": places["models"] / name},
    )
