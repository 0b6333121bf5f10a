"""Redrawn layouts: drawings in boxes, what hides what, and silhouettes of open outlines."""

import numpy as np
import pytest

from gauntlet.errors import ArgumentError
from gauntlet.shifts.drawings import PENS, closed, pen_drawing, redraw


def block(height, width, colour=(0, 0, 0)):
    return np.dstack([np.full((height, width, 3), colour, np.uint8), np.full((height, width), 255, np.uint8)])


def ring(side, *, gap):
    """A square outline of 3 px with a gap of `gap` px in its upper edge."""
    rgba = np.zeros((side, side, 4), np.uint8)
    rgba[..., 3] = 255
    rgba[3:-3, 3:-3, 3] = 0
    rgba[:3, side // 2 - gap // 2 : side // 2 + gap - gap // 2, 3] = 0
    return rgba


def test_each_box_is_filled_as_far_as_the_drawing_allows():
    canvas = np.full((64, 96, 3), 200, np.uint8)
    generator = np.random.default_rng(0)
    drawn = redraw(canvas, [(8, 8, 20, 40), (50, 10, 40, 10)], [[block(30, 30)], [block(5, 20)]], generator=generator)
    rows, columns = np.nonzero(drawn.masks[0])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (28, 47, 8, 27)  # stands on its lower edge
    assert drawn.masks[1].sum() == 400
    assert (drawn.image[drawn.masks[0] | drawn.masks[1]] == 0).all()
    assert (drawn.image[~(drawn.masks[0] | drawn.masks[1])] == 200).all()
    assert (canvas == 200).all()


def test_a_small_box_stands_in_front_of_a_large_one_in_any_order():
    boxes, colours = [(10, 10, 12, 12), (0, 0, 48, 48)], [(255, 0, 0), (0, 0, 255)]
    for order in ([0, 1], [1, 0]):
        drawn = redraw(
            np.zeros((64, 64, 3), np.uint8),
            [boxes[i] for i in order],
            [[block(9, 9, colours[i])] for i in order],
            generator=np.random.default_rng(0),
        )
        assert [drawn.masks[order.index(i)].sum() for i in (0, 1)] == [144, 48 * 48 - 144]
        assert tuple(drawn.image[15, 15]) == (255, 0, 0)


def test_the_better_fitting_drawing_is_taken():
    wide, tall = block(10, 40), block(40, 10)
    tries = [
        redraw(np.zeros((64, 64, 3), np.uint8), [(0, 0, 60, 15)], [[tall, wide]], generator=np.random.default_rng(s))
        for s in range(20)
    ]
    assert sum(each.chosen == [1] for each in tries) >= 15  # 7 of 8 draws offer it


def test_a_box_without_drawings_is_refused():
    with pytest.raises(ArgumentError, match="box 0 has none"):
        redraw(np.zeros((64, 64, 3), np.uint8), [(0, 0, 9, 9)], [[]], generator=np.random.default_rng(0))


def test_a_pen_leaves_the_paper_where_it_does_not_draw():
    sheet = np.full((64, 64, 3), (205, 172, 131), np.uint8)
    outline = closed(ring(30, gap=0))
    drawn = pen_drawing(sheet, [(10, 10, 40, 40)], [[outline]], severity=1, generator=np.random.default_rng(1))
    assert (drawn.image[30, 30] == sheet[30, 30]).all()
    assert np.abs(drawn.image[12, 30].astype(int) - PENS["ink"]).max() < 130
    assert drawn.masks[0][30, 30]


def test_lines_grow_fainter_with_severity():
    sheet = np.full((64, 64, 3), 250, np.uint8)
    darkness = [
        255 - pen_drawing(
            sheet, [(8, 8, 48, 48)], [[ring(30, gap=0)]], severity=level, generator=np.random.default_rng(1)
        ).image.mean()
        for level in range(1, 6)
    ]  # fmt: skip
    assert darkness == sorted(darkness, reverse=True)


@pytest.mark.parametrize("severity", [0, 6, 2.5])
def test_severity_must_be_a_level(severity):
    with pytest.raises(ArgumentError, match="whole number from 1 to 5"):
        pen_drawing(np.zeros((64, 64, 3), np.uint8), [], [], severity=severity, generator=np.random.default_rng(0))


def test_an_outline_with_a_narrow_gap_is_filled_and_a_wide_opening_is_not():
    narrow, wide = closed(ring(60, gap=6), gap=0.16), closed(ring(60, gap=40), gap=0.16)
    assert (narrow[30, 30] == 255).all()
    assert wide[30, 30, 3] == 0
    assert (narrow[1, 1] == (0, 0, 0, 255)).all()  # the lines stay


def test_closing_adds_nothing_around_a_filled_drawing():
    rgba = np.pad(block(20, 30), ((10, 10), (10, 10), (0, 0)))
    assert (closed(rgba) == rgba).all()
