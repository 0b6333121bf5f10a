"""What the recogniser and its variants share: utterances by split, the loop, the choice of the epoch, the folder."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from pydantic import Field, model_validator
from safetensors.torch import save_file

from gauntlet.errors import ArgumentError, DataError
from gauntlet.metrics.recognition import word_errors
from gauntlet.models.alphabet import LETTERS, Alphabet
from gauntlet.models.transformers_ctc import TransformersCtc
from gauntlet.readers.speech import DECODED_S, Shelved, Utterance, read_corpus
from gauntlet.readers.trained_recognizers import Trained
from gauntlet.readers.transformers_ctc import FRONT
from gauntlet.training.selection import Best
from gauntlet.training.state import TrainingState
from gauntlet.training.wapat.loop import start_recognizer, train_recognizer
from gauntlet.training.wapat.methods import METHODS, Setting
from gauntlet.training.wapat.speech import Speech, fitting, transcripts
from gauntlet.transcripts import NORMALIZER
from stages import Params
from stages.checkpoint import Checkpoint
from stages.machine import machine
from stages.training import fit, write_model


class Training(Params):
    """What is trained on what, by which method, how long.

    Attributes:
        seed: Of the order, the augmentation, the adversaries and the draw of utterances.
        domains: To train on; null for all that have a train split.
        utterances: Drawn from each domain; null for all.
        held_out: Utterances of each of these domains that choose the epoch; null for all.
        epochs: 0 takes the model as it is.
        batch_s: Most seconds of sound a batch, padding counted.
        lr: Highest learning rate.
        head_lr: That of the head; null takes lr.
        weight_decay: The paper has none.
        clip_norm: Greatest norm of the gradient, or null.
        method: A key of `gauntlet.training.wapat.methods.METHODS`.
        settings: Its hyper-parameters where they differ from the defaults.
        remember: Hold what the frozen front makes of every utterance in memory; pays from the second epoch on.
    """

    seed: int
    domains: list[str] | None
    utterances: int | None = Field(ge=1)
    held_out: int | None = Field(ge=1)
    epochs: int = Field(ge=0)
    batch_s: float = Field(gt=0)
    lr: float = Field(gt=0)
    head_lr: float | None = Field(default=None, gt=0)
    weight_decay: float = Field(ge=0)
    clip_norm: float | None = Field(gt=0)
    method: str
    settings: Setting
    remember: bool

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.method not in METHODS:
            raise ArgumentError(f"method must be one of {', '.join(METHODS)}; got {self.method!r}; misspelt?")
        return self


@dataclass(frozen=True)
class Line:
    """An utterance with what the recogniser is to write: letters, or phonemes between spaces."""

    id: str
    waveform: np.ndarray | Shelved
    text: str


class Lines:
    """Utterances by split, those that cannot be written left out and named by reason."""

    def __init__(self, params: Training, corpora: Path) -> None:
        limits = {"train": params.utterances, "held_out": params.held_out}
        self.found: dict[str, tuple[Utterance, ...]] = {
            split: read_corpus(
                corpora, domains=params.domains, split=split, limit=limit, seed=params.seed, decoded_s=DECODED_S
            ).utterances
            for split, limit in limits.items()
        }
        self.left_out: dict[str, list[str]] = {}

    def phonemes(self) -> tuple[str, ...]:
        """Return the phonemes of the training utterances."""
        return tuple(sorted({phoneme for utterance in self.found["train"] for phoneme in utterance.phonemes}))

    def speech(self, split: str, recognizer: Trained, *, batch_s: float) -> Speech:
        """Return a split's batches."""
        lines = self._known(split, recognizer.alphabet)
        fits = fitting(recognizer, lines, device=machine().device)
        self._leave_out(
            "longer than its frames allow", [line.id for line, fit in zip(lines, fits, strict=True) if not fit]
        )
        kept = [line for line, fit in zip(lines, fits, strict=True) if fit]
        if not kept:
            raise DataError(f"the {split} split must have an utterance that can be used; it has none; wrong domains?")
        return Speech(kept, batch_s=batch_s, device=machine().device)

    def _known(self, split: str, alphabet: Alphabet) -> list[Line]:
        letters = alphabet.symbols == LETTERS
        lines = [
            Line(each.id, each.waveform, each.text if letters else " ".join(each.phonemes))
            for each in self.found[split]
        ]
        empty = [line.id for line in lines if not line.text]
        known = set(alphabet.symbols)
        foreign = [line.id for line in lines if not known.issuperset(line.text if letters else line.text.split())]
        self._leave_out("nothing to write", empty)
        self._leave_out("a symbol that no training utterance has", foreign)
        out = {*empty, *foreign}
        return [line for line in lines if line.id not in out]

    def _leave_out(self, reason: str, ids: list[str]) -> None:
        if ids:
            self.left_out[reason] = sorted({*self.left_out.get(reason, []), *ids})


