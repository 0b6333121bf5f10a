"""Whisper's log-mel spectrogram in torch: batched, differentiable in the waveform, each utterance on its own."""

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.models.recognizer import frame_mask
from gauntlet.resampling import SAMPLE_RATE_HZ

WINDOW, HOP = 400, 160
"""25 ms and 10 ms, samples."""


class LogMel(NamedTuple):
    """What an encoder takes.

    Attributes:
        values: float32, B x mels x M; after an utterance's own frames come those of digital silence.
        frames: int64, [B]: frames of 10 ms in which an utterance lasts, in 1..M.
    """

    values: Tensor
    frames: Tensor


def log_mel(waveform: Tensor, lengths: Tensor, *, size: int | None = None, mels: int = 80) -> LogMel:
    """Compute the log-mel spectrogram.

    Each utterance is scaled by its own loudest frame, and what follows its last sample counts as silence: neither its
    neighbours in the batch nor the padding change its values.

    Args:
        waveform: float32, B x T in [-1, 1], 16,000 Hz.
        lengths: int64, [B], samples, in 1..T.
        size: Frames to return, at least those of the longest utterance; 3,000 are Whisper's 30 s; None: T's own.
        mels: Bands; 80, or 128 for Whisper large-v3.

    Returns:
        Values and frames. On the same 30 s the values equal those of `transformers.WhisperFeatureExtractor`, but for
        the last frame of an utterance that fills them: that one extends it by reflection and this one by silence.

    Raises:
        ArgumentError: The shapes disagree or `size` is too small.

    Source: Radford et al. 2022, section 2.2, with its code's constants: log10, floor 8 below the peak, (x + 4) / 4.
    """
    if waveform.ndim != 2 or lengths.shape != waveform.shape[:1]:
        raise ArgumentError(
            f"waveform must be B x T and lengths [B]; got {list(waveform.shape)}, {list(lengths.shape)}"
        )
    count = -(-waveform.shape[1] // HOP)
    size = count if size is None else size
    if not 1 <= count <= size:
        raise ArgumentError(f"frames of the waveform must lie in 1..size = {size}; got {count}; longer than 30 s?")
    power = _power(waveform * frame_mask(lengths, waveform.shape[1]))
    filters = torch.from_numpy(mel_filters(mels)).to(power)
    loud = (filters @ power).clamp_min(1e-10).log10()
    floor = loud.amax(dim=(1, 2), keepdim=True) - 8
    # What the STFT left out is silence; the two frames past the end still hold the tail of the last window.
    values = (torch.maximum(loud, floor) + 4) / 4
    silence = (torch.maximum(torch.full_like(floor, -10), floor) + 4) / 4
    missing = max(size - values.shape[2], 0)
    values = torch.cat([values[:, :, :size], silence.expand(-1, mels, missing)], dim=2)
    return LogMel(values, (lengths + HOP - 1) // HOP)


def _power(waveform: Tensor) -> Tensor:
    """Return |STFT|^2, B x 201 x frames, with every frame that touches the waveform."""
    half = WINDOW // 2
    tail = functional.pad(waveform, (0, WINDOW + max(half + 1 - waveform.shape[1], 0)))
    padded = torch.cat([tail[:, 1 : half + 1].flip(1), tail], dim=1)
    window = torch.hann_window(WINDOW, device=waveform.device)
    spectrum = torch.stft(padded, WINDOW, HOP, window=window, center=False, return_complex=True)
    return torch.view_as_real(spectrum).square().sum(-1)


@cache
def mel_filters(mels: int) -> np.ndarray:
    """Return Slaney's triangular mel filters of unit area, float32 mels x 201, from 0 to 8,000 Hz."""
    top = float(_mel_from_hz(np.array(SAMPLE_RATE_HZ / 2)))
    corners = _hz_from_mel(np.linspace(0, top, mels + 2))
    bins = np.linspace(0, SAMPLE_RATE_HZ / 2, WINDOW // 2 + 1)
    rising = (bins - corners[:-2, None]) / np.diff(corners)[:-1, None]
    falling = (corners[2:, None] - bins) / np.diff(corners)[1:, None]
    area = 2 / (corners[2:] - corners[:-2])
    return (np.maximum(0, np.minimum(rising, falling)) * area[:, None]).astype(np.float32)


def _mel_from_hz(hz: np.ndarray) -> np.ndarray:
    return np.where(hz < 1000, hz * 3 / 200, 15 + np.log(np.maximum(hz, 1000) / 1000) * 27 / np.log(6.4))


def _hz_from_mel(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))
