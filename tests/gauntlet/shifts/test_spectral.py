import pytest
import scipy.fft
import torch

from gauntlet.errors import ArgumentError
from gauntlet.shifts.spectral import SpectralCode, dct_matrix, octaves


def messages(count, bits):
    return torch.randint(0, 2, (count, bits), generator=torch.Generator().manual_seed(3)).float()


def test_the_transform_is_scipys():
    x = torch.rand(8, 8, generator=torch.Generator().manual_seed(0))
    ours = dct_matrix(8) @ x @ dct_matrix(8).T
    torch.testing.assert_close(ours, torch.from_numpy(scipy.fft.dctn(x.numpy(), norm="ortho")), atol=1e-6, rtol=0)


def test_octaves_double():
    assert octaves(16).flatten().bincount().tolist() == [1, 3, 12, 48, 192]


@pytest.mark.parametrize(("bits", "band", "side_px"), [(30, 32, 64), (32, 16, 16), (1, 4, 8), (100, 32, 256)])
def test_what_is_spread_is_gathered(bits, band, side_px):
    code = SpectralCode(bits, band=band, side_px=side_px)
    message = messages(20, bits)
    found = code.gather(code.spread(message))
    assert (found - (2 * message - 1)).abs().max() < 1e-5


@pytest.mark.parametrize("bits", [30, 64, 100])
def test_no_octave_holds_a_bit_alone(bits):
    code = SpectralCode(bits)
    message = messages(50, bits)
    maps = code.spread(message)
    for octave in range(6):
        spectrum = code.transform(maps) * (octaves(code.band) != octave)
        right = (code.gather(code.dct.T @ spectrum @ code.dct) > 0) == (message > 0.5)
        assert right.double().mean() > 0.9


def test_brightness_carries_nothing():
    code = SpectralCode(30)
    message = messages(4, 30)
    torch.testing.assert_close(
        code.gather(code.spread(message) + 3), code.gather(code.spread(message)), atol=1e-4, rtol=0
    )


def test_the_gain_silences_coefficients_and_maps_add_up():
    code = SpectralCode(30)
    message = messages(3, 30)
    gain = torch.stack([torch.ones(32 * 32), torch.zeros(32 * 32)])
    maps = code.spread(message, gain=gain)
    assert maps.shape == (3, 2, 64, 64)
    assert maps[:, 1].abs().max() == 0
    torch.testing.assert_close(code.gather(maps), 2 * message - 1, atol=1e-5, rtol=0)
    assert code.gather(maps, gain=1 - gain).abs().max() < 1e-6


def test_a_map_has_mean_square_one():
    assert SpectralCode(30).spread(messages(50, 30)).square().mean().item() == pytest.approx(1, abs=0.05)


def test_the_seed_is_the_code():
    assert torch.equal(SpectralCode(30, seed=1).code, SpectralCode(30, seed=1).code)
    assert not torch.equal(SpectralCode(30, seed=1).code, SpectralCode(30, seed=2).code)


@pytest.mark.parametrize(
    ("bits", "band", "slip"),
    [(0, 32, "bits"), (600, 32, "bits"), (30, 65, "band"), (30, 0, "band")],
)
def test_what_does_not_fit_is_refused(bits, band, slip):
    with pytest.raises(ArgumentError, match=slip):
        SpectralCode(bits, band=band)


def test_a_message_of_another_length_is_refused():
    with pytest.raises(ArgumentError, match="30 bits; got"):
        SpectralCode(30).spread(torch.zeros(1, 31))
