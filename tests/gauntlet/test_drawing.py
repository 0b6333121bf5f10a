import numpy as np
import pytest
from PIL import ImageColor

from gauntlet.drawing import PALETTE, draw_boxes


@pytest.fixture
def grey():
    return np.full((60, 80, 3), 128, np.uint8)


def test_draws_a_frame_in_the_names_own_colour_and_leaves_the_image_alone(grey):
    drawn = draw_boxes(grey, np.array([[10, 20, 50, 50]]), ["bus"])
    assert drawn.shape == grey.shape
    assert np.all(grey == 128)
    assert tuple(drawn[50, 30]) in {ImageColor.getrgb(colour) for colour in PALETTE}
    assert np.all(drawn[35, 30] == 128)
    assert np.array_equal(drawn[50, 30], draw_boxes(grey, np.array([[0, 0, 40, 50]]), ["bus"])[50, 30])


def test_no_boxes_give_the_image(grey):
    assert np.array_equal(draw_boxes(grey, np.zeros((0, 4)), []), grey)


def test_large_images_are_made_small_with_their_boxes(grey):
    large = np.kron(grey, np.ones((10, 10, 1), np.uint8))
    drawn = draw_boxes(large, np.array([[100, 200, 500, 500]]), ["bus"], scores=[0.5], side_px=80)
    assert drawn.shape == (60, 80, 3)
    assert tuple(drawn[50, 30]) != (128, 128, 128)


def test_boxes_over_the_edge_or_outside_are_kept_inside(grey):
    draw_boxes(grey, np.array([[-20, -20, 200, 200], [90, 70, 120, 90], [5, 5, 5, 5]]), ["a", "b", "c"])
