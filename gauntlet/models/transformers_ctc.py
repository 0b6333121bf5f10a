"""wav2vec 2.0, HuBERT, WavLM of transformers as CTC recognisers: the convolutions are the frozen front."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from gauntlet.errors import ArgumentError
from gauntlet.models.alphabet import Alphabet
from gauntlet.models.ctc import CtcRecognizer
from gauntlet.models.recognizer import Features, frame_mask

PARTS = ("feature_extractor", "feature_projection", "encoder")
PASSING = ("transformers_version", "architectures", "dtype", "_name_or_path")
"""Entries of a configuration that no model is built from."""


class Convolutions(nn.Module):
    """The front: it never trains, and `train()` leaves it in evaluation mode.

    Args:
        extractor: The model's convolutions.
        config: Of the model.
        normalized: Whether it expects each waveform at mean 0 and variance 1.
    """

    def __init__(self, extractor: nn.Module, config: object, *, normalized: bool) -> None:
        super().__init__()
        self.extractor, self.normalized = extractor.requires_grad_(False), normalized
        self.kernels, self.strides = tuple(config.conv_kernel), tuple(config.conv_stride)
        # With a group norm over time an utterance's features depend on its padding: each goes alone.
        self.alone = config.feat_extract_norm == "group"
        self.settings = (
            normalized,
            self.kernels,
            self.strides,
            config.feat_extract_norm,
            config.feat_extract_activation,
        )
        self.train(False)

    def train(self, mode: bool = True) -> "Convolutions":
        """Stay in evaluation mode: transformers' convolutions want gradients of what they hear in training."""
        return super().train(False)

    def forward(self, waveform: Tensor, lengths: Tensor) -> Features:
        """Return the features, B x F x D, of waveforms B x T of `lengths` samples."""
        frames = lengths
        for kernel, stride in zip(self.kernels, self.strides, strict=True):
            frames = (frames - kernel) // stride + 1
        if self.normalized:
            waveform = _normalized(waveform, lengths)
        if self.alone:
            rows = zip(waveform, lengths.tolist(), strict=True)
            parts = [self.extractor(row[None, :length])[0].T for row, length in rows]
            return Features(nn.utils.rnn.pad_sequence(parts, batch_first=True), frames)
        return Features(self.extractor(waveform).transpose(1, 2), frames)


class Body(nn.Module):
    """All that trains: projection, Transformer, head.

    Args:
        base: The model without its head.
        dropout: Before the head.
        head: Over the blank and the symbols.
    """

    def __init__(self, base: nn.Module, *, dropout: nn.Module, head: nn.Linear) -> None:
        super().__init__()
        self.projection, self.encoder, self.dropout, self.head = base.feature_projection, base.encoder, dropout, head

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return log-probabilities, float32 B x F x C, of x, B x F x D; the mask is bool B x F."""
        projected = self.projection(x)
        hidden = projected[0] if isinstance(projected, tuple) else projected
        hidden = self.encoder(hidden, attention_mask=mask).last_hidden_state
        return self.head(self.dropout(hidden)).float().log_softmax(dim=-1)


class TransformersCtc(CtcRecognizer):
    """A `Recognizer` of the parts of a model of `transformers.AutoModelForCTC`.

    `front`, its convolutions, is frozen: `features` is its output, before projection and norm, as in WAPAT. `body`
    trains: its `state_dict` is all that a checkpoint needs beside the front's. Its dropouts are the model's own.

    Attributes:
        architecture: Its name in a model folder.
        settings: All but symbols and weights that it is built from, for a model folder.

    Args:
        model: With a convolutional `feature_extractor`, `feature_projection`, `encoder` and `lm_head`; its parts are
            taken over.
        columns: Column of each symbol among the model's outputs; what is no column of them is left out.
        blank: Column of the blank.
        normalized: Whether it expects each waveform at mean 0 and variance 1, as its preprocessor_config.json says.

    Raises:
        ArgumentError: The model has no such parts, or a column lies outside its outputs.

    Source: WAPAT's released code (`feature_em`); the convolutions are cut loose as there (`feature_grad_mult: 0`).
    """

    architecture: ClassVar[str] = "transformers_ctc"

    def __init__(self, model: nn.Module, *, columns: Mapping[str, int], blank: int, normalized: bool) -> None:
        super().__init__(Alphabet(tuple(columns)))
        base = getattr(model, getattr(model, "base_model_prefix", ""), None)
        if not all(hasattr(base, part) for part in PARTS) or getattr(model.config, "add_adapter", False):
            raise ArgumentError(
                f"the model must be built as wav2vec 2.0 is; got {type(model).__name__}; another family, an adapter?"
            )
        order, outputs = [blank, *columns.values()], model.lm_head.out_features
        if not 0 <= min(order) <= max(order) < outputs:
            raise ArgumentError(f"columns must lie in 0..{outputs - 1}; got {max(order)}; another model's?")
        head = nn.utils.skip_init(nn.Linear, model.lm_head.in_features, len(order))
        head.load_state_dict({name: tensor[order] for name, tensor in model.lm_head.state_dict().items()})
        self.settings = {"config": _plain(model.config, outputs=len(order)), "normalized": normalized}
        self.front = Convolutions(base.feature_extractor, model.config, normalized=normalized)
        self.body = Body(base, dropout=model.dropout, head=head)

    def features(self, waveform: Tensor, lengths: Tensor) -> Features:
        """Return the convolutions' output, B x F x D, differentiable in the waveform."""
        return self.front(waveform, lengths)

    def from_features(self, features: Features) -> Tensor:
        """Return log-probabilities, float32 B x F x C, over the blank and the symbols."""
        return self.body(features.values, features.mask)

    def renew_head(self, generator: torch.Generator) -> None:
        """Give the head small random weights from the generator, on the CPU."""
        weight = self.body.head.weight
        with torch.no_grad():
            weight.copy_(torch.empty(weight.shape).normal_(0, 0.02, generator=generator))
            self.body.head.bias.zero_()


def _plain(config: object, *, outputs: int) -> dict[str, object]:
    """Return what transformers builds the same model from, with a head of so many outputs, the blank first."""
    known = {name: value for name, value in config.to_diff_dict().items() if name not in PASSING}
    return known | {"vocab_size": outputs, "pad_token_id": 0}


def _normalized(waveform: Tensor, lengths: Tensor) -> Tensor:
    mask, count = frame_mask(lengths, waveform.shape[1]), lengths[:, None]
    centred = (waveform - (waveform * mask).sum(1, keepdim=True) / count) * mask
    return centred * (centred.square().sum(1, keepdim=True) / count + 1e-7).rsqrt()
