"""Ways to train a recogniser with a frozen front: plain, three augmentations, waveform AT, PAT and WAPAT."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from gauntlet.attacks.features import feature_scale, waveform_pgd
from gauntlet.errors import ArgumentError
from gauntlet.models.recognizer import Features, Recognizer
from gauntlet.shifts.waveform_augmentation import augment
from gauntlet.training.wapat.adversary import PRECISIONS, Release, lowered, perturb, still


class Batch(NamedTuple):
    """One minibatch, on the device.

    Attributes:
        waveform: float32, B x T in [-1, 1], zero-padded.
        lengths: int64, [B]: samples.
        texts: B, normalised; each fits its frames.
        features: What the front makes of the waveform, where that is remembered.
    """

    waveform: Tensor
    lengths: Tensor
    texts: Sequence[str]
    features: Features | None = None


@dataclass(frozen=True)
class Setting:
    """What stays fixed for a run.

    Attributes:
        eps: Radius of the features' adversary, in standard deviations of the utterance's features: the paper's 0.01
            belongs to one front end's scale.
        alpha: Step, in the same unit; None takes eps (the paper).
        steps: Sign steps.
        random_start: As Algorithm 1 has it.
        waveform_eps: Radius of the waveform's adversary, on [-1, 1].
        waveform_alpha: Its step; None takes waveform_eps.
        waveform_steps: Its sign steps.
        clean_share: Weight of the unchanged utterances' loss, in [0, 1]; the paper trains on the adversary alone (0),
            its code mixes half and half.
        masked_frames: SpecAugment: spans of frames that are hidden.
        masked_frames_share: Longest such span, as a share of the utterance, in [0, 1].
        masked_channels: SpecAugment: spans of channels that are hidden.
        masked_channels_share: Longest such span, as a share of the channels, in [0, 1].
        precision: Of the passes that train: "float32", or "bfloat16" through autocast.
        adversary_precision: Of the passes that make an adversary, the front's over the augmented twin among them.
        release: The authors' code's differences.
    """

    eps: float = 0.1
    alpha: float | None = None
    steps: int = 1
    random_start: bool = True
    waveform_eps: float = 0.001
    waveform_alpha: float | None = None
    waveform_steps: int = 1
    clean_share: float = 0.0
    masked_frames: int = 2
    masked_frames_share: float = 0.1
    masked_channels: int = 2
    masked_channels_share: float = 0.1
    precision: str = "float32"
    adversary_precision: str = "float32"
    release: Release = field(default_factory=Release)

    def __post_init__(self) -> None:
        for name in ("eps", "alpha", "waveform_eps", "waveform_alpha", "masked_frames", "masked_channels"):
            if (value := getattr(self, name)) is not None and not value >= 0:
                raise ArgumentError(f"{name} must be at least 0; got {value:g}")
        for name in ("clean_share", "masked_frames_share", "masked_channels_share"):
            if not 0 <= (value := getattr(self, name)) <= 1:
                raise ArgumentError(f"{name} must lie in [0, 1]; got {value:g}; a percentage?")
        for name in ("steps", "waveform_steps"):
            if (value := getattr(self, name)) < 1:
                raise ArgumentError(f"{name} must be at least 1; got {value}; eps 0 turns the adversary off")
        for name in ("precision", "adversary_precision"):
            if (value := getattr(self, name)) not in PRECISIONS:
                raise ArgumentError(f"{name} must be one of {', '.join(PRECISIONS)}; got {value!r}")


class Loss(NamedTuple):
    """What a method makes of a minibatch.

    Attributes:
        value: Scalar with its graph: mean over utterances of the loss a symbol.
        changed: Mean loss of the utterances as the method changed them, without graph; plain training changes nothing.
        passes: Forward and backward passes of the body, in pairs; a forward pass alone counts half.
        unguided: Utterances without guidance, because their twin has another number of frames.
    """

    value: Tensor
    changed: Tensor
    passes: float
    unguided: int = 0


@torch.no_grad()
def front(recognizer: Recognizer, batch: Batch, precision: str) -> Features:
    """Return the front's features of a batch, float32, out of memory where the batch has them."""
    if batch.features is not None:
        return batch.features
    with lowered(precision, batch.waveform.device):
        features = recognizer.features(batch.waveform, batch.lengths)
    return features.of(features.values.float())


def plain(recognizer: Recognizer, batch: Batch, setting: Setting, *, generator: torch.Generator) -> Loss:
    """Train on the utterances as they are."""
    features = front(recognizer, batch, setting.precision)
    loss = _mean_loss(recognizer, features, batch.texts, precision=setting.precision)
    return Loss(loss, loss.detach(), passes=1)


def specaugment(recognizer: Recognizer, batch: Batch, setting: Setting, *, generator: torch.Generator) -> Loss:
    """Train on features of which spans of frames and channels are hidden."""
    features = front(recognizer, batch, setting.precision)
    return _mixed(recognizer, features, hide(features, setting, generator), texts=batch.texts, setting=setting)


def wavaugment(recognizer: Recognizer, batch: Batch, setting: Setting, *, generator: torch.Generator) -> Loss:
    """Train on randomly augmented waveforms, one operation a batch."""
    changed = front(recognizer, _augmented(batch, generator), setting.precision)
    clean = front(recognizer, batch, setting.precision) if setting.clean_share else changed
    return _mixed(recognizer, clean, changed, texts=batch.texts, setting=setting)