@dataclass(frozen=True)
class Run:
    """A run that is over.

    Attributes:
        recognizer: With the weights of the best epoch.
        best_epoch: 0 where none was trained.
        history: One record an epoch.
        left_out: Ids by reason.
    """

    recognizer: Trained
    best_epoch: int
    history: list[dict]
    left_out: Mapping[str, list[str]]


def trained(params: Training, lines: Lines, recognizer: Trained, *, checkpoint: Checkpoint) -> Run:
    """Train; keep the epoch of the lowest WER on the held-out utterances."""
    recognizer = recognizer.to(machine().device)
    train, held = (lines.speech(split, recognizer, batch_s=params.batch_s) for split in ("train", "held_out"))
    held.remember(recognizer, precision=params.settings.precision)
    if params.remember:
        train.remember(recognizer, precision=params.settings.precision)
    state = start_recognizer(
        recognizer,
        lr=params.lr,
        head_lr=params.head_lr,
        weight_decay=params.weight_decay,
        steps=len(train.slots) * params.epochs,
        generator=torch.Generator().manual_seed(params.seed),
    )
    best = state.extra["best"] = Best()
    history = fit(
        state,
        lambda: train_recognizer(
            state,
            train,
            method=params.method,
            setting=params.settings,
            epochs=params.epochs,
            clip_norm=params.clip_norm,
        ),
        checkpoint=checkpoint,
        measure=_measure(state, held, best),
        items=len(train),
    )
    if best.weights:
        recognizer.body.load_state_dict(best.weights)
    return Run(recognizer.eval(), best.epoch, history, dict(lines.left_out))


def _measure(state: TrainingState, held: Speech, best: Best) -> Callable[[], dict[str, float]]:
    def measure() -> dict[str, float]:
        recognizer = state.model.eval()
        wer = word_errors([u.text for u in held.utterances], transcripts(recognizer, held)).rate
        best.offer(recognizer.body, -wer, epoch=state.epoch)
        return {"wer": wer}

    return measure


def write(
    params: Training, run: Run, model: Path, *, settings: Mapping[str, object], source: Mapping[str, str]
) -> None:
    """Write the model folder: the body's weights, what it is, its history; the front's weights if not Whisper's.

    Args:
        params: It was trained by.
        run: That is over.
        model: Made here.
        settings: That the recogniser is built from, besides its symbols.
        source: Whose front it has: {"whisper": name of its folder}, or {"backbone": name in raw.folder}.
    """
    write_model(
        model,
        run.recognizer.body,
        architecture=run.recognizer.architecture,
        classes=list(run.recognizer.symbols),
        settings=settings,
        about={
            **source,
            "normalizer": NORMALIZER,
            "method": params.method,
            "method_settings": asdict(params.settings),
            "domains": params.domains,
            "seed": params.seed,
            "epochs": params.epochs,
            "best_epoch": run.best_epoch,
            "left_out": run.left_out,
            "passes": sum(record["passes"] for record in run.history),
            "device": machine().device,
        },
        history=run.history,
    )
    if isinstance(run.recognizer, TransformersCtc):
        front = {name: tensor.cpu().contiguous() for name, tensor in run.recognizer.front.state_dict().items()}
        save_file(front, model / FRONT)
