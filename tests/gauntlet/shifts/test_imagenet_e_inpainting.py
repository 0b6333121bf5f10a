import cv2
import numpy as np
import pytest

from gauntlet.errors import DataError
from gauntlet.shifts.imagenet_e_inpainting import inpaint
from tests.fixtures.classification import pictures


def test_nothing_of_the_object_is_left_and_the_rest_is_untouched():
    x, masks, _ = pictures(6)
    for picture, mask in zip(x, masks, strict=True):
        filled = inpaint(picture, mask)
        far = cv2.dilate(mask.astype(np.uint8), np.ones((7, 7), np.uint8)) == 0
        assert np.array_equal(filled[far], picture[far])
        spread = np.abs(picture[far].astype(int) - picture[far].mean(axis=0)).max(axis=0)
        assert (np.abs(filled[mask].astype(int) - picture[far].mean(axis=0)) <= spread + 1).all()


def test_stripes_go_on_behind_the_object():
    stripes = np.where(np.arange(64) // 4 % 2, 200, 60).astype(np.uint8)
    truth = np.repeat(np.repeat(stripes[:, None], 64, axis=1)[..., None], 3, axis=2)
    mask = np.zeros((64, 64), bool)
    mask[24:44, 20:40] = True
    x = truth.copy()
    x[mask] = (255, 0, 255)
    assert np.abs(inpaint(x, mask).astype(int) - truth)[mask].mean() < 12


def test_a_shadow_beside_the_object_goes_too():
    x, mask = np.full((64, 64, 3), 180, np.uint8), np.zeros((64, 64), bool)
    mask[20:40, 20:40] = True
    x[mask], x[40:43, 20:40] = 0, 90
    assert (inpaint(x, mask) == 180).all()


@pytest.mark.parametrize("side_px", [15, 40, 128])
def test_an_object_that_fills_almost_all_leaves_a_picture(side_px):
    x = np.random.default_rng(0).integers(0, 255, (side_px, side_px + 3, 3), dtype=np.uint8)
    mask = np.ones(x.shape[:2], bool)
    mask[:, 0] = False
    assert inpaint(x, mask).shape == x.shape
    assert inpaint(x, np.ones(x.shape[:2], bool)).shape == x.shape


def test_an_empty_mask_is_refused():
    with pytest.raises(DataError, match="empty mask"):
        inpaint(np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), bool))
