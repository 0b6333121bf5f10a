import math

import pytest
import torch
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.shifts.distortions import DISTORTIONS, SWEEP, distort, distort_truly
from gauntlet.shifts.jpeg import jpeg


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(height=64, width=64):
    x = functional.interpolate(torch.rand(4, 3, 12, 12, generator=seeded()), (height, width), mode="bicubic")
    return (x.clamp(0, 1) * 255).round() / 255


@pytest.mark.parametrize("name", SWEEP)
@pytest.mark.parametrize("size", [(64, 64), (37, 50)])
def test_the_differentiable_form_is_close_to_what_truly_happens(name, size):
    x = pictures(*size)
    near = distort(x, *SWEEP[name], generator=seeded())
    true = distort_truly(x, *SWEEP[name], generator=seeded())
    assert near.shape == true.shape == x.shape
    assert (near - true).abs().mean() * 255 < 2
    # What the distortion does is larger than what tells its two forms apart.
    assert (near - true).square().mean() < 0.5 * (true - x).square().mean()
    torch.testing.assert_close(true * 255, (true * 255).round(), atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", SWEEP)
def test_a_seed_decides_and_the_gradient_passes(name):
    x = pictures().mul(0.8).add(0.1).requires_grad_()
    y = distort(x, *SWEEP[name], generator=seeded(1))
    assert torch.equal(y, distort(x, *SWEEP[name], generator=seeded(1)))
    (slope,) = torch.autograd.grad(y.square().sum(), x)
    assert slope.isfinite().all()
    assert slope.abs().sum() > 0


@pytest.mark.parametrize(
    ("name", "strength"),
    [("identity", 0), ("resize", 1), ("crop", 1), ("noise", 0), ("brightness", 0)],
)
def test_strength_nought_changes_nothing(name, strength):
    x = pictures()
    torch.testing.assert_close(distort(x, name, strength, generator=seeded()), x, atol=1e-6, rtol=0)


def test_a_crop_keeps_its_share_and_greys_the_rest():
    y = distort(torch.ones(2, 3, 64, 64), "crop", 0.25, generator=seeded())
    assert (y == 1).double().mean() == 0.25
    assert (y == 0.5).double().mean() == 0.75


def test_blur_keeps_the_mean_and_a_wave_loses_what_the_gaussian_says():
    wave = 0.5 + 0.25 * torch.cos(2 * math.pi * torch.arange(64) / 8)
    x = wave.expand(1, 3, 64, 64)
    y = distort(x, "blur", 1.0, generator=seeded())[..., 8:-8]
    assert y.mean().item() == pytest.approx(0.5, abs=1e-3)
    assert y.amax().item() - 0.5 == pytest.approx(0.25 * math.exp(-0.5 * (2 * math.pi / 8) ** 2), rel=0.02)


def test_jpeg_is_nearly_exact_at_100_and_worse_with_less():
    x = pictures()
    errors = [(jpeg(x, quality=quality) - x).abs().mean().item() for quality in (100, 90, 50, 10)]
    assert errors == sorted(errors)
    grey = x[:, :1].expand(-1, 3, -1, -1)
    assert (jpeg(grey, quality=100) - grey).abs().max() * 255 < 2


@pytest.mark.parametrize("quality", [0, 0.75, 101])
def test_a_quality_out_of_range_is_refused(quality):
    with pytest.raises(ArgumentError, match="quality must"):
        jpeg(pictures(), quality=quality)


def test_an_unknown_distortion_is_refused():
    with pytest.raises(ArgumentError, match="misspelt"):
        distort(pictures(), "jpg", 75, generator=seeded())


def test_the_sweep_names_known_distortions():
    assert {name for name, _ in SWEEP.values()} <= set(DISTORTIONS)
