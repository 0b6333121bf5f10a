import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import resample_poly

from gauntlet.errors import ArgumentError
from gauntlet.resampling import resample

RATES = [(8000, 16000), (22050, 16000), (44100, 16000), (48000, 16000), (11025, 16000), (16000, 8000)]


def tone(hz: float, *, rate: int, seconds: float = 0.5) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(round(rate * seconds)) / rate).astype(np.float32)


@pytest.mark.parametrize(("source", "target"), RATES)
def test_a_tone_stays_the_tone(source, target):
    inner = slice(target // 20, -target // 20)
    for hz in (0, 100, 1000, 3500):
        wave = tone(hz, rate=source) + np.float32(0.25)
        result = resample(wave, source_hz=source, target_hz=target)
        truth = tone(hz, rate=target, seconds=len(result) / target) + 0.25
        np.testing.assert_allclose(result[inner], truth[inner], atol=1e-4)


@pytest.mark.parametrize(("source", "target", "hz"), [(22050, 16000, 9000), (48000, 16000, 8600), (16000, 8000, 4300)])
def test_what_the_new_rate_cannot_hold_is_gone(source, target, hz):
    result = resample(tone(hz, rate=source), source_hz=source, target_hz=target)
    assert np.abs(result[1000:-1000]).max() < 1e-3


def test_no_image_above_the_old_band():
    noise = np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    power = np.abs(np.fft.rfft(resample(noise, source_hz=8000, target_hz=16000))) ** 2
    assert power[4400:].mean() < 1e-4 * power[:3500].mean()


@pytest.mark.parametrize(("source", "target"), RATES)
def test_speech_band_agrees_with_scipy(source, target):
    generator = np.random.default_rng(1)
    wave = sum(tone(hz, rate=source) * generator.uniform(0.1, 1) for hz in generator.uniform(50, 3000, 8))
    divisor = np.gcd(source, target)
    other = resample_poly(wave, target // divisor, source // divisor, window=("kaiser", 9.0))
    result = resample(wave.astype(np.float32), source_hz=source, target_hz=target)
    assert result.shape == other.shape
    np.testing.assert_allclose(result[800:-800], other[800:-800], atol=0.02)


@given(st.integers(0, 400), st.sampled_from(RATES))
def test_length_is_exact_and_scale_passes_through(length, rates):
    wave = np.random.default_rng(length).standard_normal(length).astype(np.float32)
    result = resample(wave, source_hz=rates[0], target_hz=rates[1])
    assert result.dtype == np.float32
    assert len(result) == -(-length * rates[1] // rates[0])
    np.testing.assert_allclose(resample(2 * wave, source_hz=rates[0], target_hz=rates[1]), 2 * result, rtol=1e-5)


def test_the_same_rate_is_the_same_array():
    wave = tone(100, rate=16000)
    assert resample(wave, source_hz=16000, target_hz=16000) is wave


@pytest.mark.parametrize(("shape", "rate"), [((10, 2), 8000), ((10,), 0)])
def test_stereo_and_no_rate_are_errors(shape, rate):
    with pytest.raises(ArgumentError, match="one channel"):
        resample(np.zeros(shape, np.float32), source_hz=rate, target_hz=16000)
