import numpy as np
import pytest
import torch

from gauntlet.metrics.imagenet_e import SETTINGS as NAMES
from gauntlet.shifts.imagenet_e import SETTINGS, crop_to, render
from gauntlet.shifts.imagenet_e_background import PixelPrior
from gauntlet.shifts.imagenet_e_inpainting import inpaint
from tests.fixtures.classification import pictures


def test_both_tables_name_the_same_eleven_settings_in_order():
    assert list(SETTINGS) == list(NAMES)
    assert len(SETTINGS) == 11
    assert [slug for slug, setting in SETTINGS.items() if setting.adversarial] == ["background_adversarial"]


@pytest.mark.parametrize("slug", SETTINGS)
def test_every_setting_keeps_the_objects_pixels_exact(slug):
    x, masks, _ = pictures(3)
    setting = SETTINGS[slug]
    placed = [setting.arrange(a, m, np.random.default_rng(k)) for k, (a, m) in enumerate(zip(x, masks, strict=True))]
    backgrounds = np.stack([inpaint(a, m) for a, m in zip(x, masks, strict=True)])
    edited = render(
        placed,
        backgrounds,
        amount=20 * setting.direction,
        steps=3,
        prior=PixelPrior(),
        generator=torch.Generator().manual_seed(0),
    )
    for one, picture, background in zip(placed, edited, backgrounds, strict=True):
        assert np.array_equal(picture[one.mask], one.image[one.mask])
        away = one.coverage == 0
        change = np.abs(picture[away].astype(int) - background[away]).mean()
        assert change > 4 if setting.direction > 0 else change < (30 if setting.direction else 8)


@pytest.mark.parametrize("size", [(32, 32), (20, 40), (100, 50)])
def test_a_crop_has_the_size_asked_for(size):
    background = np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8)
    assert crop_to(background, size=size, generator=np.random.default_rng(0)).shape == (*size, 3)
