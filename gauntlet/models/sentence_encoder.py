"""A sentence classifier over a text encoder of which the lower layers are frozen, and worked out once a sentence."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from gauntlet.errors import ArgumentError

CHUNK = 64
"""Sentences that the frozen layers read at once."""


class Encoder(Protocol):
    """What is needed of an encoder; see `gauntlet.readers.encoders.read_encoder`."""

    model: nn.Module
    tokenizer: object


class States(NamedTuple):
    """Token states of sentences.

    Attributes:
        values: float32, [B, T, D]; what stands behind a sentence's end is of no matter.
        mask: bool, [B, T]: true at tokens; no row is empty.
    """

    values: Tensor
    mask: Tensor

    def rows(self, index: Tensor) -> "States":
        """Return some rows, cut to the longest of them."""
        mask = self.mask[index]
        longest = int(mask.sum(1).max())
        return States(self.values[index, :longest], mask[:, :longest])

    def chunks(self, size: int = CHUNK) -> "Iterable[States]":
        """Return the rows in order, `size` at a time."""
        return (self.rows(index) for index in torch.arange(len(self.mask)).split(size))


def _layers(model: nn.Module) -> nn.ModuleList:
    layers = getattr(getattr(model, "encoder", None), "layer", None)
    if not isinstance(layers, nn.ModuleList):
        raise ArgumentError(
            f"the encoder must keep its layers in encoder.layer, as BERT and RoBERTa do; got {type(model).__name__}"
        )
    return layers


def _through(layers: Iterable[nn.Module], states: States) -> States:
    values, mask = states.values, states.mask[:, None, None]
    for layer in layers:
        out = layer(values, mask)
        values = out[0] if isinstance(out, tuple) else out
    return States(values, states.mask)


def _padded(found: Sequence[Tensor]) -> States:
    lengths = torch.tensor([len(states) for states in found])
    return States(pad_sequence(found, batch_first=True), torch.arange(int(lengths.max())) < lengths[:, None])


class LowerLayers:
    """The embeddings and lower layers of an encoder, frozen; remembers every sentence it has read.

    Args:
        encoder: Left as it is.
        frozen_layers: From 0 (the embeddings alone) to all of its layers.
        max_tokens: Longer sentences are cut there.
    """

    def __init__(self, encoder: Encoder, *, frozen_layers: int, max_tokens: int = 128) -> None:
        layers = _layers(encoder.model)
        if not 0 <= frozen_layers <= len(layers):
            raise ArgumentError(f"frozen_layers must lie in 0 to {len(layers)}, the encoder's; got {frozen_layers}")
        self.encoder, self.frozen_layers, self.max_tokens = encoder, frozen_layers, max_tokens
        self.width = encoder.model.config.hidden_size
        self._memory: dict[str, Tensor] = {}

    def __call__(self, texts: Sequence[str]) -> States:
        """Read sentences: [B], any text; the empty one has its two special tokens."""
        fresh = sorted({*texts} - self._memory.keys(), key=lambda text: (len(text), text))
        for begin in range(0, len(fresh), CHUNK):
            self._read(fresh[begin : begin + CHUNK])
        return _padded([self._memory[text] for text in texts])

    def upper(self) -> "UpperLayers":
        """Return a copy of the layers above, to be trained."""
        return UpperLayers(self.encoder.model, frozen_layers=self.frozen_layers)

    @torch.no_grad()
    def _read(self, texts: list[str]) -> None:
        tokens = self.encoder.tokenizer(
            texts, padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt"
        )
        model, mask = self.encoder.model, tokens["attention_mask"].bool()
        states = model.embeddings(input_ids=tokens["input_ids"], token_type_ids=tokens.get("token_type_ids"))
        states = _through(_layers(model)[: self.frozen_layers], States(states, mask)).values
        for text, values, there in zip(texts, states, mask, strict=True):
            self._memory[text] = values[there].clone()


class UpperLayers(nn.Module):
    """The layers of an encoder above the frozen ones; none of them is the identity.

    Args:
        model: Of transformers; its layers are copied.
        frozen_layers: Layers left out at the bottom.
    """

    def __init__(self, model: nn.Module, *, frozen_layers: int) -> None:
        super().__init__()
        from copy import deepcopy

        self.layer = nn.ModuleList(deepcopy(layer) for layer in _layers(model)[frozen_layers:])

    def forward(self, states: States) -> States:
        """Return the states above."""
        return _through(self.layer, states)


class Raised:
    """Lower and upper layers in one; where patches share them, they remember every sentence.

    Args:
        lower: The frozen layers.
        upper: In evaluation mode.

    Attributes:
        remembers: False at first: what one model alone asks for is not worth its room.
    """

    def __init__(self, lower: LowerLayers, upper: nn.Module) -> None:
        self.lower, self.upper, self.remembers = lower, upper, False
        self._memory: dict[str, Tensor] = {}

    @torch.no_grad()
    def __call__(self, texts: Sequence[str]) -> States:
        """Read sentences, those of like length together: [B] texts."""
        memory = self._memory if self.remembers else {}
        fresh = sorted({*texts} - memory.keys(), key=lambda text: (len(text), text))
        for begin in range(0, len(fresh), CHUNK):
            part = fresh[begin : begin + CHUNK]
            states = self.upper(self.lower(part))
            for text, values, there in zip(part, states.values, states.mask, strict=True):
                memory[text] = values[there].clone()
        return _padded([memory[text] for text in texts])


def mean(states: States) -> Tensor:
    """Average the tokens of each sentence: [B, D]."""
    weights = states.mask.to(states.values.dtype)
    return (states.values * weights[..., None]).sum(1) / weights.sum(1, keepdim=True)


def first(states: States) -> Tensor:
    """Take the first token, BERT's [CLS]: [B, D]."""
    return states.values[:, 0]


