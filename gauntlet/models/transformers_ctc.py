"""wav2vec 2.0, HuBERT and their kin of transformers as CTC recognisers: the convolutions are the frozen front."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from gauntlet.errors import ArgumentError
from gauntlet.models.alphabet import Alphabet
from gauntlet.models.ctc import CtcRecognizer
from gauntlet.models.recognizer import Features, frame_mask


class TransformersCtc(CtcRecognizer):
    """A `Recognizer` around a model of `transformers.AutoModelForCTC`.

    `features` is the output of its convolutions, before projection and norm, as in WAPAT; all after that trains.

    Args:
        model: With a convolutional `feature_extractor`, `feature_projection` and `encoder`.
        columns: Column of each symbol among the model's outputs; what is no column of them is left out.
        blank: Column of the blank.
        normalized: Whether it expects each waveform at mean 0 and variance 1, as its preprocessor_config.json says.

    Raises:
        ArgumentError: The model has no such parts, or a column lies outside its outputs.

    Source: WAPAT's released code (`feature_em`); the convolutions are cut loose as there (`feature_grad_mult: 0`).
    """

    def __init__(self, model: nn.Module, *, columns: Mapping[str, int], blank: int, normalized: bool) -> None:
        super().__init__(Alphabet(tuple(columns)))
        body = getattr(model, getattr(model, "base_model_prefix", ""), None)
        if not all(hasattr(body, part) for part in ("feature_extractor", "feature_projection", "encoder")):
            raise ArgumentError(
                f"the model must be built as wav2vec 2.0 is; got {type(model).__name__}; another family?"
            )
        order = [blank, *columns.values()]
        if not 0 <= min(order) <= max(order) < model.config.vocab_size:
            raise ArgumentError(
                f"columns must lie in 0..{model.config.vocab_size - 1}; got {max(order)}; another model's?"
            )
        self.model, self.normalized = model, normalized
        # With a group norm over time an utterance's features depend on its padding: each goes alone.
        self.alone = model.config.feat_extract_norm == "group"
        body.feature_extractor.requires_grad_(False)
        self.register_buffer("order", torch.tensor(order), persistent=False)

    def features(self, waveform: Tensor, lengths: Tensor) -> Features:
        """Return the convolutions' output, B x F x D, differentiable in the waveform."""
        body = getattr(self.model, self.model.base_model_prefix)
        frames = self.model._get_feat_extract_output_lengths(lengths).long()
        if self.normalized:
            waveform = _normalized(waveform, lengths)
        if self.alone:
            rows = zip(waveform, lengths.tolist(), strict=True)
            parts = [body.feature_extractor(row[None, :length])[0].T for row, length in rows]
            return Features(nn.utils.rnn.pad_sequence(parts, batch_first=True), frames)
        return Features(body.feature_extractor(waveform).transpose(1, 2), frames)

    def from_features(self, features: Features) -> Tensor:
        """Return log-probabilities, float32 B x F x C, over the blank and the symbols."""
        body = getattr(self.model, self.model.base_model_prefix)
        projected = body.feature_projection(features.values)
        hidden = projected[0] if isinstance(projected, tuple) else projected
        hidden = body.encoder(hidden, attention_mask=features.mask).last_hidden_state
        scores = self.model.lm_head(self.model.dropout(hidden))
        return scores[..., self.order].float().log_softmax(dim=-1)


def _normalized(waveform: Tensor, lengths: Tensor) -> Tensor:
    mask, count = frame_mask(lengths, waveform.shape[1]), lengths[:, None]
    centred = (waveform - (waveform * mask).sum(1, keepdim=True) / count) * mask
    return centred * (centred.square().sum(1, keepdim=True) / count + 1e-7).rsqrt()
