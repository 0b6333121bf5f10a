"""Additive noise at an exact signal-to-noise ratio: coloured, or shaped and swelling like many voices."""

import torch
from torch import Tensor

from gauntlet.resampling import SAMPLE_RATE_HZ
from gauntlet.shifts.waveform_arguments import Shifted, check_waveform, column, per_utterance, power, settled, silenced
from gauntlet.shifts.waveform_spectrum import good_size

SYLLABLES_HZ = 4.0
"""Where the envelope of speech moves most."""


def noise(
    waveform: Tensor,
    lengths: Tensor,
    *,
    snr_db: float | Tensor,
    colour: float | Tensor = 0.0,
    generator: torch.Generator,
) -> Shifted:
    """Add coloured noise.

    Args:
        waveform: float32 B x T in [-1, 1], zero beyond each length.
        lengths: int64 B, samples.
        snr_db: power of speech over power of noise, both over the utterance's own samples, dB in [-60, 120], one
            number or [B]. Silence stays silent.
        colour: exponent of 1/f in the noise's power, in [-2, 2], one number or [B]: 0 white, 1 pink, 2 brown.
        generator: source of all randomness.

    Returns:
        The batch, lengths as they were; an utterance that would leave [-1, 1] is scaled down, noise and all.

    Raises:
        ArgumentError: a wrong batch, ratio or colour.
    """
    check_waveform(waveform, lengths)
    count, samples = waveform.shape
    colours = per_utterance(colour, count, name="colour", low=-2, high=2)
    if not colours.any():
        return _added(waveform, lengths, drawn=_normal((count, samples), generator, waveform), snr_db=snr_db)
    size = good_size(samples)
    hertz = torch.linspace(0, SAMPLE_RATE_HZ / 2, size // 2 + 1, device=waveform.device).clamp_(min=20)
    shape = torch.exp(hertz.div_(1000).log_() * column(-colours / 2, waveform))
    return _added(waveform, lengths, drawn=_shaped(shape, size, generator)[:, :samples], snr_db=snr_db)


def babble(waveform: Tensor, lengths: Tensor, *, snr_db: float | Tensor, generator: torch.Generator) -> Shifted:
    """Add noise with speech's long-term spectrum that swells and fades at the pace of syllables: a room of voices.

    Args:
        waveform: float32 B x T in [-1, 1], zero beyond each length.
        lengths: int64 B, samples.
        snr_db: as of `noise`.
        generator: source of all randomness.

    Returns:
        The batch, lengths as they were; an utterance that would leave [-1, 1] is scaled down, noise and all.

    Raises:
        ArgumentError: a wrong batch or ratio.

    Source: spectrum after Byrne et al., An international comparison of long-term average speech spectra, JASA 1994:
    flat to 500 Hz, from there about 9 dB an octave down to 1 kHz and 6 above, nothing below 80 Hz.
    """
    check_waveform(waveform, lengths)
    count, samples = waveform.shape
    size = good_size(samples)
    hertz = torch.linspace(0, SAMPLE_RATE_HZ / 2, size // 2 + 1, device=waveform.device)
    shape = (hertz.clamp(500, 1000) / 500) ** -1.5 * (hertz.clamp(min=1000) / 1000) ** -1.0 * (hertz > 80)
    drawn = _shaped(shape.expand(count, -1), size, generator)[:, :samples]
    points = _normal((count, 1, 2 + round(2 * SYLLABLES_HZ * samples / SAMPLE_RATE_HZ)), generator, waveform)
    swell = torch.nn.functional.interpolate(points, samples, mode="linear", align_corners=True)[:, 0]
    return _added(waveform, lengths, drawn=drawn * torch.exp(0.6 * swell), snr_db=snr_db)


def _normal(shape: tuple[int, ...], generator: torch.Generator, like: Tensor) -> Tensor:
    return torch.randn(shape, generator=generator, device=generator.device).to(like.device)


def _shaped(shape: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Draw noise whose spectrum has a shape B x (size / 2 + 1), drawn there at once: B x size."""
    spectrum = torch.view_as_complex(_normal((*shape.shape, 2), generator, shape))
    return torch.fft.irfft(spectrum.mul_(shape), size)


def _added(waveform: Tensor, lengths: Tensor, *, drawn: Tensor, snr_db: float | Tensor) -> Shifted:
    ratios = per_utterance(snr_db, len(waveform), name="snr_db", low=-60, high=120)
    drawn = silenced(drawn, lengths)
    scale = (power(waveform, lengths) / power(drawn, lengths).clamp_(min=1e-30)).sqrt_()[:, None]
    return settled(torch.addcmul(waveform, drawn, scale * column(10 ** (-ratios / 20), waveform)), lengths)
