"""Pitch, tempo and speed move the frequencies and lengths that they say, and nothing else."""

import math

import pytest
import scipy.signal
import torch

from gauntlet.errors import ArgumentError
from gauntlet.shifts.waveform_spectrum import resampled
from gauntlet.shifts.waveform_vocoder import pitch, speed, tempo

LENGTHS = torch.tensor([24000])


def tone(hertz, samples=24000):
    return 0.5 * torch.sin(2 * math.pi * hertz * torch.arange(samples) / 16000)[None]


def loudest_hz(sound):
    """Find the frequency of a tone to 0.02 Hz."""
    sound = sound[2000:-2000].double()
    spectrum = torch.fft.rfft(sound * torch.hann_window(len(sound), dtype=torch.float64), 1 << 20).abs()
    return float(spectrum.argmax()) * 16000 / (1 << 20)


@pytest.mark.parametrize(("cents", "hertz"), [(1200, 880), (-1200, 220), (300, 523.2511), (-100, 415.3047), (0, 440)])
def test_pitch_moves_a_tone_by_its_cents(cents, hertz):
    shifted = pitch(tone(440), LENGTHS, cents=cents)
    assert loudest_hz(shifted.waveform[0]) == pytest.approx(hertz, rel=1e-3)
    assert torch.equal(shifted.lengths, LENGTHS)
    assert shifted.waveform[0, 2000:-2000].std() == pytest.approx(float(tone(440).std()), rel=0.01)


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.25, 2.0])
def test_tempo_keeps_the_pitch_and_moves_the_rhythm(factor):
    beat = 1.2 + torch.sin(2 * math.pi * 4 * torch.arange(48000) / 16000)
    shifted = tempo(tone(440, 48000) * beat / 3, torch.tensor([48000]), factor=factor)
    assert shifted.lengths.tolist() == [round(48000 / factor)]
    sound = shifted.waveform[0, : int(shifted.lengths)]
    assert loudest_hz(sound) == pytest.approx(440, rel=1e-3)
    swell = torch.nn.functional.avg_pool1d(sound.abs()[None], 400, 100)[0]
    spectrum = torch.fft.rfft(swell - swell.mean(), 1 << 15).abs()
    assert float(spectrum.argmax()) * 160 / (1 << 15) == pytest.approx(4 * factor, rel=0.05)


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.0, 1.5, 2.0])
def test_speed_moves_pitch_and_length_together(factor):
    shifted = speed(tone(440), LENGTHS, factor=factor)
    assert shifted.lengths.tolist() == [round(24000 / factor)]
    assert loudest_hz(shifted.waveform[0, : int(shifted.lengths)]) == pytest.approx(440 * factor, rel=1e-3)


def test_speed_folds_nothing_back():
    shifted = speed(tone(6000), LENGTHS, factor=2.0)
    assert shifted.waveform[0, 500:11500].abs().max() < 0.01


def test_no_change_gives_the_waveform_back():
    waveform = 0.1 * torch.randn(3, 9000, generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([9000, 8999, 4000])
    waveform[2, 4000:] = 0
    waveform[1, 8999:] = 0
    for shifted in (
        pitch(waveform, lengths, cents=0),
        tempo(waveform, lengths, factor=1),
        speed(waveform, lengths, factor=1),
    ):
        assert torch.allclose(shifted.waveform, waveform, atol=1e-5)
        assert torch.equal(shifted.lengths, lengths)


def test_sound_after_silence_starts_again():
    waveform = tone(440).clone()
    waveform[:, 6000:14000] = 0
    shifted = pitch(waveform, LENGTHS, cents=300)
    assert shifted.waveform[0, 8000:12000].abs().max() < 1e-3
    assert shifted.waveform[0, 15000:23000].std() == pytest.approx(float(tone(440).std()), rel=0.02)


def test_each_utterance_has_its_own_amount():
    waveform = tone(440).expand(3, -1).contiguous()
    shifted = pitch(waveform, LENGTHS.expand(3), cents=torch.tensor([1200.0, 0.0, -1200.0]))
    assert [round(loudest_hz(sound)) for sound in shifted.waveform] == [880, 440, 220]
    alone = pitch(tone(440), LENGTHS, cents=-1200)
    assert torch.allclose(shifted.waveform[2:], alone.waveform, atol=1e-4)


@pytest.mark.parametrize("rate", [0.3, 0.77, 1.0, 1.31, 3.9])
@pytest.mark.parametrize("samples", [7, 1000, 50_123])
def test_resampling_has_the_right_length(rate, samples):
    played = resampled(torch.ones(1, samples), torch.tensor([rate], dtype=torch.float64))
    assert played.shape == (1, math.ceil(samples / rate))


@pytest.mark.parametrize("samples", [1, 5, 100, 700])
def test_utterances_shorter_than_a_frame_pass(samples):
    shifted = pitch(tone(440, samples), torch.tensor([samples]), cents=200)
    assert shifted.waveform.shape == (1, samples)
    assert shifted.waveform.isfinite().all()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: pitch(tone(440), LENGTHS, cents=5000), r"cents must lie in \[-2400, 2400\]"),
        (lambda: speed(tone(440), LENGTHS, factor=0), r"factor must lie in \[0.25, 4\]"),
        (lambda: tempo(tone(440), LENGTHS, factor=math.nan), r"factor must lie in \[0.25, 4\]"),
    ],
)
def test_wrong_amounts_are_named(call, said):
    with pytest.raises(ArgumentError, match=said):
        call()


@pytest.mark.parametrize(("up", "down"), [(4, 5), (5, 4), (2, 1), (1, 2)])
def test_resampling_is_that_of_scipy(up, down):
    spectrum = torch.fft.rfft(torch.randn(1, 20000, generator=torch.Generator().manual_seed(0)))
    spectrum[:, 3000:] = 0  # 2.4 kHz: inside the band of both
    waveform = torch.fft.irfft(spectrum)
    ours = resampled(waveform, torch.tensor([down / up], dtype=torch.float64))[0].numpy()
    theirs = scipy.signal.resample_poly(waveform[0].numpy(), up, down)
    middle = slice(2000, len(ours) - 2000)
    assert ours[middle] == pytest.approx(theirs[middle], abs=0.01 * float(theirs.std()))
