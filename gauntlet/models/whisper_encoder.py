"""Whisper's encoder on utterances of any length: attention masked for padding, position table cut to the batch.

Weights have the names that transformers gives them, so that `load_state_dict` takes either's.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.models.log_mel import log_mel
from gauntlet.models.recognizer import Features


@dataclass(frozen=True)
class EncoderShape:
    """Sizes of an encoder; the defaults are Whisper tiny's.

    Attributes:
        width: Features D a frame, a multiple of `heads`.
        heads: Of attention.
        hidden: Width between the two linear maps of a layer.
        layers: Transformer layers.
        mels: Bands of the log-mel spectrogram.
        positions: Frames of 20 ms at most.
    """

    width: int = 384
    heads: int = 6
    hidden: int = 1536
    layers: int = 4
    mels: int = 80
    positions: int = 1500


class Heard(NamedTuple):
    """What a decoder attends to.

    Attributes:
        values: float, B x F x D.
        bias: float, B x F, added to the attention on each frame: the log of how many it stands for, -inf for none.
    """

    values: Tensor
    bias: Tensor


class Attention(nn.Module):
    """Self-attention over an utterance's own frames."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.q_proj = nn.Linear(shape.width, shape.width)
        self.k_proj = nn.Linear(shape.width, shape.width, bias=False)
        self.v_proj = nn.Linear(shape.width, shape.width)
        self.out_proj = nn.Linear(shape.width, shape.width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Mix the frames of x, B x F x D; the mask, B x F, is bool, true where a frame counts, or added."""
        q, k, v = (
            linear(x).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for linear in (self.q_proj, self.k_proj, self.v_proj)
        )
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None])
        return self.out_proj(mixed.transpose(1, 2).flatten(2))


class EncoderLayer(nn.Module):
    """A pre-norm Transformer layer; dropout on both residual branches, none in Whisper itself."""

    def __init__(self, shape: EncoderShape, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.self_attn_layer_norm = nn.LayerNorm(shape.width)
        self.self_attn = Attention(shape)
        self.final_layer_norm = nn.LayerNorm(shape.width)
        self.fc1 = nn.Linear(shape.width, shape.hidden)
        self.fc2 = nn.Linear(shape.hidden, shape.width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return B x F x D for x of the same shape and a mask B x F, bool or added."""
        x = x + self.dropout(self.self_attn(self.self_attn_layer_norm(x), mask))
        return x + self.dropout(self.fc2(functional.gelu(self.fc1(self.final_layer_norm(x)))))


class WhisperFront(nn.Module):
    """Log-mel, two convolutions, positions and the first layers: what never trains.

    Args:
        shape: Of the whole encoder.
        layers: Transformer layers that belong to the front, in 0..shape.layers.
    """

    def __init__(self, shape: EncoderShape, *, layers: int) -> None:
        super().__init__()
        self.shape = shape
        self.conv1 = nn.Conv1d(shape.mels, shape.width, 3, padding=1)
        self.conv2 = nn.Conv1d(shape.width, shape.width, 3, stride=2, padding=1)
        self.embed_positions = nn.Embedding(shape.positions, shape.width)
        self.layers = nn.ModuleList(EncoderLayer(shape) for _ in range(layers))
        self.requires_grad_(False)

    def forward(self, waveform: Tensor, lengths: Tensor) -> Features:
        """Compute the features of each utterance alone, with nothing after its end.

        Args:
            waveform: float32, B x T in [-1, 1], 16,000 Hz.
            lengths: int64, [B], samples.

        Returns:
            B x F x D, a frame every 20 ms, differentiable in the waveform.

        Raises:
            ArgumentError: The batch is longer than the position table, 30 s.
        """
        x, frames = self._convolved(waveform, lengths, extra=0)
        features = Features(x + self.embed_positions.weight[: x.shape[1]], frames)
        for layer in self.layers:
            features = features.of(layer(features.values, features.mask))
        return features

    def listen(self, waveform: Tensor, lengths: Tensor, *, near: int, stride: int) -> Heard:
        """Compute the features of each utterance padded with silence to 30 s, as Whisper was trained.

        Frames of silence differ by their position alone: of those far from the utterance every `stride`-th one stands
        for all and counts as often in attention.

        Args:
            waveform: float32, B x T in [-1, 1], 16,000 Hz.
            lengths: int64, [B], samples.
            near: Frames of silence after an utterance that all count for themselves.
            stride: Of the frames after those, at least 1; 1 is exact, but for zeros that Whisper has after 30 s.

        Returns:
            Features and how much each counts, differentiable in the waveform.

        Raises:
            ArgumentError: The batch is longer than the position table, 30 s.
        """
        x, frames = self._convolved(waveform, lengths, extra=near + 1)
        last, whole = self.shape.positions - 1, min(x.shape[1], self.shape.positions)
        place = torch.arange(whole - (whole - last - 1) // stride, device=x.device)
        dense = (frames + near).clamp(max=whole)[:, None]
        place = torch.where(place < dense, place, dense + (place - dense) * stride + stride // 2)
        bias = torch.where(place < dense, 0.0, math.log(stride)).masked_fill(place > last, -torch.inf)
        rows = torch.arange(len(x), device=x.device)[:, None]
        values = x[rows, place.clamp(max=x.shape[1] - 1)] + self.embed_positions.weight[place.clamp(max=last)]
        for layer in self.layers:
            values = layer(values, bias)
        return Heard(values, bias)

    def _convolved(self, waveform: Tensor, lengths: Tensor, *, extra: int) -> tuple[Tensor, Tensor]:
        """Return what the convolutions make of the batch and `extra` frames of silence, B x F x D, and its frames."""
        if waveform.ndim != 2 or waveform.dtype != torch.float32:
            got = f"{waveform.dtype} {tuple(waveform.shape)}"
            raise ArgumentError(f"waveform must be float32, B x T (one utterance: x[None]); got {got}")
        size = -(-waveform.shape[1] // 320)
        if not 1 <= size <= self.shape.positions:
            most = self.shape.positions / 50
            raise ArgumentError(f"a batch must last over 0 and at most {most:g} s; got {size / 50:g} s; not cut up?")
        size += extra
        # One mel frame more than the last output sees, so that the convolutions never see where the batch ends.
        mel = log_mel(waveform, lengths, size=2 * size + 1, mels=self.shape.mels)
        x = functional.gelu(self.conv2(functional.gelu(self.conv1(mel.values)))).transpose(1, 2)[:, :size]
        return x, (mel.frames + 1) // 2


def split_state(state: dict[str, Tensor], *, frozen_layers: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Part an encoder's weights, transformers' names, into those of the front and those of the body behind it."""
    front, body = {}, {}
    for name, tensor in state.items():
        parts = name.split(".")
        if parts[0] == "layers" and int(parts[1]) >= frozen_layers:
            body[".".join(["layers", str(int(parts[1]) - frozen_layers), *parts[2:]])] = tensor
        else:
            (body if parts[0] == "layer_norm" else front)[name] = tensor
    return front, body
