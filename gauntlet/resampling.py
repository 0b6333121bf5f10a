"""Change the sampling rate of one waveform on the CPU: a polyphase filter, the samples a reader or a voice needs."""

from functools import cache
from math import ceil, gcd

import numpy as np

from gauntlet.errors import ArgumentError

SAMPLE_RATE_HZ = 16_000
"""Of every waveform here; the readers resample to it."""
ZEROS = 48
"""Zero crossings of the filter on each side."""
ROLL_OFF = 0.945
"""Where the level is halved, as a share of the lower Nyquist frequency."""
KAISER_BETA = 9.0


@cache
def _phases(up: int, down: int) -> np.ndarray:
    """Return the filter of each output phase, float32 [up, taps]: windowed sinc, unit gain at 0 Hz."""
    cutoff = ROLL_OFF * min(1.0, up / down)
    half = ceil(ZEROS / cutoff)
    offsets = np.arange(up) * down % up / up
    times = np.arange(-half + 1, half + 1)[None] - offsets[:, None]
    window = np.i0(KAISER_BETA * np.sqrt(np.clip(1 - (times / half) ** 2, 0, None))) / np.i0(KAISER_BETA)
    taps = np.sinc(cutoff * times) * cutoff * window
    return np.ascontiguousarray((taps / taps.sum(axis=1, keepdims=True)).astype(np.float32))


def resample(waveform: np.ndarray, *, source_hz: int, target_hz: int) -> np.ndarray:
    """Return a waveform at another rate.

    Args:
        waveform: float32 [T].
        source_hz: Its rate.
        target_hz: The rate wanted; at 94.5 % of the lower Nyquist frequency the level is halved.

    Returns:
        float32 [ceil(T * target_hz / source_hz)]; the very same array where the rates are equal. May exceed the
        input's peak by the filter's overshoot.

    Raises:
        ArgumentError: A rate below 1, or a waveform that is not one row.
    """
    if source_hz < 1 or target_hz < 1 or waveform.ndim != 1:
        text = f"{source_hz} Hz, {target_hz} Hz, shape {waveform.shape}"
        raise ArgumentError(f"resample needs rates of at least 1 Hz and one channel; got {text}; stereo?")
    if source_hz == target_hz or not len(waveform):
        return waveform
    divisor = gcd(source_hz, target_hz)
    up, down = target_hz // divisor, source_hz // divisor
    filters = _phases(up, down)
    taps = filters.shape[1]
    length = ceil(len(waveform) * up / down)
    rows = ceil(length / up)
    left = taps // 2 - 1
    right = max(rows * down + taps - left - len(waveform), 0)
    padded = np.pad(waveform.astype(np.float32), (left, right))
    out = np.empty((rows, up), np.float32)
    for phase in range(up):
        first = phase * down // up
        # One window every `down` samples; a view made by hand costs a tenth of numpy's sliding window.
        windows = np.ndarray((rows, taps), np.float32, padded, offset=4 * first, strides=(4 * down, 4))
        out[:, phase] = windows @ filters[phase]
    return out.reshape(-1)[:length]
