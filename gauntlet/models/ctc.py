"""What all CTC recognisers share once they have log-probabilities: the loss, greedy reading, the check of length."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.models.alphabet import BLANK, Alphabet
from gauntlet.models.recognizer import Features, Recognizer


class CtcRecognizer(nn.Module):
    """A `Recognizer`; a subclass brings `features` and `from_features`.

    Args:
        alphabet: Its symbols.
    """

    def __init__(self, alphabet: Alphabet) -> None:
        super().__init__()
        self.alphabet = alphabet

    @property
    def symbols(self) -> tuple[str, ...]:
        """Letters or phonemes: classes 1, 2, ...; class 0 is the blank."""
        return self.alphabet.symbols

    @abstractmethod
    def features(self, waveform: Tensor, lengths: Tensor) -> Features:
        """Run the front end: float32 B x T and int64 [B] samples to features, differentiable in the waveform."""

    @abstractmethod
    def from_features(self, features: Features) -> Tensor:
        """Return log-probabilities, float32 B x F x C."""

    def forward(self, waveform: Tensor, lengths: Tensor) -> Tensor:
        """Return log-probabilities, float32 B x F x C, of waveforms B x T of `lengths` samples."""
        return self.from_features(self.features(waveform, lengths))

    def fits(self, texts: Sequence[str], frames: Tensor) -> Tensor:
        """Return bool [B], on the CPU: whether CTC can write each text into so many frames."""
        return torch.tensor([self.alphabet.frames_needed(text) for text in texts]) <= frames.cpu()

    def loss(self, log_probs: Tensor, frames: Tensor, texts: Sequence[str]) -> Tensor:
        """Measure how improbable each text is.

        Args:
            log_probs: float32, B x F x C.
            frames: int64, [B].
            texts: B texts, normalised.

        Returns:
            float32, [B]: CTC loss over the text's number of symbols, nats.

        Raises:
            ArgumentError: A text does not fit its frames (its loss would be infinite), or holds an unknown symbol.
        """
        fits = self.fits(texts, frames)
        if not fits.all():
            place = int((~fits).nonzero()[0])
            raise ArgumentError(
                f"a text must fit its frames, {int(frames[place])} here; got {texts[place]!r}, which needs "
                f"{self.alphabet.frames_needed(texts[place])}; the transcript of another clip? (`fits` tells)"
            )
        targets, symbols = self.alphabet.targets(texts)
        targets, symbols = targets.to(log_probs.device), symbols.to(log_probs.device)
        total = functional.ctc_loss(
            log_probs.float().transpose(0, 1), targets, frames, symbols, blank=BLANK, reduction="none"
        )
        return total / symbols

    def waveform_loss(self, waveform: Tensor, lengths: Tensor, texts: Sequence[str]) -> Tensor:
        """Return `loss` of the waveforms, [B], differentiable in them."""
        features = self.features(waveform, lengths)
        return self.loss(self.from_features(features), features.frames, texts)

    def text_from(self, log_probs: Tensor, frames: Tensor) -> list[str]:
        """Return the greedy reading of each utterance: the likeliest class a frame, repeats joined, blanks dropped."""
        paths = zip(log_probs.argmax(dim=-1).tolist(), frames.tolist(), strict=True)
        return [self.alphabet.decode(path[:count]) for path, count in paths]

    @torch.no_grad()
    def transcribe(self, waveform: Tensor, lengths: Tensor) -> list[str]:
        """Return the greedy reading of each waveform, in evaluation mode whatever the mode was."""
        training = self.training
        self.eval()
        features = self.features(waveform, lengths)
        texts = self.text_from(self.from_features(features), features.frames)
        self.train(training)
        return texts


def equal_fronts(one: Recognizer, other: Recognizer) -> bool:
    """Say whether two recognisers' frozen fronts, their part `front`, compute the same.

    A front that its weights do not tell entirely has `settings`, too.
    """
    left, right = (getattr(each, "front", None) for each in (one, other))
    if type(one) is not type(other) or not isinstance(left, nn.Module) or not isinstance(right, nn.Module):
        return False
    if getattr(left, "settings", None) != getattr(right, "settings", None):
        return False
    a, b = left.state_dict(), right.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)
