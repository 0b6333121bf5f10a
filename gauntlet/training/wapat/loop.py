"""Training a recogniser by any of the methods: batches of like length, a tri-stage schedule, one record an epoch."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from gauntlet.errors import ArgumentError
from gauntlet.models.recognizer import SAMPLE_RATE_HZ, Recognizer
from gauntlet.training.state import TrainingState, finite, lend
from gauntlet.training.wapat.methods import METHODS, Batch, Setting


class Spoken(Protocol):
    """An utterance: what is heard and what is said.

    Attributes:
        waveform: float32, [T] in [-1, 1] at 16,000 Hz.
        text: Normalised.
    """

    waveform: np.ndarray
    text: str


class Speech:
    """Utterances in batches of like length.

    The number of batches is the same each epoch: utterances are sorted by length in steps of `step_s`, and only those
    of one step change places.

    Args:
        utterances: At least one.
        batch_s: Most seconds a batch, padding counted; a longer utterance is a batch of its own.
        step_s: Fineness of the lengths, in seconds.
        device: Where batches go.
    """

    def __init__(
        self, utterances: Sequence[Spoken], *, batch_s: float, step_s: float = 0.5, device: str = "cpu"
    ) -> None:
        if not utterances:
            raise ArgumentError("there must be an utterance to train on; got none; a domain or split misspelt?")
        self.utterances, self.device = utterances, device
        self.steps = torch.tensor([-(-len(u.waveform) // round(step_s * SAMPLE_RATE_HZ)) for u in utterances])
        self.slots = _slots(self.steps.sort().values.tolist(), most=batch_s / step_s)

    def __len__(self) -> int:
        return len(self.utterances)

    def epoch(self, generator: torch.Generator) -> Iterator[Batch]:
        """Yield every utterance once, in an order drawn from `generator`."""
        shuffled = torch.randperm(len(self), generator=generator)
        order = shuffled[self.steps[shuffled].argsort(stable=True)].split(self.slots)
        for slot in torch.randperm(len(self.slots), generator=generator).tolist():
            yield self.batch(order[slot].tolist())

    def in_order(self) -> Iterator[tuple[list[int], Batch]]:
        """Yield every utterance once, short ones first, with their places."""
        for places in self.steps.argsort(stable=True).split(self.slots):
            yield places.tolist(), self.batch(places.tolist())

    def batch(self, places: Sequence[int]) -> Batch:
        """Return some of the utterances, zero-padded, on the device."""
        chosen = [self.utterances[place] for place in places]
        lengths = torch.tensor([len(u.waveform) for u in chosen])
        waveform = torch.zeros(len(chosen), int(lengths.max()))
        for row, utterance in zip(waveform, chosen, strict=True):
            row[: len(utterance.waveform)] = torch.as_tensor(utterance.waveform)
        return Batch(waveform.to(self.device), lengths.to(self.device), [u.text for u in chosen])


def _slots(steps: list[int], *, most: float) -> list[int]:
    """Cut ascending lengths into as few runs as keep count x longest within `most`."""
    slots = [0]
    for step in steps:
        if slots[-1] and (slots[-1] + 1) * step > most:
            slots.append(0)
        slots[-1] += 1
    return slots


def tri_stage(
    optimizer: torch.optim.Optimizer,
    *,
    steps: int,
    shares: tuple[float, float, float] = (0.1, 0.4, 0.5),
    first: float = 0.01,
    last: float = 0.05,
) -> LambdaLR:
    """Rise in a line from `first` to the optimiser's rate, hold it, decay exponentially to `last` of it.

    Source: fairseq's tri_stage schedule, which WAPAT's recipe uses.
    """
    warm, held = shares[0] * steps, (shares[0] + shares[1]) * steps

    def factor(step: int) -> float:
        if step < warm:
            return first + (1 - first) * step / warm
        return 1.0 if step < held else last ** min(1.0, (step - held) / max(steps - held, 1e-9))

    return LambdaLR(optimizer, factor)


def start_recognizer(
    recognizer: nn.Module, *, lr: float, weight_decay: float, steps: int, generator: torch.Generator
) -> TrainingState:
    """Begin a run with Adam and the tri-stage schedule.

    Args:
        recognizer: On its device; the weights that require a gradient train.
        lr: Highest learning rate.
        weight_decay: At least 0; the paper has none.
        steps: Updates in all.
        generator: On the CPU; orders, augments, starts the adversaries.
    """
    weights = [weight for weight in recognizer.parameters() if weight.requires_grad]
    optimizer = torch.optim.Adam(weights, lr=lr, betas=(0.9, 0.98), eps=1e-8, weight_decay=weight_decay, fused=True)
    return TrainingState(recognizer, optimizer, tri_stage(optimizer, steps=max(1, steps)), generator)


def train_recognizer(
    state: TrainingState,
    speech: Speech,
    *,
    method: str,
    setting: Setting,
    epochs: int,
    clip_norm: float | None = None,
) -> Iterator[dict]:
    """Train until all epochs are done.

    Args:
        state: From `start_recognizer`, over len(speech.slots) x epochs updates.
        speech: Utterances whose texts fit their frames.
        method: A key of METHODS.
        setting: Of the run.
        epochs: In all, those done before a resumption counted.
        clip_norm: Greatest norm of the gradient, or None (the paper's recipe).

    Yields:
        {"epoch", "loss", "changed", "passes", "unguided"} an epoch: mean loss, that of the utterances as the method
        changed them, forward and backward passes of the body over an utterance, in pairs, and utterances without
        guidance.

    Raises:
        ArgumentError: There is no such method, or the loss is no longer finite.
    """
    if method not in METHODS:
        raise ArgumentError(f"the method must be one of {', '.join(METHODS)}; got {method!r}; misspelt?")
    while state.epoch < epochs:
        state.model.train()
        total = changed = torch.zeros((), device=speech.device)
        passes, unguided = 0.0, 0
        batches = speech.epoch(state.generator)
        for batch in batches:
            # A seed an update: a method that draws more must not change what the next update sees.
            seed = int(torch.randint(2**62, (), generator=state.generator))
            state.optimizer.zero_grad(set_to_none=True)
            with lend(torch.Generator().manual_seed(seed), device=speech.device):
                loss = METHODS[method](state.model, batch, setting, generator=torch.Generator().manual_seed(seed + 1))
            loss.value.backward()
            if clip_norm is not None:
                nn.utils.clip_grad_norm_(state.model.parameters(), clip_norm)
            state.optimizer.step()
            state.scheduler.step()
            total = total + loss.value.detach() * len(batch.texts)
            changed = changed + loss.changed * len(batch.texts)
            passes, unguided = passes + loss.passes * len(batch.texts), unguided + loss.unguided
        state.epoch += 1
        yield {
            "epoch": state.epoch,
            "loss": finite(total / len(speech), epoch=state.epoch),
            "changed": float(changed) / len(speech),
            "passes": passes / len(speech),
            "unguided": unguided,
        }


@torch.no_grad()
def transcripts(recognizer: nn.Module, speech: Speech) -> list[str]:
    """Return the recogniser's greedy reading of every utterance, in their order."""
    texts = [""] * len(speech)
    for places, batch in speech.in_order():
        for place, text in zip(places, recognizer.transcribe(batch.waveform, batch.lengths), strict=True):
            texts[place] = text
    return texts


def fitting(recognizer: Recognizer, utterances: Sequence[Spoken]) -> list[bool]:
    """Say of each utterance whether CTC can write its text into its frames.

    Only texts of over 25 symbols a second, which nobody speaks, are tried on the front: none has fewer frames a second.
    """
    needed = [recognizer.alphabet.frames_needed(u.text) for u in utterances]
    return [
        count <= 25 * len(u.waveform) / SAMPLE_RATE_HZ or _fits(recognizer, u)
        for count, u in zip(needed, utterances, strict=True)
    ]


@torch.no_grad()
def _fits(recognizer: Recognizer, utterance: Spoken) -> bool:
    waveform = torch.as_tensor(utterance.waveform)[None]
    features = recognizer.features(waveform, torch.tensor([waveform.shape[1]]))
    return bool(recognizer.fits([utterance.text], features.frames))