def waveform_at(recognizer: Recognizer, batch: Batch, setting: Setting, *, generator: torch.Generator) -> Loss:
    """Train on adversaries of the waveform (equation 1; "AdvEx" in the paper's table)."""
    eps = setting.waveform_eps
    with still(recognizer), lowered(setting.adversary_precision, batch.waveform.device):
        delta = waveform_pgd(
            recognizer,
            batch.waveform,
            batch.lengths,
            texts=batch.texts,
            eps=eps,
            alpha=eps if setting.waveform_alpha is None else setting.waveform_alpha,
            steps=setting.waveform_steps,
            random_start=setting.random_start,
            generator=generator,
        )
    changed = front(recognizer, batch._replace(waveform=batch.waveform + delta, features=None), setting.precision)
    clean = front(recognizer, batch, setting.precision) if setting.clean_share else changed
    mixed = _mixed(recognizer, clean, changed, texts=batch.texts, setting=setting)
    return mixed._replace(passes=mixed.passes + setting.waveform_steps)


def pat(recognizer: Recognizer, batch: Batch, setting: Setting, *, generator: torch.Generator) -> Loss:
    """Train on adversaries of the features (equation 2)."""
    return _phoneme_at(recognizer, batch, setting, twin=None, generator=generator)


def wapat(recognizer: Recognizer, batch: Batch, setting: Setting, *, generator: torch.Generator) -> Loss:
    """Train on adversaries of the features that agree with those of augmented waveforms (equations 2 and 3)."""
    twin = front(recognizer, _augmented(batch, generator), setting.adversary_precision)
    return _phoneme_at(recognizer, batch, setting, twin=twin, generator=generator)


METHODS: dict[str, Callable[..., Loss]] = {
    f.__name__: f for f in (plain, specaugment, wavaugment, waveform_at, pat, wapat)
}


def _phoneme_at(
    recognizer: Recognizer, batch: Batch, setting: Setting, *, twin: Features | None, generator: torch.Generator
) -> Loss:
    features = front(recognizer, batch, setting.precision)
    scale = feature_scale(features)
    delta, unguided = perturb(
        recognizer,
        features,
        batch.texts,
        eps=setting.eps * scale,
        alpha=(setting.eps if setting.alpha is None else setting.alpha) * scale,
        steps=setting.steps,
        random_start=setting.random_start,
        guidance=twin,
        generator=generator,
        release=setting.release,
        precision=setting.adversary_precision,
    )
    changed = features.of(features.values + delta)
    mixed = _mixed(recognizer, features, changed, texts=batch.texts, setting=setting)
    # Guidance takes a pair for the twin's gradient and half a one for its answer, then a pair a step.
    guided = 0 if twin is None else 1.5 + setting.steps
    return mixed._replace(passes=mixed.passes + setting.steps + guided, unguided=unguided)


def _mixed(
    recognizer: Recognizer, clean: Features, changed: Features, *, texts: Sequence[str], setting: Setting
) -> Loss:
    """Weigh the loss of the changed utterances against that of the clean ones."""
    share, precision = setting.clean_share, setting.precision
    loss = _mean_loss(recognizer, changed, texts, precision=precision)
    if not share:
        return Loss(loss, loss.detach(), passes=1)
    value = (1 - share) * loss + share * _mean_loss(recognizer, clean, texts, precision=precision)
    return Loss(value, loss.detach(), passes=2)


def _mean_loss(recognizer: Recognizer, features: Features, texts: Sequence[str], *, precision: str) -> Tensor:
    with lowered(precision, features.values.device):
        log_probs = recognizer.from_features(features)
    return recognizer.loss(log_probs, features.frames, texts).mean()


def _augmented(batch: Batch, generator: torch.Generator) -> Batch:
    waveform, lengths = augment(batch.waveform, batch.lengths, generator=generator)
    return batch._replace(waveform=waveform, lengths=lengths, features=None)


def hide(features: Features, setting: Setting, generator: torch.Generator) -> Features:
    """Replace spans of frames and of channels by the utterance's mean of each channel.

    Args:
        features: B x F x D.
        setting: Number of spans and their longest share.
        generator: On the CPU; draws length and place of each utterance's spans.

    Source: Park et al., Interspeech 2019, on the front's features, where fairseq's recipes mask them.
    """
    mask, values = features.mask, features.values
    mean = values.masked_fill(~mask[..., None], 0).sum(1, keepdim=True) / features.frames[:, None, None]
    channels = torch.full_like(features.frames, values.shape[2])
    frames = _spans(features.frames, setting.masked_frames, share=setting.masked_frames_share, generator=generator)
    across = _spans(channels, setting.masked_channels, share=setting.masked_channels_share, generator=generator)
    hidden = _within(frames, values.shape[1])[..., None] | _within(across, values.shape[2])[:, None]
    return features.of(torch.where(hidden, mean, values))


def _spans(sizes: Tensor, count: int, *, share: float, generator: torch.Generator) -> Tensor:
    """Draw begins and ends, 2 x B x count, of spans of up to `share` of each size."""
    length, place = torch.rand(2, len(sizes), count, generator=generator).to(sizes.device)
    length = (length * (share * sizes[:, None] + 1)).floor().clamp(max=sizes[:, None])
    begin = (place * (sizes[:, None] - length + 1)).floor()
    return torch.stack([begin, begin + length])


def _within(spans: Tensor, size: int) -> Tensor:
    """Return bool B x size, true inside any of an utterance's spans."""
    place = torch.arange(size, device=spans.device)
    return ((place >= spans[0, ..., None]) & (place < spans[1, ..., None])).any(1)
