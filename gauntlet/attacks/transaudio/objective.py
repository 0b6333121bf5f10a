"""What each stage lowers: the losses of its surrogates on the target, and their gradients in the waveform."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gauntlet.attacks.transaudio.score_matching import residual
from gauntlet.attacks.transaudio.setting import Setting
from gauntlet.models.recognizer import Features, Recognizer, Transcriber
from gauntlet.waveforms import Waveforms

BLANK = 0


class Slope(NamedTuple):
    """Losses [B] and their gradients, B x T."""

    loss: Tensor
    gradient: Tensor


def ensemble_loss(surrogates: Sequence[Transcriber], utterances: Waveforms, *, texts: Sequence[str]) -> Tensor:
    """Return [B]: the sum of the surrogates' losses on the target texts.

    Args:
        surrogates: CTC or sequence to sequence.
        utterances: float32 B x T.
        texts: Normalised.

    CTC recognisers that hold one and the same frozen `front` hear through it once.

    Source: TransAudio, stage 2: the sum over k of L_k(x', y*); each L_k is a mean over symbols here.
    """
    heard: dict[int, Features] = {}
    losses = []
    for each in surrogates:
        front = getattr(each, "front", None)
        if front is None or not isinstance(each, Recognizer):
            losses.append(each.waveform_loss(*utterances, texts))
            continue
        if id(front) not in heard:
            heard[id(front)] = each.features(*utterances)
        features = heard[id(front)]
        losses.append(each.loss(each.from_features(features), features.frames, texts))
    return torch.stack(losses).sum(0)


def _fast(setting: Setting, x: Tensor) -> torch.autocast:
    return torch.autocast(x.device.type, torch.bfloat16, enabled=setting.precision == "bfloat16")


def clip_loss(surrogate: Recognizer, clips: Waveforms, *, words: Sequence[str]) -> Tensor:
    """Return [B]: the loss of each word on its clip; of silence, where the word is empty.

    Args:
        surrogate: A CTC recogniser.
        clips: float32 B x K.
        words: Normalised; "" for what should not be heard at all.

    Source: TransAudio, stage 1; its release has two full stops for a deleted word's target. With CTC the word that is
    not there is the blank on every frame.
    """
    features = surrogate.features(*clips)
    log_probs = surrogate.from_features(features)
    silent = -(log_probs[..., BLANK] * features.mask).sum(1) / features.frames
    spoken = [place for place, word in enumerate(words) if word]
    if not spoken:
        return silent
    rows = torch.tensor(spoken, device=silent.device)
    losses = surrogate.loss(log_probs[rows], features.frames[rows], [words[place] for place in spoken])
    return silent.index_copy(0, rows, losses)


def clip_slope(surrogate: Recognizer, clips: Waveforms, *, words: Sequence[str], setting: Setting) -> Slope:
    """Return `clip_loss` and its gradient, in the setting's precision."""
    with torch.enable_grad():
        x = clips.waveform.detach().requires_grad_(True)
        with _fast(setting, x):
            loss = clip_loss(surrogate, Waveforms(x, clips.lengths), words=words)
        return Slope(loss.detach(), torch.autograd.grad(loss.sum(), x)[0])


def slope(
    surrogates: Sequence[Transcriber], utterances: Waveforms, *, texts: Sequence[str], setting: Setting, noise: Tensor
) -> Slope:
    """Return what stage 2 lowers, and its gradient.

    Args:
        surrogates: All that are attacked together.
        utterances: float32 B x T.
        texts: Targets, normalised.
        setting: Says how precisely, and whether the residual of score matching (always in float32) is in it.
        noise: float32 B x T, standard normal; unused without score matching.
    """
    with torch.enable_grad():
        x = utterances.waveform.detach().requires_grad_(True)
        with _fast(setting, x):
            loss = ensemble_loss(surrogates, Waveforms(x, utterances.lengths), texts=texts)
        gradient = torch.autograd.grad(loss.sum(), x)[0]
    found = Slope(loss.detach(), gradient)
    if setting.score_match != "objective":
        return found
    for each in surrogates:
        value, own = residual(each, utterances, texts=texts, noise=noise, sigma=setting.sigma)
        found = Slope(found.loss + setting.lam * value, found.gradient + setting.lam * own)
    return found
