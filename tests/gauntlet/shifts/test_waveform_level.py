"""Gain and clipping: exact levels."""

import math

import pytest
import torch

from gauntlet.errors import ArgumentError
from gauntlet.shifts.waveform_level import clipping, gain

LENGTHS = torch.tensor([4000, 3200])


def sine(level=0.4):
    waveform = level * torch.sin(2 * math.pi * 100 * torch.arange(4000) / 16000).expand(2, -1).clone()
    waveform[1, 3200:] = 0
    return waveform


def test_gain_is_exact_and_per_utterance():
    shifted = gain(sine(), LENGTHS, gain_db=torch.tensor([-20.0, 6.0]))
    assert torch.allclose(shifted.waveform[0], sine()[0] * 0.1)
    assert torch.allclose(shifted.waveform[1], sine()[1] * 10**0.3)
    assert torch.equal(shifted.lengths, LENGTHS)


def test_gain_past_full_scale_is_cut_off():
    shifted = gain(sine(), LENGTHS, gain_db=12).waveform
    assert torch.allclose(shifted, (sine() * 10**0.6).clamp(-1, 1))


@pytest.mark.parametrize("headroom_db", [0.0, -6.0, 2.0])
def test_clipping_is_measured_from_the_root_mean_square(headroom_db):
    clipped = clipping(sine(), LENGTHS, headroom_db=headroom_db).waveform
    limit = 0.4 / math.sqrt(2) * 10 ** (headroom_db / 20)
    assert torch.allclose(clipped, sine().clamp(-limit, limit), atol=2e-5)


def test_a_sine_has_three_decibels_of_headroom():
    assert torch.equal(clipping(sine(), LENGTHS, headroom_db=3.02).waveform, sine())
    assert not torch.equal(clipping(sine(), LENGTHS, headroom_db=2.9).waveform, sine())


def test_silence_stays_silent():
    for shift in (lambda *x: gain(*x, gain_db=40), lambda *x: clipping(*x, headroom_db=0)):
        assert not shift(torch.zeros(1, 50), torch.tensor([50])).waveform.any()


def test_wrong_levels_are_named():
    with pytest.raises(ArgumentError, match=r"gain_db must lie in \[-100, 100\]"):
        gain(sine(), LENGTHS, gain_db=math.inf)
    with pytest.raises(ArgumentError, match="headroom_db must be one number or one an utterance"):
        clipping(sine(), LENGTHS, headroom_db=torch.zeros(3))
