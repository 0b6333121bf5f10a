"""Cut-outs: trimming, filling, scaling and turning in closed form."""

import numpy as np
import pytest

from gauntlet.errors import ArgumentError
from gauntlet.shifts.cutouts import fill_outline, remove_specks, resize, transform, trim


def disc(side: int = 41, radius: float = 15, colour=(200, 40, 20)) -> np.ndarray:
    rows, columns = np.mgrid[:side, :side] - side // 2
    rgba = np.zeros((side, side, 4), np.uint8)
    rgba[rows**2 + columns**2 <= radius**2] = (*colour, 255)
    return rgba


def noise(height: int = 12, width: int = 20) -> np.ndarray:
    rgba = np.random.default_rng(0).integers(0, 256, (height, width, 4)).astype(np.uint8)
    rgba[..., 3] = 255
    return rgba


def test_nothing_asked_is_identity():
    rgba = noise()
    np.testing.assert_array_equal(transform(rgba), rgba)
    np.testing.assert_array_equal(transform(transform(rgba, flip=True), flip=True), rgba)
    np.testing.assert_array_equal(transform(rgba, flip=True), rgba[:, ::-1])
    assert transform(rgba) is not rgba


@pytest.mark.parametrize(("angle", "turns"), [(90, 1), (180, 2), (270, 3), (-90, 3)])
def test_quarter_turns_are_exact(angle, turns):
    rgba = noise()
    np.testing.assert_allclose(transform(rgba, angle=angle).astype(int), np.rot90(rgba, turns).astype(int), atol=2)


def test_turning_keeps_area_and_centre():
    rgba = disc()
    turned = transform(rgba, angle=33)
    mask = turned[..., 3] >= 128
    assert abs(mask.sum() / (rgba[..., 3] >= 128).sum() - 1) < 0.03
    assert np.abs(np.argwhere(mask).mean(0) - (np.array(mask.shape) - 1) / 2).max() < 0.3


@pytest.mark.parametrize("scale", [0.3, 0.77, 1.6])
@pytest.mark.parametrize("angle", [0, 20])
def test_no_colour_bleeds_in(scale, angle):
    rgba = disc(colour=(255, 255, 255))  # transparent black around it
    made = transform(rgba, scale=scale, angle=angle)
    assert made[made[..., 3] >= 8][:, :3].min() >= 235
    clear = disc(colour=(0, 0, 0))
    clear[clear[..., 3] == 0, :3] = 255  # transparent white around black
    made = transform(clear, scale=scale, angle=angle)
    assert made[made[..., 3] >= 8][:, :3].max() <= 20


def test_scaling_keeps_the_share():
    small = resize(disc(80, 30), scale=0.5)
    assert small.shape == (40, 40, 4)
    assert abs((small[..., 3] / 255).sum() / (np.pi * 15**2) - 1) < 0.02


def test_a_side_keeps_one_pixel():
    assert resize(noise(2, 40), scale=0.1).shape == (1, 4, 4)


@pytest.mark.parametrize("scale", [0, -1, float("nan")])
def test_scale_lies_above_zero(scale):
    with pytest.raises(ArgumentError, match="scale must lie above 0"):
        resize(noise(), scale=scale)


def test_trim():
    rgba = np.zeros((50, 60, 4), np.uint8)
    rgba[10:20, 5:45] = (1, 2, 3, 255)
    assert trim(rgba, max_side=100).shape == (10, 40, 4)
    assert trim(rgba, max_side=20).shape == (5, 20, 4)
    with pytest.raises(ArgumentError, match="its mask is empty"):
        trim(np.zeros((5, 5, 4), np.uint8), max_side=4)


def test_an_outline_becomes_its_silhouette():
    ring = disc(41, 15)
    ring[disc(41, 12)[..., 3] > 0] = 0
    filled = fill_outline(ring)
    np.testing.assert_array_equal(filled[..., 3] > 0, disc(41, 15)[..., 3] > 0)
    assert (filled[20, 20] == 255).all()
    np.testing.assert_array_equal(filled[ring[..., 3] > 0], ring[ring[..., 3] > 0])


def test_an_open_outline_stays_as_it_is():
    ring = disc(41, 15)
    ring[disc(41, 12)[..., 3] > 0] = 0
    ring[:20, 18:23] = 0
    np.testing.assert_array_equal(fill_outline(ring), ring)


def test_specks_go_and_parts_stay():
    rgba = np.zeros((60, 60, 4), np.uint8)
    rgba[5:35, 5:35] = 255
    rgba[45:55, 45:55] = 255
    rgba[50, 10] = 255
    kept = remove_specks(rgba)
    assert kept[50, 10].sum() == 0
    rgba[50, 10] = 0
    np.testing.assert_array_equal(kept, rgba)


@pytest.mark.parametrize("wrong", [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 4), np.float32)])
@pytest.mark.parametrize("work", [transform, fill_outline, remove_specks, lambda rgba: trim(rgba, max_side=3)])
def test_the_alpha_channel_must_be_there(wrong, work):
    with pytest.raises(ArgumentError, match="uint8 H x W x 4"):
        work(wrong)
