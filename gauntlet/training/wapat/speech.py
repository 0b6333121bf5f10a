"""Utterances in batches of like length, and what the frozen front makes of them, remembered where memory allows."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from gauntlet.errors import ArgumentError
from gauntlet.models.recognizer import Features, Recognizer
from gauntlet.resampling import SAMPLE_RATE_HZ
from gauntlet.training.wapat.methods import Batch, front


class Spoken(Protocol):
    """An utterance: what is heard and what is said.

    Attributes:
        waveform: float32, [T] in [-1, 1] at 16,000 Hz, or what has a length and becomes that by `numpy.asarray`.
        text: Normalised, or phonemes between spaces.
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

    Raises:
        ArgumentError: There is no utterance.
    """

    def __init__(
        self, utterances: Sequence[Spoken], *, batch_s: float, step_s: float = 0.5, device: str = "cpu"
    ) -> None:
        if not utterances:
            raise ArgumentError("there must be an utterance at least; got none; a domain or a limit misspelt?")
        self.utterances, self.device = utterances, device
        self.steps = torch.tensor([-(-len(u.waveform) // round(step_s * SAMPLE_RATE_HZ)) for u in utterances])
        self.slots = _slots(self.steps.sort().values.tolist(), most=batch_s / step_s)
        self.remembered: list[Tensor] | None = None

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
        """Return some of the utterances, zero-padded, on the device, with their features where they are remembered."""
        chosen = [self.utterances[place] for place in places]
        lengths = torch.tensor([len(u.waveform) for u in chosen])
        waveform = torch.zeros(len(chosen), int(lengths.max()))
        for row, utterance in zip(waveform, chosen, strict=True):
            row[: len(utterance.waveform)] = torch.as_tensor(np.asarray(utterance.waveform))
        return Batch(waveform.to(self.device), lengths.to(self.device), [u.text for u in chosen], self._recall(places))

    def remember(self, recognizer: Recognizer, *, precision: str = "float32") -> None:
        """Run the front over everything once; it takes 4 F D bytes an utterance, 77 KB a second with Whisper tiny."""
        kept: list[Tensor] = [torch.empty(0)] * len(self)
        for places, batch in self.in_order():
            features = front(recognizer, batch, precision)
            for place, values, frames in zip(places, features.values, features.frames.tolist(), strict=True):
                kept[place] = values[:frames].clone()
        self.remembered = kept

    def _recall(self, places: Sequence[int]) -> Features | None:
        if self.remembered is None:
            return None
        values = [self.remembered[place] for place in places]
        frames = torch.tensor([len(each) for each in values], device=self.device)
        return Features(torch.nn.utils.rnn.pad_sequence(values, batch_first=True), frames)


def _slots(steps: list[int], *, most: float) -> list[int]:
    """Cut ascending lengths into as few runs as keep count x longest within `most`."""
    slots = [0]
    for step in steps:
        if slots[-1] and (slots[-1] + 1) * step > most:
            slots.append(0)
        slots[-1] += 1
    return slots


def fitting(recognizer: Recognizer, utterances: Sequence[Spoken], *, device: str = "cpu") -> list[bool]:
    """Say of each utterance whether CTC can write its text into its frames; `device` is the recogniser's.

    Only texts of over 25 symbols a second, which nobody speaks, are tried on the front: none has fewer frames a second.
    """
    needed = [recognizer.alphabet.frames_needed(u.text) for u in utterances]
    return [
        count <= 25 * len(u.waveform) / SAMPLE_RATE_HZ or _fits(recognizer, u, device)
        for count, u in zip(needed, utterances, strict=True)
    ]


@torch.no_grad()
def _fits(recognizer: Recognizer, utterance: Spoken, device: str) -> bool:
    waveform = torch.as_tensor(np.asarray(utterance.waveform))[None].to(device)
    features = recognizer.features(waveform, torch.tensor([waveform.shape[1]], device=device))
    return bool(recognizer.fits([utterance.text], features.frames))


@torch.no_grad()
def transcripts(recognizer: Recognizer, speech: Speech, *, precision: str = "float32") -> list[str]:
    """Return the greedy reading of every utterance, in their order; the recogniser should be in evaluation mode."""
    texts = [""] * len(speech)
    for places, batch in speech.in_order():
        features = front(recognizer, batch, precision)
        read = recognizer.text_from(recognizer.from_features(features), features.frames)
        for place, text in zip(places, read, strict=True):
            texts[place] = text
    return texts
