"""Whisper's encoder as a CTC recogniser: a frozen front, the later layers to train, a linear head over symbols."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from gauntlet.errors import ArgumentError
from gauntlet.models.alphabet import LETTERS, Alphabet
from gauntlet.models.ctc import CtcRecognizer
from gauntlet.models.recognizer import Features
from gauntlet.models.whisper_encoder import EncoderLayer, EncoderShape, WhisperFront, split_state


class Body(nn.Module):
    """The layers that train, the encoder's last norm, and the head.

    Args:
        shape: Of the whole encoder.
        layers: Transformer layers that belong to the body.
        classes: Symbols and the blank.
        dropout: On the residual branches, in [0, 1).
    """

    def __init__(self, shape: EncoderShape, *, layers: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(shape, dropout=dropout) for _ in range(layers))
        self.layer_norm = nn.LayerNorm(shape.width)
        self.head = nn.Linear(shape.width, classes)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return log-probabilities, float32 B x F x C, of x, B x F x D; the mask is bool B x F."""
        for layer in self.layers:
            x = layer(x, mask)
        return self.head(self.layer_norm(x)).float().log_softmax(dim=-1)


class WhisperCtc(CtcRecognizer):
    """A CTC recogniser on Whisper's encoder.

    `front` is frozen: log-mel, convolutions, positions and the first `frozen_layers` layers; `features` is its output,
    before any norm. `body` trains: its `state_dict` is all that a checkpoint needs.

    Attributes:
        architecture: Its name in a model folder.

    Args:
        shape: Of the encoder.
        frozen_layers: Layers of the front, in 0..shape.layers.
        symbols: Letters or phonemes.
        dropout: On the body's residual branches, in [0, 1).

    Raises:
        ArgumentError: `frozen_layers` or `dropout` lies outside its range.
    """

    architecture: ClassVar[str] = "whisper_ctc"

    def __init__(
        self,
        shape: EncoderShape,
        *,
        frozen_layers: int,
        symbols: tuple[str, ...] = LETTERS,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(Alphabet(symbols))
        if not 0 <= frozen_layers <= shape.layers:
            raise ArgumentError(f"frozen_layers must lie in 0..{shape.layers}; got {frozen_layers}")
        if not 0 <= dropout < 1:
            raise ArgumentError(f"dropout must lie in [0, 1); got {dropout:g}")
        self.frozen_layers = frozen_layers
        self.front = WhisperFront(shape, layers=frozen_layers)
        self.body = Body(shape, layers=shape.layers - frozen_layers, classes=len(self.alphabet), dropout=dropout)

    def features(self, waveform: Tensor, lengths: Tensor) -> Features:
        """Return the front's features, B x F x D, a frame every 20 ms, differentiable in the waveform."""
        return self.front(waveform, lengths)

    def from_features(self, features: Features) -> Tensor:
        """Return log-probabilities, float32 B x F x C."""
        return self.body(features.values, features.mask)

    def load_encoder(self, state: dict[str, Tensor], *, generator: torch.Generator) -> None:
        """Take an encoder's weights, transformers' names; the head gets small random ones from the generator."""
        front, body = split_state(state, frozen_layers=self.frozen_layers)
        head = torch.empty(self.body.head.weight.shape).normal_(0, 0.02, generator=generator)
        body |= {"head.weight": head, "head.bias": torch.zeros(len(self.alphabet))}
        self.front.load_state_dict(front)
        self.body.load_state_dict(body)
