"""Utterances side by side: waveforms of different lengths in one tensor."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Waveforms(NamedTuple):
    """Utterances: `waveform` float32 B x T, zero-padded at the end, and `lengths` int64 [B], samples."""

    waveform: Tensor
    lengths: Tensor


def padded(rows: Sequence[Tensor]) -> Waveforms:
    """Stack float32 [T] waveforms of different lengths.

    >>> padded([torch.ones(3), torch.ones(1)])
    Waveforms(waveform=tensor([[1., 1., 1.],
            [1., 0., 0.]]), lengths=tensor([3, 1]))
    """
    lengths = torch.tensor([len(row) for row in rows], device=rows[0].device)
    return Waveforms(torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True), lengths)
