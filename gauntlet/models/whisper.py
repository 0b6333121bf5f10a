"""Whisper, sequence to sequence: greedy transcription in batches, and a loss that reaches the waveform."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.models.whisper_decoder import Cache, DecoderShape, WhisperDecoder
from gauntlet.models.whisper_encoder import EncoderShape, Heard, WhisperFront
from gauntlet.resampling import SAMPLE_RATE_HZ
from gauntlet.transcripts import normalize

NEAR, STRIDE = 25, 8
TOKENS_A_SECOND = 12
"""More than fast speech has; a decoder that runs in circles is stopped there."""


class Tokenizer(Protocol):
    """What is needed of a tokenizer: text to token numbers and back, without special tokens."""

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text."""
        ...

    def decode(self, tokens: list[int]) -> str:
        """Return the text of tokens."""
        ...


@dataclass(frozen=True)
class Rules:
    """What a Whisper begins with, ends with and never says.

    Attributes:
        prefix: Tokens before the text: start, language and task where there are several, no time stamps.
        end: Token after the text; those above it are special and never text.
        never: Tokens that are never chosen.
        never_first: Tokens that are not chosen as the first one.
    """

    prefix: tuple[int, ...] = (50257, 50362)
    end: int = 50256
    never: tuple[int, ...] = ()
    never_first: tuple[int, ...] = (220, 50256)


class Whisper(nn.Module):
    """A `Transcriber`: frozen weights, evaluation mode.

    Whisper was made for utterances padded to 30 s, and without the silence it says them again and again. Here most of
    the silence is thinned out, see `WhisperFront.listen`; the other utterances of a batch change nothing.

    Args:
        encoder: Its sizes.
        decoder: Its sizes.
        rules: Of its tokens.
        tokenizer: Of its vocabulary.
        near: Frames of 20 ms of silence after an utterance that are kept.
        stride: Of the rest every so many-th is kept; 1 keeps all.
    """

    def __init__(
        self,
        encoder: EncoderShape,
        decoder: DecoderShape,
        *,
        rules: Rules,
        tokenizer: Tokenizer,
        near: int = NEAR,
        stride: int = STRIDE,
    ) -> None:
        super().__init__()
        if near < 0 or stride < 1:
            raise ArgumentError(f"near must be at least 0 and stride at least 1; got {near}, {stride}")
        self.front = WhisperFront(encoder, layers=encoder.layers)
        self.layer_norm = nn.LayerNorm(encoder.width)
        self.decoder = WhisperDecoder(decoder)
        self.rules, self.tokenizer, self.near, self.stride = rules, tokenizer, near, stride
        self.positions = decoder.positions
        banned = torch.zeros(decoder.tokens, dtype=torch.bool)
        banned[list(rules.never)] = True
        banned[rules.end + 1 :] = True
        first = banned.clone()
        first[list(rules.never_first)] = True
        self.register_buffer("banned", banned, persistent=False)
        self.register_buffer("banned_first", first, persistent=False)
        self.requires_grad_(False).eval()

    def heard(self, waveform: Tensor, lengths: Tensor) -> Heard:
        """Return the encoder's output, B x F x D, differentiable in the waveform."""
        values, bias = self.front.listen(waveform, lengths, near=self.near, stride=self.stride)
        return Heard(self.layer_norm(values), bias)

    def waveform_loss(self, waveform: Tensor, lengths: Tensor, texts: Sequence[str]) -> Tensor:
        """Measure how improbable each text is, told the right tokens so far.

        Args:
            waveform: float32, B x T in [-1, 1], 16,000 Hz.
            lengths: int64, [B], samples.
            texts: B texts; written as a sentence, the way Whisper writes.

        Returns:
            float32, [B]: cross-entropy a token, the end among them, nats; differentiable in the waveform.

        Raises:
            ArgumentError: A text is empty or longer than the decoder's table.
        """
        rows = [self.encode(text) for text in texts]
        targets = nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=-100)
        targets = targets.to(waveform.device)
        prefix = torch.tensor(self.rules.prefix, device=waveform.device).expand(len(rows), -1)
        given = torch.cat([prefix, targets[:, :-1].clamp_min(0)], dim=1)
        scores = self.decoder(given, self.heard(waveform, lengths))[:, len(self.rules.prefix) - 1 :]
        losses = functional.cross_entropy(scores.transpose(1, 2), targets, reduction="none")
        return losses.sum(dim=1) / (targets >= 0).sum(dim=1)

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text written as a sentence, and the end token."""
        if not text.strip():
            raise ArgumentError("texts must hold at least one letter; got an empty one; a silent clip?")
        row = [*self.tokenizer.encode(f" {text[0].upper()}{text[1:]}."), self.rules.end]
        if len(row) + len(self.rules.prefix) > self.positions:
            raise ArgumentError(f"texts must have at most {self.positions} tokens; got {len(row)}; a whole page?")
        return row

    def transcribe(self, waveform: Tensor, lengths: Tensor) -> list[str]:
        """Return what is said in each utterance, normalised."""
        return [normalize(text) for text in self.transcripts(waveform, lengths)]

    @torch.no_grad()
    def transcripts(self, waveform: Tensor, lengths: Tensor) -> list[str]:
        """Return what is said as Whisper writes it, with capitals and points: the likeliest token each time."""
        limits = (
            (lengths * TOKENS_A_SECOND // SAMPLE_RATE_HZ + 8)
            .clamp(max=self.positions - len(self.rules.prefix))
            .tolist()
        )
        rows: list[list[int]] = [[] for _ in limits]
        heard, cache = self.heard(waveform, lengths), Cache()
        tokens = torch.tensor(self.rules.prefix, device=waveform.device).expand(len(rows), -1)
        alive = list(range(len(rows)))
        while alive:
            scores = self.decoder(tokens, heard, cache=cache)[:, -1]
            first = cache.tokens == len(self.rules.prefix)
            best = scores.masked_fill(self.banned_first if first else self.banned, -torch.inf).argmax(dim=1)
            going = []
            for place, (row, token) in enumerate(zip(alive, best.tolist(), strict=True)):
                if token != self.rules.end:
                    rows[row].append(token)
                    if len(rows[row]) < limits[row]:
                        going.append(place)
            if len(going) < len(alive):
                kept = torch.tensor(going, dtype=torch.long, device=waveform.device)
                best, heard = best[kept], Heard(heard.values[kept], heard.bias[kept])
                cache.take(kept)
            alive, tokens = [alive[place] for place in going], best[:, None]
        return [self.tokenizer.decode(row) for row in rows]
