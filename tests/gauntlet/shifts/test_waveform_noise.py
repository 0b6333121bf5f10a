"""Noise has the ratio, the colour and the swell that it is asked for."""

import pytest
import torch

from gauntlet.shifts.waveform_noise import babble, noise

SAMPLES = 64000


def speech(level=0.02):
    generator = torch.Generator().manual_seed(3)
    waveform = level * torch.randn(3, SAMPLES, generator=generator)
    lengths = torch.tensor([SAMPLES, 40000, 16000])
    for row, length in zip(waveform, lengths.tolist(), strict=True):
        row[length:] = 0
    return waveform, lengths


def generator():
    return torch.Generator().manual_seed(0)


def white(waveform, lengths, snr_db, generator):
    return noise(waveform, lengths, snr_db=snr_db, generator=generator)


def pink(waveform, lengths, snr_db, generator):
    return noise(waveform, lengths, snr_db=snr_db, colour=1.0, generator=generator)


def voices(waveform, lengths, snr_db, generator):
    return babble(waveform, lengths, snr_db=snr_db, generator=generator)


KINDS = [white, pink, voices]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 12.5, torch.tensor([20.0, 3.0, 8.0])])
def test_the_ratio_is_exact_over_each_utterances_own_samples(kind, snr_db):
    waveform, lengths = speech()
    shifted = kind(waveform, lengths, snr_db, generator())
    added = shifted.waveform - waveform
    measured = 10 * torch.log10(waveform.square().sum(1) / added.square().sum(1))
    assert torch.allclose(measured, torch.as_tensor(snr_db).expand(3), atol=0.01)
    assert all(not row[length:].any() for row, length in zip(shifted.waveform, lengths.tolist(), strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_loud_utterance_is_scaled_noise_and_all(kind):
    waveform, lengths = speech(level=0.3)
    waveform.clamp_(-1, 1)
    shifted = kind(waveform, lengths, 0.0, generator()).waveform
    assert shifted.abs().amax(1) == pytest.approx([1, 1, 1])
    shares = torch.linalg.vecdot(shifted, waveform) / torch.linalg.vecdot(waveform, waveform)
    rest = shifted - shares[:, None] * waveform
    ratio = 10 * torch.log10((shares[:, None] * waveform).square().sum(1) / rest.square().sum(1))
    assert ratio == pytest.approx([0, 0, 0], abs=0.2)


@pytest.mark.parametrize("colour", [-1.0, 0.0, 1.0, 2.0])
def test_a_colour_falls_by_three_decibels_an_octave_each(colour):
    shifted = noise(*speech(level=1e-6), snr_db=-40, colour=colour, generator=generator())
    spectrum = torch.fft.rfft(shifted.waveform[0]).abs().square()
    low, high = (spectrum[4 * hertz : 8 * hertz].mean() for hertz in (500, 4000))
    assert float(10 * torch.log10(low / high)) == pytest.approx(3 * colour * 3.01, abs=0.6)


def test_babble_has_speechs_spectrum_and_swells():
    sound = babble(*speech(level=1e-6), snr_db=-40, generator=generator()).waveform[0]
    spectrum = torch.fft.rfft(sound).abs().square()
    at = {hertz: spectrum[int(3.6 * hertz) : int(4.4 * hertz)].mean() for hertz in (400, 1000, 4000)}
    assert float(10 * torch.log10(at[400] / at[1000])) == pytest.approx(9, abs=1.5)
    assert float(10 * torch.log10(at[1000] / at[4000])) == pytest.approx(12, abs=1.5)
    assert spectrum[: 4 * 60].mean() < 0.01 * at[400]
    steady = noise(*speech(level=1e-6), snr_db=-40, generator=generator()).waveform[0]
    level = [piece.reshape(-1, 800).square().mean(1).log() for piece in (sound, steady)]
    assert level[0].std() > 5 * level[1].std()


def test_silence_stays_silent():
    silent, lengths = torch.zeros(2, 800), torch.tensor([800, 0])
    for kind in KINDS:
        assert not kind(silent, lengths, 5.0, generator()).waveform.any()


def test_the_generator_alone_decides():
    waveform, lengths = speech()
    first, again = (pink(waveform, lengths, 5.0, generator()).waveform for _ in range(2))
    other = pink(waveform, lengths, 5.0, torch.Generator().manual_seed(1)).waveform
    assert torch.equal(first, again)
    assert not torch.allclose(first, other, atol=1e-3)
