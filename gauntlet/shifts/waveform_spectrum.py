"""The spectrum of whole utterances: band reject, resampling, and the sizes at which a transform is quick."""

from bisect import bisect_left
from functools import lru_cache

import torch
from torch import Tensor

from gauntlet.resampling import SAMPLE_RATE_HZ
from gauntlet.shifts.waveform_arguments import Shifted, check_waveform, column, per_utterance, settled

GUARD = 800
"""Silence after an utterance, samples: what a filter smears over the end must not come round to the start."""


@lru_cache(maxsize=2)
def _sizes(largest_prime: int, step: int) -> list[int]:
    """List the multiples of step below 2^27 with small prime factors only: sizes at which a transform is quick."""
    sizes = [step]
    for prime, most in ((2, 27), (3, 9), (5, 6), (7, 4), (11, 2), (13, 2)):
        times = range(most if prime <= largest_prime else 1)
        sizes = [size * prime**power for size in sizes for power in times if size * prime**power < 1 << 27]
    return sorted(size for size in sizes if size & (size - 1) or size < 4096)  # long powers of two crowd the cache


def good_size(least: int) -> int:
    """Find the smallest size of at least `least` at which a Fourier transform is quickest.

    >>> good_size(64_001)
    64512
    """
    sizes = _sizes(7, 32)
    place = bisect_left(sizes, least)
    return sizes[place] if place < len(sizes) else 2 * least


def band_reject(
    waveform: Tensor,
    lengths: Tensor,
    *,
    centre_hz: float | Tensor,
    width_hz: float | Tensor,
    ramp_hz: float = 50.0,
    generator: torch.Generator | None = None,
) -> Shifted:
    """Take a band of frequencies out.

    Args:
        waveform: float32 B x T in [-1, 1], zero beyond each length.
        lengths: int64 B, samples.
        centre_hz: middle of the band, in [0, 8000], one number or [B].
        width_hz: of the band, in [0, 8000], one number or [B]; 0 leaves everything.
        ramp_hz: width of the ramp on either side, outside the band, in [10, 4000].
        generator: unused: nothing here is random.

    Returns:
        The batch, lengths as they were; no phase is shifted.

    Raises:
        ArgumentError: a wrong batch, band or ramp.

    Source: as the band reject of WAPAT's augmentation (SoX `sinc -a 120`), with raised-cosine ramps in the spectrum
    for its Kaiser window.
    """
    check_waveform(waveform, lengths)
    count, samples = waveform.shape
    centre = per_utterance(centre_hz, count, name="centre_hz", low=0, high=SAMPLE_RATE_HZ / 2)
    half = per_utterance(width_hz, count, name="width_hz", low=0, high=SAMPLE_RATE_HZ / 2) / 2
    per_utterance(ramp_hz, 1, name="ramp_hz", low=10, high=SAMPLE_RATE_HZ / 4)
    size = good_size(samples + GUARD)
    hertz = torch.linspace(0, SAMPLE_RATE_HZ / 2, size // 2 + 1, device=waveform.device)
    beyond = (hertz - column(centre, waveform)).abs_().sub_(column(half, waveform)).div_(ramp_hz).clamp_(0, 1)
    kept = beyond.mul_(torch.pi).cos_().mul_(-0.5).add_(0.5)
    kept.masked_fill_(column(half, waveform) == 0, 1)
    filtered = torch.fft.irfft(torch.fft.rfft(waveform, size).mul_(kept), size)
    return settled(filtered[:, :samples].contiguous(), lengths)


def resampled(waveform: Tensor, rates: Tensor) -> Tensor:
    """Play each row at its own rate, band-limited: what stood at sample t stands at t / rate.

    Args:
        waveform: float32 B x T.
        rates: float64 [B] on the CPU, above 0; above 1 is faster and higher. Kept to 1 in 1,000, mostly
            to 1 in 10,000, as a transform of just any size is slow.

    Returns:
        float32 B x ceil(T / slowest rate), zero after a row's end.
    """
    count, samples = waveform.shape
    out = waveform.new_zeros(count, int(-(-samples // float(rates.min()))))
    for row, played, rate in zip(waveform, out, rates.tolist(), strict=True):
        old, new = _pair(samples + GUARD, rate)
        bins = torch.fft.rfft(row, old)[: new // 2 + 1]
        sounding = torch.fft.irfft(bins.mul_(new / old), new)[: len(played)]
        played[: len(sounding)] = sounding
    return out


def _pair(least: int, rate: float) -> tuple[int, int]:
    """Find two quick sizes, the first at least `least`, that stand to each other as rate to 1."""
    sizes = _sizes(13, 2)
    first = bisect_left(sizes, least)
    pairs = []
    for old in sizes[first : first + 32]:
        place = bisect_left(sizes, old / rate)
        pairs += [(abs(new * rate / old - 1), old, new) for new in sizes[max(place - 1, 0) : place + 1]]
    return min(pairs)[1:]
