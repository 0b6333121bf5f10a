import numpy as np
import pytest

from gauntlet.errors import ArgumentError, DataError
from gauntlet.shifts.imagenet_e_geometry import (
    check_picture,
    full_size,
    keep_place,
    largest_component,
    mask_box,
    random_direction,
    random_position,
    resize_to_rate,
    rotate,
)
from tests.fixtures.classification import pictures


@pytest.fixture(scope="module")
def examples():
    x, masks, _ = pictures(24, seed=2)
    return list(zip(x, masks, strict=True))


def _bar(height=64, width=64, *, box):
    x, mask = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), bool)
    left, top, right, bottom = box
    mask[top:bottom, left:right] = True
    x[mask] = (200, 100, 50)
    return x, mask


@pytest.mark.parametrize("rate", [0.1, 0.08, 0.05])
def test_the_object_takes_its_share_of_the_frame(examples, rate):
    for x, mask in examples:
        placed = resize_to_rate(x, mask, rate=rate)
        assert abs(placed.rate - rate) <= 0.015 + 1e-9 or int(100 * placed.rate) == round(100 * rate)
        assert placed.coverage[placed.mask].min() == 1


def test_an_object_that_has_its_share_already_is_left_alone():
    x, mask = _bar(box=(0, 0, 16, 16))
    placed = resize_to_rate(x, mask, rate=0.06)
    assert placed.scale == 1
    assert np.array_equal(placed.mask, mask)


@pytest.mark.parametrize("box", [(0, 31, 64, 32), (20, 31, 21, 32)])
def test_a_wire_and_a_dot_cannot_take_much_of_the_frame(box):
    assert resize_to_rate(*_bar(box=box), rate=0.3) is None


def test_full_touches_the_frame_and_keeps_the_shape():
    placed = full_size(*_bar(box=(5, 7, 25, 17)))
    left, top, right, bottom = placed.box_xyxy
    assert left <= 1
    assert right >= 63
    assert abs((bottom - top) - 32) <= 1
    assert abs((top + bottom) / 2 - 32) <= 1
    assert placed.scale == pytest.approx(3.2)
    assert (placed.image[placed.mask] == (200, 100, 50)).all()


def test_position_keeps_area_and_shape_and_reaches_the_corners(examples):
    generator = np.random.default_rng(0)
    x, mask = examples[0]
    small = resize_to_rate(x, mask, rate=0.05)
    boxes = []
    for _ in range(200):
        moved = random_position(x, mask, generator=generator)
        assert moved.mask.sum() == small.mask.sum()
        boxes.append(moved.box_xyxy)
    left, top, right, bottom = np.array(boxes).T
    assert (left.min(), top.min(), right.max(), bottom.max()) == (0, 0, 64, 64)
    old, new = small.box_xyxy, moved.box_xyxy
    assert np.array_equal(small.mask[old[1] : old[3], old[0] : old[2]], moved.mask[new[1] : new[3], new[0] : new[2]])


def test_rotation_by_zero_is_the_identity(examples):
    for x, mask in examples:
        placed = rotate(x, mask, angle_deg=0.0)
        assert np.array_equal(placed.mask, mask)
        assert np.array_equal(placed.image[mask], x[mask])


def test_a_quarter_turn_is_a_quarter_turn():
    x, mask = _bar(box=(20, 20, 41, 31))
    x[mask & (np.arange(64) < 25)[None]] = (0, 0, 250)
    placed = rotate(x, mask, angle_deg=90)
    assert np.array_equal(placed.mask[15:36, 25:36], np.ones((21, 11), bool))
    assert placed.mask.sum() == mask.sum()
    assert (placed.image[32:36, 26:35, 2] > 200).all()


def test_directions_lie_between_minus_and_plus_45_degrees(examples):
    generator = np.random.default_rng(0)
    angles = [random_direction(*examples[0], generator=generator).angle_deg for _ in range(200)]
    assert min(angles) >= -45
    assert max(angles) < 45
    assert max(angles) - min(angles) > 80


def test_the_largest_part_is_found():
    _, mask = _bar(box=(2, 2, 5, 5))
    mask[20:40, 20:40] = True
    assert mask_box(largest_component(mask)) == (20, 20, 40, 40)


def test_the_rim_fades_within_two_pixels(examples):
    x, mask = examples[0]
    placed = keep_place(x, mask)
    assert (placed.coverage[mask] == 1).all()
    assert 0 < (placed.coverage[~mask] > 0).mean() < 0.2


@pytest.mark.parametrize(
    ("x", "mask", "said"),
    [
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), bool), "empty mask"),
        (np.zeros((4, 4, 3), np.uint8), np.ones((4, 5), bool), "another picture"),
        (np.zeros((4, 4), np.uint8), np.ones((4, 4), bool), "convert grey"),
        (np.zeros((4, 4, 4), np.uint8), np.ones((4, 4), bool), "CMYK"),
    ],
)
def test_a_bad_picture_is_named(x, mask, said):
    with pytest.raises(DataError, match=f"picture-7.*{said}"):
        check_picture(x, mask, key="picture-7")


def test_a_rate_in_per_cent_is_refused(examples):
    with pytest.raises(ArgumentError, match=r"0\.05, not 5"):
        resize_to_rate(*examples[0], rate=5)
