"""Band reject: gone inside the band, untouched outside it, nothing moved in time."""

import pytest
import torch

from gauntlet.errors import ArgumentError
from gauntlet.shifts.waveform_spectrum import band_reject, good_size

SAMPLES = 32000
LENGTHS = torch.tensor([SAMPLES])


def response_db(**band):
    """Measure what is left of an impulse, by frequency in steps of 0.5 Hz."""
    impulse = torch.zeros(1, SAMPLES)
    impulse[0, SAMPLES // 2] = 0.5
    filtered = band_reject(impulse, LENGTHS, **band).waveform
    return 20 * torch.log10((torch.fft.rfft(filtered[0]) / torch.fft.rfft(impulse[0])).abs().clamp(min=1e-6))


@pytest.mark.parametrize(("centre", "width"), [(1000, 400), (3000, 2000), (400, 100), (7000, 500)])
def test_the_band_is_gone_and_the_rest_is_whole(centre, width):
    left = response_db(centre_hz=centre, width_hz=width)
    hertz = torch.arange(len(left)) / 2
    away = (hertz - centre).abs() - width / 2
    assert left[away <= -2].max() < -40
    assert left[away >= 55].abs().max() < 1


def test_the_ramp_lies_outside_the_band():
    left = response_db(centre_hz=1000, width_hz=400, ramp_hz=200)
    assert float(left[2 * 1300]) == pytest.approx(-6.02, abs=0.1)
    assert float(left[2 * 700]) == pytest.approx(-6.02, abs=0.1)


def test_no_width_leaves_everything():
    waveform = 0.1 * torch.randn(1, SAMPLES, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(band_reject(waveform, LENGTHS, centre_hz=1000, width_hz=0).waveform, waveform, atol=1e-6)


def test_the_end_does_not_come_round_to_the_start():
    waveform = torch.zeros(1, SAMPLES)
    waveform[0, -200:] = 0.5
    filtered = band_reject(waveform, LENGTHS, centre_hz=300, width_hz=400).waveform
    assert filtered[0, :20000].abs().max() < 2e-3


def test_each_utterance_has_its_own_band():
    waveform = 0.1 * torch.randn(2, SAMPLES, generator=torch.Generator().manual_seed(0))
    lengths, centres = torch.tensor([SAMPLES, 20000]), torch.tensor([500.0, 4000.0])
    waveform[1, 20000:] = 0
    both = band_reject(waveform, lengths, centre_hz=centres, width_hz=300).waveform
    for row in range(2):
        alone = band_reject(
            waveform[row : row + 1], lengths[row : row + 1], centre_hz=centres[row].item(), width_hz=300
        )
        assert torch.allclose(both[row], alone.waveform[0], atol=1e-6)


def test_wrong_bands_are_named():
    with pytest.raises(ArgumentError, match=r"centre_hz must lie in \[0, 8000\]"):
        response_db(centre_hz=9000, width_hz=100)
    with pytest.raises(ArgumentError, match=r"ramp_hz must lie in \[10, 4000\]"):
        response_db(centre_hz=1000, width_hz=100, ramp_hz=0)


@pytest.mark.parametrize("least", [1, 2, 3, 1000, 64_001, 10**6 + 1, 2**27 + 1])
def test_a_good_size_is_even_and_near(least):
    size = good_size(least)
    assert size % 2 == 0
    assert least <= size <= max(2 * least, 64)
    assert least < 10_000 or least > 2**27 or size < 1.02 * least
