"""Speech's corruption benchmark: every waveform shift at five severities."""

import torch
from torch import Tensor

from gauntlet.shifts.waveform_arguments import Shifted

WAVEFORM_C = "1"
"""Version of the severities: figures on different versions do not compare."""

WAVEFORM_SHIFTS: dict = {}


def draw_amounts(name: str, *, severity: int, count: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Draw what a shift does at a severity: amount -> float32 [B]."""
    raise NotImplementedError


def corrupt(waveform: Tensor, lengths: Tensor, *, name: str, severity: int, generator: torch.Generator) -> Shifted:
    """Corrupt a batch: one of WAVEFORM_SHIFTS at severity 1 to 5."""
    raise NotImplementedError
