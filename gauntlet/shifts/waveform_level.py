"""Level of a waveform: gain, and clipping as an overdriven input does it."""

import torch
from torch import Tensor

from gauntlet.shifts.waveform_arguments import Shifted, check_waveform, column, per_utterance, power


def gain(
    waveform: Tensor, lengths: Tensor, *, gain_db: float | Tensor, generator: torch.Generator | None = None
) -> Shifted:
    """Make speech louder or quieter; what leaves [-1, 1] is cut off.

    Args:
        waveform: float32 B x T in [-1, 1], zero beyond each length.
        lengths: int64 B, samples.
        gain_db: dB in [-100, 100], one number or [B].
        generator: unused: nothing here is random.

    Returns:
        The batch, lengths as they were.

    Raises:
        ArgumentError: a wrong batch or gain.
    """
    check_waveform(waveform, lengths)
    amounts = per_utterance(gain_db, len(waveform), name="gain_db", low=-100, high=100)
    louder = bool((amounts > 0).any())
    scaled = waveform * column(10 ** (amounts / 20), waveform)
    return Shifted(scaled.clamp_(-1, 1) if louder else scaled, lengths)


def clipping(
    waveform: Tensor, lengths: Tensor, *, headroom_db: float | Tensor, generator: torch.Generator | None = None
) -> Shifted:
    """Cut the peaks off, at a level measured from the utterance's own root mean square.

    Speech peaks about 12 to 20 dB above it; 0 dB cuts most vowels flat.

    Args:
        waveform: float32 B x T in [-1, 1], zero beyond each length.
        lengths: int64 B, samples.
        headroom_db: level of the cut above the root mean square, dB in [-60, 60], one number or [B].
        generator: unused: nothing here is random.

    Returns:
        The batch, lengths as they were; no louder than before.

    Raises:
        ArgumentError: a wrong batch or headroom.
    """
    check_waveform(waveform, lengths)
    amounts = per_utterance(headroom_db, len(waveform), name="headroom_db", low=-60, high=60)
    limit = power(waveform, lengths).sqrt()[:, None] * column(10 ** (amounts / 20), waveform)
    return Shifted(torch.minimum(waveform, limit).clamp_(min=-limit), lengths)
