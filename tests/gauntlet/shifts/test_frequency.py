import math
from itertools import pairwise

import pytest
import torch

from gauntlet.errors import ArgumentError
from gauntlet.shifts.frequency import low_pass


def images(height=24, width=24):
    return torch.rand(3, 2, height, width, generator=torch.Generator().manual_seed(0))


def wave(side, cycles_down, cycles_across):
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    turn = 2 * math.pi * (cycles_down * rows + cycles_across * columns) / side
    return (0.5 + 0.25 * turn.cos()).reshape(1, 1, side, side)


@pytest.mark.parametrize(("height", "width"), [(24, 24), (21, 24), (24, 33), (15, 15)])
@pytest.mark.parametrize("radius", [0, 1, 4.5, 7])
def test_it_is_the_shifted_disc_written_out(height, width, radius):
    x = images(height, width)
    spectrum = torch.fft.fftshift(torch.fft.fft2(x), dim=(-2, -1))
    for row in range(height):
        for column in range(width):
            if (row - height // 2) ** 2 + (column - width // 2) ** 2 > radius**2:
                spectrum[..., row, column] = 0
    expected = torch.fft.ifft2(torch.fft.ifftshift(spectrum, dim=(-2, -1))).abs().clamp(max=1)
    torch.testing.assert_close(low_pass(x, radius=radius), expected, atol=1e-5, rtol=0)


def test_a_wave_passes_at_its_frequency_and_not_below():
    x = wave(32, 3, 4)
    torch.testing.assert_close(low_pass(x, radius=5), x, atol=1e-5, rtol=0)
    torch.testing.assert_close(low_pass(x, radius=4.99), torch.full_like(x, 0.5), atol=1e-5, rtol=0)


def test_the_whole_spectrum_is_the_image():
    x = images(224, 224)
    torch.testing.assert_close(low_pass(x, radius=112), x, atol=1e-5, rtol=0)


def test_less_detail_goes_the_larger_the_radius():
    x = images()
    lost = [(low_pass(x, radius=radius) - x).square().mean() for radius in range(13)]
    assert all(after <= before for before, after in pairwise(lost))
    assert lost[0] > 0.05
    assert lost[-1] == 0


def test_it_stays_an_image_and_leaves_the_input_alone():
    x = (images() > 0.5).float()
    before = x.clone()
    found = low_pass(x, radius=6)
    assert found.min() >= 0
    assert found.max() <= 1
    assert torch.equal(x, before)
    assert low_pass(x, radius=12) is not x


@pytest.mark.parametrize(("radius", "dtype"), [(-1, torch.float32), (float("nan"), torch.float32), (3, torch.uint8)])
def test_bad_arguments_are_refused(radius, dtype):
    with pytest.raises(ArgumentError, match="radius must be 0 or more and x float"):
        low_pass(images().to(dtype), radius=radius)
