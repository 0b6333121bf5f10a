"""Pitch, tempo and speed: a phase-locked vocoder and band-limited resampling."""

import torch
from torch import Tensor

from gauntlet.shifts.waveform_arguments import Shifted, check_waveform, per_utterance, settled
from gauntlet.shifts.waveform_spectrum import resampled

FRAME = 512
HOP = FRAME // 4
"""32 ms frames, every 8 ms of the output: two periods of a low voice, and short against a syllable."""

CHUNK = 32
"""Frames that go through the transforms together: they stay in the cache."""

OVERLAP = 1.5
"""Sum of the squared Hann windows that meet at a sample."""


def speed(
    waveform: Tensor, lengths: Tensor, *, factor: float | Tensor, generator: torch.Generator | None = None
) -> Shifted:
    """Play speech faster or slower, as a tape does: pitch and tempo move together.

    Args:
        waveform: float32 B x T in [-1, 1], zero beyond each length.
        lengths: int64 B, samples.
        factor: above 1 is faster and higher, in [0.25, 4], one number or [B]; within 1 in 1,000.
        generator: unused: nothing here is random.

    Returns:
        The batch, each utterance round(length / factor) samples long.

    Raises:
        ArgumentError: a wrong batch or factor.

    Source: Ko et al., Audio augmentation for speech recognition, Interspeech 2015.
    """
    check_waveform(waveform, lengths)
    factors = per_utterance(factor, len(waveform), name="factor", low=0.25, high=4)
    return settled(resampled(waveform, factors), _shortened(lengths, factors))


def tempo(
    waveform: Tensor, lengths: Tensor, *, factor: float | Tensor, generator: torch.Generator | None = None
) -> Shifted:
    """Speak faster or slower at the same pitch.

    Args:
        waveform: float32 B x T in [-1, 1], zero beyond each length.
        lengths: int64 B, samples.
        factor: above 1 is faster, in [0.25, 4], one number or [B].
        generator: unused: nothing here is random.

    Returns:
        The batch, each utterance round(length / factor) samples long.

    Raises:
        ArgumentError: a wrong batch or factor.
    """
    check_waveform(waveform, lengths)
    factors = per_utterance(factor, len(waveform), name="factor", low=0.25, high=4)
    samples = int(-(-waveform.shape[1] // float(factors.min())))
    return settled(stretched(waveform, factors, samples=samples), _shortened(lengths, factors))


def pitch(
    waveform: Tensor, lengths: Tensor, *, cents: float | Tensor, generator: torch.Generator | None = None
) -> Shifted:
    """Raise or lower the voice at the same tempo; the formants move with it.

    Args:
        waveform: float32 B x T in [-1, 1], zero beyond each length.
        lengths: int64 B, samples.
        cents: hundredths of a semitone in [-2400, 2400], one number or [B]: 1200 doubles every frequency.
        generator: unused: nothing here is random.

    Returns:
        The batch, lengths as they were.

    Raises:
        ArgumentError: a wrong batch or pitch.
    """
    check_waveform(waveform, lengths)
    amounts = per_utterance(cents, len(waveform), name="cents", low=-2400, high=2400)
    ratios = 2 ** (amounts / 1200)
    played = resampled(waveform, ratios)
    return settled(stretched(played, 1 / ratios, samples=waveform.shape[1]), lengths)


def stretched(waveform: Tensor, rates: Tensor, *, samples: int) -> Tensor:
    """Change the tempo of each row.

    Args:
        waveform: float32 B x T.
        rates: float64 [B] on the CPU, above 0; above 1 is faster.
        samples: length of the result.

    Returns:
        float32 B x samples; rates of 1 give the waveform back.

    Source: Puckette, Phase-locked vocoder, WASPAA 1995. Two frames that lie one hop apart in the source tell how far
    each phase must advance, so that no phase is unwrapped and no angle computed; a bin turns with its neighbours.
    Here both frames are locked, so that a rate of 1 turns nothing.
    """
    count = -(-samples // HOP) + FRAME // HOP
    middle = (torch.arange(count)[:, None] * HOP - FRAME // 2) * rates
    start = middle.round().long().to(waveform.device) - FRAME // 2
    left = int(FRAME + 2 * HOP * float(rates.max())) + 2
    right = max(0, int(count * HOP * float(rates.max())) + 2 * FRAME - waveform.shape[1])
    views = torch.nn.functional.pad(waveform, (left, right)).unfold(1, FRAME, 1)
    rows = torch.arange(len(waveform), device=waveform.device)
    window = torch.hann_window(FRAME, device=waveform.device)
    laid = waveform.new_zeros(count + FRAME // HOP - 1, len(waveform), HOP)
    last = None
    for first in range(0, count, CHUNK):
        places = start[first : first + CHUNK] + left
        now = torch.fft.rfft(views[rows, places].mul_(window))
        before = torch.fft.rfft(views[rows, places - HOP].mul_(window))
        last = _turn(now, _locked(before).conj_physical_().mul_(now), last)
        _lay(torch.fft.irfft(now, FRAME).mul_(window / OVERLAP), laid[first:])
    return laid.transpose(0, 1).flatten(1)[:, FRAME : FRAME + samples].contiguous()


def _locked(frame: Tensor) -> Tensor:
    """Add to each bin its neighbours, which a Hann window leaves with the opposite sign: a partial moves as one."""
    locked = frame.clone()
    locked[..., 1:] -= frame[..., :-1]
    locked[..., :-1] -= frame[..., 1:]
    return locked


def _turn(now: Tensor, advance: Tensor, last: Tensor | None) -> Tensor:
    """Give each frame the last one's phase plus its advance; K x B x F, changes `now`, returns the last of it."""
    size = now.abs()
    fresh = now * 1e-12  # where there was silence before, a frame keeps its own phase
    for frame in range(len(now)):
        if last is not None:
            turn = _locked(last).mul_(advance[frame]).add_(fresh[frame])
            torch.mul(turn.sgn_(), size[frame], out=now[frame])
        last = now[frame]
    return last


def _lay(frames: Tensor, laid: Tensor) -> None:
    """Add overlapping frames K x B x FRAME to hops B x HOP that start with the first of them."""
    for part in range(FRAME // HOP):
        laid[part : part + len(frames)] += frames[..., part * HOP : (part + 1) * HOP]


def _shortened(lengths: Tensor, factors: Tensor) -> Tensor:
    return (lengths / factors.to(lengths.device)).round().long()
