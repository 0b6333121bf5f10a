import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from gauntlet.errors import ArgumentError
from gauntlet.models.defences import DEFENCES, bit_depth, jpeg, randomisation

SHOWN = nn.Identity()
"""A model whose logits are the pixels that it sees."""


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def images(channels=3, count=4):
    x = torch.rand(count, channels, 4, 4, generator=seeded())
    return nn.functional.interpolate(x, size=(16, 16), mode="bilinear")


def defended(name, network, **settings):
    return DEFENCES[name](network, **({"generator": seeded()} if name == "randomisation" else {}), **settings)


def test_bits_are_evenly_spaced_levels():
    x = torch.linspace(0, 1, 1001).reshape(1, 1, 7, 143)
    assert torch.equal(bit_depth(SHOWN, bits=1)(x), (x > 0.5).float())
    seen = bit_depth(SHOWN, bits=3)(x)
    torch.testing.assert_close(seen.unique(), torch.arange(8) / 7)
    assert (seen - x).abs().max() <= 1 / 14 + 1e-6


def test_eight_bits_leave_a_picture_alone():
    x = torch.randint(256, (2, 3, 8, 8), generator=seeded()) / 255
    torch.testing.assert_close(bit_depth(SHOWN, bits=8)(x), x)


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_pillows(channels):
    x = images(channels)
    seen = jpeg(SHOWN, quality=40)(x)
    pixels = (x * 255).round().byte().permute(0, 2, 3, 1).numpy()
    for each, got in zip(pixels, seen, strict=True):
        file = io.BytesIO()
        Image.fromarray(each if channels == 3 else each[..., 0]).save(file, "JPEG", quality=40)
        expected = np.asarray(Image.open(file)).reshape(16, 16, channels)
        assert np.array_equal((got * 255).round().byte().permute(1, 2, 0).numpy(), expected)


def test_jpeg_loses_less_at_a_higher_quality():
    x = images()
    lost = [(jpeg(SHOWN, quality=quality)(x) - x).square().mean() for quality in (5, 30, 75, 95)]
    assert lost == sorted(lost, reverse=True)
    assert lost[0] > 4 * lost[-1]


@pytest.mark.parametrize("name", ["bit_depth", "jpeg"])
@pytest.mark.parametrize("straight_through", [False, True])
def test_the_gradient_is_none_or_the_identitys(name, straight_through):
    x = images().requires_grad_()
    model = defended(name, SHOWN, straight_through=straight_through)
    weights = torch.randn(x.shape, generator=seeded())
    (found,) = torch.autograd.grad((model(x) * weights).sum(), x)
    assert torch.equal(found, weights * straight_through)
    plain = defended(name, SHOWN, straight_through=not straight_through)
    assert torch.equal(model(x), plain(x))


def test_randomisation_keeps_the_scene_and_shrinks_it():
    """A white picture becomes a white rectangle on black, of at least 0.75 of the side."""
    x = torch.ones(64, 1, 32, 32)
    seen = randomisation(SHOWN, smallest=0.75, generator=seeded())(x)
    inside = seen > 0.5
    widths, heights = inside.any(2).sum(-1), inside.any(3).sum(-1)
    missing = (widths * heights)[:, 0] - inside.sum((1, 2, 3))
    assert missing.min() >= 0
    assert missing.max() <= 4  # its corners, half covered twice
    assert widths.min() >= 24
    assert widths.float().mean() == pytest.approx(28, abs=1)
    corners = [inside[:, 0, 0, 0], inside[:, 0, 0, -1], inside[:, 0, -1, 0], inside[:, 0, -1, -1]]
    assert all(0 < corner.sum() < 32 for corner in corners)


def test_randomisation_at_full_scale_is_the_identity():
    x = images()
    torch.testing.assert_close(randomisation(SHOWN, smallest=1, generator=seeded())(x), x, atol=1e-5, rtol=0)


def test_randomisation_differs_at_each_call_and_repeats_by_seed():
    x = images()
    model, again = (randomisation(SHOWN, generator=seeded(5)) for _ in range(2))
    first = model(x)
    assert not torch.equal(first, model(x))
    assert torch.equal(first, again(x))


@pytest.mark.parametrize("name", DEFENCES)
def test_every_defence_keeps_shape_range_and_mode(name):
    network = nn.Sequential(nn.Flatten(), nn.Linear(768, 5)).eval()
    model = defended(name, network)
    assert not model.training
    assert model(images()).shape == (4, 5)
    seen = defended(name, SHOWN)(images())
    assert seen.shape == images().shape
    assert seen.min() >= 0
    assert seen.max() <= 1
    (gradient,) = torch.autograd.grad(model(x := images().requires_grad_()).sum(), x)
    assert gradient.abs().sum() > 0 or name != "randomisation"


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda: bit_depth(SHOWN, bits=0), "from 1 to 8"),
        (lambda: bit_depth(SHOWN, bits=16), "number of levels"),
        (lambda: jpeg(SHOWN, quality=0.75), "not a share"),
        (lambda: jpeg(SHOWN)(torch.rand(1, 4, 8, 8)), "one channel or three; got 4"),
        (lambda: randomisation(SHOWN, smallest=0, generator=seeded()), "share of the side"),
    ],
)
def test_bad_settings_are_refused(build, said):
    with pytest.raises(ArgumentError, match=said):
        build()
