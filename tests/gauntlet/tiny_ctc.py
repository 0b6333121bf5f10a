"""A recogniser of a few thousand weights over "letters" that are tones: all that a real one does, in milliseconds.

Letters a to f sound at 500, 900, ... Hz for 60 ms each, 20 ms apart; the space between words is a tone of its own.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.models.alphabet import Alphabet
from gauntlet.models.ctc import CtcRecognizer
from gauntlet.models.recognizer import Features, frame_mask

RATE_HZ = 16_000
LETTERS = "abcdef "
FRAME = 320
LETTER_FRAMES = 4


def sentences(count: int, *, seed: int, words: int = 3) -> list[str]:
    """Draw sentences of `words` words of two to four letters."""
    generator = torch.Generator().manual_seed(seed)

    def word() -> str:
        length = int(torch.randint(2, 5, (), generator=generator))
        return "".join(LETTERS[i] for i in torch.randint(6, (length,), generator=generator).tolist())

    return [" ".join(word() for _ in range(words)) for _ in range(count)]


def spoken(texts: list[str], *, noise: float = 0.01, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return the waveforms, zero-padded B x T, and their lengths."""
    lengths = torch.tensor([len(text) * LETTER_FRAMES * FRAME for text in texts])
    waveform = torch.zeros(len(texts), int(lengths.max()))
    sound = torch.arange(3 * FRAME) / RATE_HZ
    generator = torch.Generator().manual_seed(seed)
    for row, text in zip(waveform, texts, strict=True):
        for place, letter in enumerate(text):
            begin = place * LETTER_FRAMES * FRAME
            tone_hz = 500 + 400 * LETTERS.index(letter)
            row[begin : begin + 3 * FRAME] = 0.3 * torch.sin(2 * torch.pi * tone_hz * sound)
    waveform += noise * torch.randn(waveform.shape, generator=generator)
    within = torch.arange(waveform.shape[1]) < lengths[:, None]
    return (waveform * within).clamp(-1, 1), lengths


class TinyCtc(CtcRecognizer):
    """A frozen front of 32 log band energies every 20 ms, two residual convolutions, a CTC head."""

    def __init__(self, *, seed: int = 0, dropout: float = 0.0) -> None:
        super().__init__(Alphabet(tuple(LETTERS)))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.front = nn.Linear(32, 32)
            self.inner = nn.Linear(32, 32)
            self.layers = nn.ModuleList(nn.Conv1d(32, 32, 5, padding=2) for _ in range(2))
            self.head = nn.Linear(32, len(LETTERS) + 1)
        self.front.requires_grad_(False)
        self.dropout = nn.Dropout(dropout)

    def features(self, waveform: Tensor, lengths: Tensor) -> Features:
        """Return B x F x 32 features, differentiable in the waveform, zero beyond each utterance."""
        frames = (lengths + FRAME - 1) // FRAME
        padded = functional.pad(waveform, (0, -waveform.shape[1] % FRAME))
        power = torch.fft.rfft(padded.unflatten(1, (-1, FRAME)))[..., :160].abs().square()
        values = self.front(power.unflatten(2, (32, 5)).mean(3).add(0.01).log10())
        return Features(values * frame_mask(frames, values.shape[1])[..., None], frames)

    def from_features(self, features: Features) -> Tensor:
        """Return log-probabilities, B x F x 8."""
        mask = features.mask[:, None]
        x = self.inner(features.values).transpose(1, 2)
        for layer in self.layers:
            x = x + self.dropout(functional.gelu(layer(x * mask)))
        return self.head(x.transpose(1, 2)).float().log_softmax(2)


def trained_tiny_ctc(*, updates: int = 200, seed: int = 0, noise: float = 0.03) -> TinyCtc:
    """Train a recogniser of tones, in about two seconds, to a word error rate near zero."""
    model = TinyCtc(seed=seed)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    for step in range(updates):
        texts = sentences(16, seed=1000 * seed + step)
        loss = model.waveform_loss(*spoken(texts, noise=noise, seed=step), texts).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return model.eval().requires_grad_(False)