POOLINGS = {"mean": mean, "first": first}


class Seen(NamedTuple):
    """What a classifier makes of sentences.

    Attributes:
        logits: [B, 2], from the state.
        state: [B, D], the sentence state that the classifier reads: h_c + G(h_s).
        plain: [B, D], h_c.
        perturbation: [B, D], G(h_s); zero without a generator.
    """

    logits: Tensor
    state: Tensor
    plain: Tensor
    perturbation: Tensor


class SentenceClassifier(nn.Module):
    """Upper layers, pooling, a perturbation of the sentence state, a linear classifier.

    Args:
        upper: Of the encoder.
        width: D, of its states.
        pooling: A key of POOLINGS: how the sentence state comes out of the tokens'.
        generator: Takes `States` and h_c [B, D], returns the perturbation [B, D]; None for none.

    Attributes:
        head: The classifier.

    Source: fairBERTs (arXiv 2407.08189): h_c + G(h_s). Which classifier reads it is not known; here a linear one.
    """

    def __init__(
        self, upper: nn.Module, *, width: int, pooling: str = "mean", generator: nn.Module | None = None
    ) -> None:
        super().__init__()
        if pooling not in POOLINGS:
            raise ArgumentError(f"pooling must be one of {', '.join(POOLINGS)}; got {pooling!r}")
        self.upper, self.pooling, self.generator = upper, pooling, generator
        self.head = nn.Linear(width, 2)

    def forward(self, states: States) -> Seen:
        """Classify sentences from their lower states."""
        return self.classify(self.upper(states))

    def classify(self, above: States) -> Seen:
        """Classify sentences from their upper states."""
        plain = POOLINGS[self.pooling](above)
        added = torch.zeros_like(plain) if self.generator is None else self.generator(above, plain)
        state = plain + added
        return Seen(self.head(state), state, plain, added)


class Predictions(NamedTuple):
    """What a classifier says of sentences.

    Attributes:
        probabilities: float32, [N]: of the positive label (toxic; of positive sentiment).
        states: float32, [N, D]: sentence states, for probes of leakage.
    """

    probabilities: Tensor
    states: Tensor


@torch.no_grad()
def predictions(model: nn.Module, states: States, *, above: bool = False) -> Predictions:
    """Classify sentences in evaluation mode, a chunk at a time; the model's mode is put back.

    Args:
        model: A SentenceClassifier.
        states: Of the lower layers; of the upper ones where `above` is true.
        above: The upper layers have been.
    """
    training = model.training
    model.eval()
    seen = [(model.classify if above else model)(part) for part in states.chunks()]
    model.train(training)
    logits = torch.cat([part.logits for part in seen])
    return Predictions(functional.softmax(logits, 1)[:, 1], torch.cat([part.state for part in seen]))
