"""Clips put into utterances: in the place of a word or between two, with a cross-fade at both joints."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.models.recognizer import frame_mask
from gauntlet.resampling import SAMPLE_RATE_HZ
from gauntlet.waveforms import Waveforms

_TINY = 1e-12


def splice(
    utterances: Waveforms, clips: Waveforms, *, begins: Tensor, ends: Tensor, fade_s: float = 0.015
) -> Waveforms:
    """Put a clip into each utterance, differentiably.

    A clip replaces the samples [begin, end), and then has their number; or it is inserted, where begin = end, and the
    utterance grows by its length. At each joint the clip rises from what stood there, or would have gone on there.

    Args:
        utterances: float32 B x T.
        clips: float32 B x K.
        begins: int64 [B], samples.
        ends: int64 [B], samples, at least begins.
        fade_s: Length of each cross-fade, 0.01 to 0.02 as a rule; at most half a clip is used. 0 joins hard.

    Returns:
        B x (T or T + K); an equal clip in place of its own samples changes no bit.

    Raises:
        ArgumentError: A clip of another length than what it replaces; a place outside its utterance.

    Source: TransAudio's splicing; its release fades the whole utterance left and right of the clip instead.
    """
    lengths = _checked(utterances, clips, begins=begins, ends=ends)
    grown = lengths - utterances.lengths
    time = torch.arange(int(lengths.max()), device=begins.device)[None]
    begin, size, shift = begins[:, None], clips.lengths[:, None], grown[:, None]
    inside = (time >= begin) & (time < begin + size)
    at_left = _taken(utterances, time.expand(len(lengths), -1))
    at_right = _taken(utterances, time - shift)
    # Left of the clip's middle the utterance goes on as before the joint, right of it as it comes to the next.
    under = torch.where(time - begin < (size + 1) // 2, at_left, at_right)
    clip = clips.waveform.gather(1, (time - begin).clamp(0, clips.waveform.shape[1] - 1))
    weight = _window(time - begin, size, fade=round(fade_s * SAMPLE_RATE_HZ)) * inside
    joined = under + weight.to(clip.dtype) * (clip - under)
    return Waveforms(joined * frame_mask(lengths, joined.shape[1]), lengths)


def _checked(utterances: Waveforms, clips: Waveforms, *, begins: Tensor, ends: Tensor) -> Tensor:
    """Return the lengths to come."""
    inserted = begins == ends
    bad = (begins < 0) | (ends < begins) | (ends > utterances.lengths) | (clips.lengths < 1)
    if bad.any():
        row = int(bad.nonzero()[0, 0])
        raise ArgumentError(
            f"a clip must lie in its utterance of {int(utterances.lengths[row])} samples and not be empty; got "
            f"[{int(begins[row])}, {int(ends[row])}) for clip {row}; seconds or frames for samples?"
        )
    if (bad := ~inserted & (ends - begins != clips.lengths)).any():
        row = int(bad.nonzero()[0, 0])
        raise ArgumentError(
            f"a clip must have the length of what it replaces; clip {row} has {int(clips.lengths[row])} samples for "
            f"{int(ends[row] - begins[row])}; not fitted?"
        )
    return utterances.lengths + clips.lengths * inserted


def _taken(utterances: Waveforms, places: Tensor) -> Tensor:
    """Read samples; zero outside the utterance."""
    values = utterances.waveform.gather(1, places.clamp(0, utterances.waveform.shape[1] - 1))
    return values * ((places >= 0) & (places < utterances.lengths[:, None]))


def _window(time: Tensor, size: Tensor, *, fade: int) -> Tensor:
    """Return the clip's share: raised cosines at both ends, 1 between."""
    ramp = torch.clamp(torch.as_tensor(fade, device=size.device), max=size // 2).clamp_min(1)
    edge = torch.minimum(time + 1, size - time).clamp_min(0) / (ramp + 1)
    share = 0.5 - 0.5 * torch.cos(math.pi * edge.clamp(0, 1))
    return share if fade else torch.ones_like(share)


def fitted(clip: Tensor, length: int) -> Tensor:
    """Play a clip faster or slower, so that it has `length` samples; its pitch moves with it.

    Args:
        clip: float32 [K].
        length: At least 1.
    """
    if len(clip) == length:
        return clip
    return functional.interpolate(clip[None, None], size=length, mode="linear", align_corners=False)[0, 0]


def trimmed(clip: Tensor, *, below_db: float = 35.0) -> Tensor:
    """Cut silence off both ends of a clip.

    Args:
        clip: float32 [K].
        below_db: Samples this far under the peak count as silence.

    Raises:
        ArgumentError: Nothing but silence.
    """
    loud = (clip.abs() > max(float(clip.abs().max()), _TINY) * 10 ** (-below_db / 20)).nonzero()[:, 0]
    if not len(loud):
        raise ArgumentError("the spoken word must sound; got silence; a word that the voice does not know?")
    return clip[int(loud[0]) : int(loud[-1]) + 1]


def high_passed(clip: Tensor, *, cutoff_hz: float) -> Tensor:
    """Take the low frequencies out of a clip, over a third of an octave, without a shift in time.

    Args:
        clip: float32 [K].
        cutoff_hz: Where it falls by half; 0 leaves the clip alone.

    Source: TransAudio's release filters by an elliptic filter of order 10 (1 dB, 80 dB), whose phase delays the clip.
    """
    if not cutoff_hz:
        return clip
    spectrum = torch.fft.rfft(clip)
    frequency_hz = torch.arange(len(spectrum), device=clip.device) * SAMPLE_RATE_HZ / len(clip)
    octaves = torch.log2(frequency_hz.clamp_min(_TINY) / cutoff_hz)
    return torch.fft.irfft(spectrum * (0.5 + 3 * octaves).clamp(0, 1), n=len(clip))


def levelled(clip: Tensor, like: Tensor) -> Tensor:
    """Scale a clip to the mean power of a waveform, with its peak in [-1, 1].

    Args:
        clip: float32 [K].
        like: float32 [T].
    """
    scaled = clip * (like.square().mean() / clip.square().mean().clamp_min(_TINY)).sqrt()
    return scaled / scaled.abs().max().clamp_min(1)
