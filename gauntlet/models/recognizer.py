"""What a recogniser is: one protocol for everything that writes down speech, one for those with CTC.

Waveforms are float32 B x T in [-1, 1] at 16,000 Hz, zero-padded at the end; lengths are int64 [B], samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from gauntlet.models.alphabet import Alphabet


@dataclass(frozen=True)
class Features:
    """What the frozen front end hands to the trainable body.

    Attributes:
        values: float, B x F x D; what lies beyond an utterance's own frames means nothing.
        frames: int64, [B]: frames of each utterance, in 1..F.
    """

    values: Tensor
    frames: Tensor

    @property
    def mask(self) -> Tensor:
        """Return bool B x F, true on an utterance's own frames."""
        return frame_mask(self.frames, self.values.shape[1])

    def of(self, values: Tensor) -> "Features":
        """Return the same utterances with other values of the same shape."""
        return replace(self, values=values)

    def detach(self) -> "Features":
        """Return the same values outside the graph."""
        return self.of(self.values.detach())


@runtime_checkable
class Transcriber(Protocol):
    """Both families, CTC and sequence to sequence: text out, and a loss that reaches the waveform."""

    def waveform_loss(self, waveform: Tensor, lengths: Tensor, texts: Sequence[str]) -> Tensor:
        """Return [B]: mean loss a symbol of each text, differentiable in the waveform."""
        ...

    def transcribe(self, waveform: Tensor, lengths: Tensor) -> list[str]:
        """Return what is said in each utterance, normalised."""
        ...


@runtime_checkable
class Recognizer(Transcriber, Protocol):
    """A CTC recogniser in two halves: a frozen front end and a body that trains.

    Attributes:
        alphabet: Its symbols, letters or phonemes: classes 1, 2, ...; class 0 is the blank.
    """

    alphabet: Alphabet

    def features(self, waveform: Tensor, lengths: Tensor) -> Features:
        """Run the front end; differentiable in the waveform."""
        ...

    def from_features(self, features: Features) -> Tensor:
        """Return log-probabilities, float32 B x F x C; differentiable in the features and the body's weights."""
        ...

    def loss(self, log_probs: Tensor, frames: Tensor, texts: Sequence[str]) -> Tensor:
        """Return [B]: CTC loss over the number of symbols of each text."""
        ...

    def fits(self, texts: Sequence[str], frames: Tensor) -> Tensor:
        """Return bool [B]: whether CTC can write each text into so many frames."""
        ...

    def text_from(self, log_probs: Tensor, frames: Tensor) -> list[str]:
        """Return the greedy reading of each utterance."""
        ...


def frame_mask(frames: Tensor, size: int) -> Tensor:
    """Return bool B x `size`, true on the first `frames` of each row."""
    return torch.arange(size, device=frames.device) < frames[:, None]
