"""Compositing: masks, places and blending in closed form."""

import numpy as np
import pytest

from gauntlet.errors import ArgumentError
from gauntlet.shifts.compositing import Placement, arrange, compose, fit, random_crop


def square(side: int = 10, colour=(255, 0, 0), alpha: int = 255) -> np.ndarray:
    return np.full((side, side, 4), (*colour, alpha), np.uint8)


def grey(side: int = 40, level: int = 100) -> np.ndarray:
    return np.full((side, side, 3), level, np.uint8)


def plain(background, *placements):
    return compose(background, placements, shadow=0, light=0)


def test_nothing_pasted_is_identity():
    made = compose(grey(), [])
    np.testing.assert_array_equal(made.image, grey())
    assert made.masks == []


def test_an_opaque_paste_is_exact():
    made = plain(grey(), Placement(square(), 5, 8))
    expected = grey()
    expected[8:18, 5:15] = (255, 0, 0)
    np.testing.assert_array_equal(made.image, expected)
    assert made.whole == [100]


def test_every_alpha_blends_and_the_mask_begins_at_128():
    ramp = np.zeros((1, 256, 4), np.uint8)
    ramp[0, :, 0], ramp[0, :, 3] = 255, np.arange(256)
    made = plain(np.zeros((1, 256, 3), np.uint8), Placement(ramp, 0, 0))
    np.testing.assert_array_equal(made.masks[0][0], np.arange(256) >= 128)
    np.testing.assert_array_equal(made.image[0, :, 0], np.arange(256))


def test_later_objects_hide_earlier_ones():
    made = plain(grey(), Placement(square(), 5, 5), Placement(square(colour=(0, 0, 255)), 10, 5))
    assert [int(mask.sum()) for mask in made.masks] == [50, 100]
    assert not (made.masks[0] & made.masks[1]).any()
    assert made.whole == [100, 100]
    assert (made.image[5, 12] == (0, 0, 255)).all()


@pytest.mark.parametrize(("x", "y", "shown"), [(-4, 0, 60), (36, 36, 16), (0, -9, 10), (40, 0, 0), (-10, -10, 0)])
def test_what_lies_outside_is_cut_off(x, y, shown):
    made = compose(grey(), [Placement(square(), x, y)])
    assert made.masks[0].sum() == shown
    assert made.whole == [100]


def test_shadow_darkens_and_light_adapts():
    paste = Placement(square(12), 14, 10)
    bare, shaded = plain(grey(), paste), compose(grey(), [paste], shadow=0.5, light=0)
    outside = ~bare.masks[0]
    assert (shaded.image[outside].astype(int) <= bare.image[outside]).all()
    assert shaded.image[23, 20].mean() < 90
    np.testing.assert_array_equal(shaded.image[bare.masks[0]], bare.image[bare.masks[0]])
    lit = compose(grey(), [paste], shadow=0, light=1)
    assert abs(int(lit.image[15, 20, 0]) - 195) <= 1  # drawn to the grey by 60 at most
    np.testing.assert_array_equal(lit.image[outside], grey()[outside])


def test_an_object_fits_its_box_and_stands_on_its_foot():
    placed = fit(np.full((20, 10, 4), 255, np.uint8), (8, 4, 30, 10), index=3)
    assert placed.rgba.shape == (10, 5, 4)
    assert (placed.y + 10, placed.index) == (14, 3)
    assert abs(placed.x + 2.5 - 23) <= 0.5
    with pytest.raises(ArgumentError, match="above 0"):
        fit(square(), (0, 0, 0, 5))


def test_crops_have_the_size_asked_for_and_depend_on_the_generator_alone():
    picture = np.random.default_rng(1).integers(0, 256, (60, 90, 3)).astype(np.uint8)
    first, second = (random_crop(picture, size=(32, 48), generator=np.random.default_rng(4)) for _ in range(2))
    assert first.shape == (32, 48, 3)
    np.testing.assert_array_equal(first, second)
    assert random_crop(grey(5), size=(64, 64), generator=np.random.default_rng(0)).shape == (64, 64, 3)


def test_arrangements_are_ordered_and_mostly_inside():
    generator = np.random.default_rng(0)
    for _ in range(40):
        placements = arrange([square(30), square(50), square(9)], size=100, scale=(0.2, 0.9), generator=generator)
        feet = [placement.y + placement.rgba.shape[0] for placement in placements]
        assert feet == sorted(feet)
        assert sorted(placement.index for placement in placements) == [0, 1, 2]
        for placement in placements:
            made = plain(grey(100), placement)
            assert made.masks[0].sum() >= 0.45 * made.whole[0]


@pytest.mark.parametrize("scale", [(0, 0.5), (0.8, 0.2)])
def test_scales_lie_in_order_above_zero(scale):
    with pytest.raises(ArgumentError, match="scale must be a least and a greatest"):
        arrange([square()], size=50, scale=scale, generator=np.random.default_rng(0))
