"""WAPAT's random augmentation of a batch of waveforms."""

import torch
from torch import Tensor

from gauntlet.shifts.waveform_arguments import Shifted


def augment(waveform: Tensor, lengths: Tensor, *, generator: torch.Generator) -> Shifted:
    """Apply one of pitch, noise, band reject, time drop and reverb to the whole batch; lengths are kept."""
    raise NotImplementedError
