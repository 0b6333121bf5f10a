"""WAPAT's random augmentation of a batch of waveforms."""

import math

import torch
from torch import Tensor

from gauntlet.resampling import SAMPLE_RATE_HZ
from gauntlet.shifts.waveform_arguments import Shifted, draw
from gauntlet.shifts.waveform_drop import time_drop
from gauntlet.shifts.waveform_noise import noise
from gauntlet.shifts.waveform_room import reverb
from gauntlet.shifts.waveform_spectrum import band_reject
from gauntlet.shifts.waveform_vocoder import pitch


def augment(waveform: Tensor, lengths: Tensor, *, generator: torch.Generator) -> Shifted:
    """Apply one of AUGMENTATIONS, each as likely as the others, to the whole batch.

    Args:
        waveform: float32 B x T in [-1, 1], zero beyond each length.
        lengths: int64 B, samples.
        generator: source of all randomness.

    Returns:
        The batch, lengths as they were; each utterance gets amounts of its own.

    Raises:
        ArgumentError: a wrong batch.

    Source: WAPAT, section 3.1, with the settings of its released code, where the reverb is never reached and noise is
    added from recordings at a fixed gain; here noise of a random colour at 5 to 20 dB stands for them.
    """
    name = tuple(AUGMENTATIONS)[torch.randint(len(AUGMENTATIONS), (), generator=generator, device=generator.device)]
    return AUGMENTATIONS[name](waveform, lengths, generator)


def _pitch(waveform: Tensor, lengths: Tensor, generator: torch.Generator) -> Shifted:
    cents = draw(-300, 300, count=len(waveform), generator=generator).round()
    return pitch(waveform, lengths, cents=cents, generator=generator)


def _noise(waveform: Tensor, lengths: Tensor, generator: torch.Generator) -> Shifted:
    snr_db = draw(5, 20, count=len(waveform), generator=generator)
    colour = draw(0, 2, count=len(waveform), generator=generator)
    return noise(waveform, lengths, snr_db=snr_db, colour=colour, generator=generator)


def _band_reject(waveform: Tensor, lengths: Tensor, generator: torch.Generator) -> Shifted:
    """Reject a band of up to 27 of 256 parts of the mel scale, anywhere on it."""
    top = 2595 * math.log10(1 + SAMPLE_RATE_HZ / 2 / 700)
    width = draw(0, 27 / 256 * top, count=len(waveform), generator=generator)
    low = draw(0, 1, count=len(waveform), generator=generator) * (top - width)
    low_hz, high_hz = (700 * (10 ** (mel / 2595) - 1) for mel in (low, low + width))
    centre_hz = ((low_hz + high_hz) / 2).clamp(0, SAMPLE_RATE_HZ / 2)
    return band_reject(waveform, lengths, centre_hz=centre_hz, width_hz=high_hz - low_hz, generator=generator)


def _time_drop(waveform: Tensor, lengths: Tensor, generator: torch.Generator) -> Shifted:
    return time_drop(waveform, lengths, generator=generator)


def _reverb(waveform: Tensor, lengths: Tensor, generator: torch.Generator) -> Shifted:
    return reverb(
        waveform, lengths, t60_s=draw(0.2, 1.0, count=len(waveform), generator=generator), generator=generator
    )


AUGMENTATIONS = {
    "pitch": _pitch,
    "noise": _noise,
    "band_reject": _band_reject,
    "time_drop": _time_drop,
    "reverb": _reverb,
}
