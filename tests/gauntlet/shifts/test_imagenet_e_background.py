import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gauntlet.errors import ArgumentError
from gauntlet.shifts.imagenet_e_background import PixelPrior, complexity, edit_background, octaves, range_loss
from tests.fixtures.classification import COLOURS, ColourClassifier, pictures


@pytest.fixture(scope="module")
def batch():
    x, masks, labels = pictures(6)
    return _tensor(x), torch.from_numpy(masks)[:, None].float(), torch.from_numpy(labels)


def _tensor(x):
    return torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255


def _edit(x, masks, *, amount, steps=6, prior=PixelPrior(), seed=0, **rest):  # noqa: B008
    generator = torch.Generator().manual_seed(seed)
    return edit_background(x, masks, amount=amount, steps=steps, prior=prior, generator=generator, **rest)


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (9, 6)])
def test_complexity_is_the_mean_amplitude_of_the_whole_spectrum(size):
    x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(complexity(x), torch.fft.fft2(x).abs().mean(dim=(1, 2, 3)))


@settings(deadline=None, max_examples=40)
@given(st.floats(0, 1), st.floats(0, 10))
def test_complexity_of_a_constant_is_its_value_and_scales_with_it(value, factor):
    x = torch.full((1, 3, 8, 6), value, dtype=torch.float64)
    assert complexity(x).item() == pytest.approx(value, abs=1e-9)
    assert complexity(factor * x).item() == pytest.approx(factor * value, abs=1e-9)


def test_range_loss_counts_only_what_leaves_the_range():
    x = torch.tensor([[0.0, 1.0], [1.25, -0.5]]).view(2, 1, 1, 2)
    assert torch.allclose(range_loss(x), torch.tensor([0.0, (0.5**2 + 1.0**2) / 2]))


@pytest.mark.parametrize("amount", [-20, 0, 20])
def test_the_object_is_exact_and_the_rest_stays_in_range(batch, amount):
    x, masks, _ = batch
    edited = _edit(x, masks, amount=amount)
    inside = masks.bool().expand_as(x)
    assert torch.equal(edited[inside], x[inside])
    assert edited.min() >= 0
    assert edited.max() <= 1
    assert torch.equal(edited, _edit(x, masks, amount=amount))


def test_complexity_is_ordered_by_lambda_on_fifty_pictures():
    x, masks, _ = pictures(50, seed=5, side_px=48)
    x, masks = _tensor(x), torch.from_numpy(masks)[:, None].float()
    smooth, control, busy = (complexity(_edit(x, masks, amount=amount)) for amount in (-20, 0, 20))
    assert ((smooth < control) & (control < busy)).float().mean() > 0.95
    assert ((control / complexity(x)).log().abs() < 0.15).all()


def test_a_busier_background_is_not_white_noise(batch):
    x, masks, _ = batch
    change = (_edit(x, masks, amount=20) - x).mean(dim=1)
    power = torch.fft.rfft2(change).abs().square()
    low, high = power[:, 2:8, 2:8].mean(), power[:, 20:32, 20:32].mean()
    assert low > 10 * high


def test_the_ball_bounds_the_change(batch):
    x, masks, _ = batch
    prior = PixelPrior(radius=0.001, texture=0)
    change = (_edit(x, masks, amount=20, prior=prior) - x).square().mean(dim=(1, 2, 3)).sqrt()
    assert (change <= 0.02 + 1e-5).all()


def test_the_adversarial_background_lowers_the_true_class(batch):
    x, masks, y = batch
    classifier = ColourClassifier()
    grey = x * masks + (1 - masks) * 0.45
    plain = _edit(grey, masks, amount=20)
    against = _edit(grey, masks, amount=20, classifier=classifier, y=y, classifier_scale=2.0)
    before, after = (classifier(one).log_softmax(1).gather(1, y[:, None])[:, 0] for one in (plain, against))
    assert (after < before).all()


def test_a_soft_rim_blends(batch):
    x, masks, _ = batch
    half = masks * 0.5
    background = torch.zeros_like(x)
    edited = _edit(x, half, amount=0, prior=PixelPrior(texture=0), background=background)
    assert torch.allclose(edited, half * x, atol=1e-6)


@pytest.mark.parametrize(
    "wrong",
    [{"steps": 0}, {"masks": torch.zeros(6, 1, 3, 3)}, {"classifier": ColourClassifier(tuple(COLOURS.values()))}],
)
def test_what_cannot_be_is_refused(batch, wrong):
    x, masks, _ = batch
    with pytest.raises(ArgumentError):
        _edit(**({"x": x, "masks": masks, "amount": 20} | wrong))


def test_octaves_have_no_mean_and_the_palette_of_the_picture():
    x = torch.rand(1, 1, 24, 40, generator=torch.Generator().manual_seed(0)).repeat(1, 3, 1, 1)
    made = octaves(x, generator=torch.Generator().manual_seed(1))
    assert made.shape == x.shape
    assert torch.allclose(made.mean(dim=(2, 3)), torch.zeros(1, 3), atol=0.02)
    assert np.allclose(made[:, 0], made[:, 2])
