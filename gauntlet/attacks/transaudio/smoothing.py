"""Gradients smoothed over time and frequency, so that they follow one surrogate's details less."""

import math

import torch
from torch import Tensor
from torch.nn import functional

N_FFT = 320
HOP = 160
RELEASED = (0.242, 0.054, 0.004)
"""The weights of TransAudio's release, whose swapped arguments make its kernel lean to one side."""


def smoothed(gradient: Tensor, *, released: bool = False) -> Tensor:
    """Blur the magnitudes of a gradient's short-time spectrum by three taps; phases stay.

    Args:
        gradient: float32 B x T, T at least N_FFT // 2 + 1.
        released: Blur along time alone with the release's lopsided weights; its constant third channel, which adds a
            bias to the gradient, is left out.

    Returns:
        B x T.

    Source: TransAudio's release (STFT of 320, hop 160, Hamming window); there the blur is along one axis and
    lopsided, here a normalised Gaussian along both.
    """
    window = torch.hamming_window(N_FFT, device=gradient.device)
    spectrum = torch.stft(gradient, N_FFT, HOP, window=window, return_complex=True)
    size = spectrum.abs()
    if released:
        blurred = _along(size, torch.tensor(RELEASED, device=size.device), axis=2)
    else:
        taps = torch.tensor([math.exp(-0.5), 1.0, math.exp(-0.5)], device=size.device)
        taps = taps / taps.sum()
        blurred = _along(_along(size, taps, axis=1), taps, axis=2)
    smooth = spectrum / size.clamp_min(torch.finfo(size.dtype).tiny) * blurred
    return torch.istft(smooth, N_FFT, HOP, window=window, length=gradient.shape[1])


def _along(values: Tensor, taps: Tensor, *, axis: int) -> Tensor:
    rows = values.transpose(axis, 2)
    flat = functional.pad(rows.flatten(0, 1)[:, None], (1, 1), mode="replicate")
    return functional.conv1d(flat, taps[None, None])[:, 0].view(rows.shape).transpose(axis, 2)
