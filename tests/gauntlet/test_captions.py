"""Colours against their textbook values; captions hold what they are asked to say, in plain English."""

import numpy as np
import pytest

from gauntlet.captions import COLOURS, KINDS, STYLES, article, caption, colour_shares, colour_word
from gauntlet.errors import ArgumentError

TEXTBOOK = {
    "black": (0, 0, 0),
    "grey": (128, 128, 128),
    "white": (255, 255, 255),
    "red": (220, 20, 20),
    "orange": (255, 140, 0),
    "yellow": (255, 235, 0),
    "green": (0, 128, 0),
    "cyan": (0, 255, 255),
    "blue": (0, 0, 255),
    "purple": (128, 0, 255),
    "pink": (255, 20, 147),
}


@pytest.mark.parametrize("word", COLOURS)
def test_textbook_colours(word):
    assert colour_word(np.full((3, 5, 3), TEXTBOOK[word], np.uint8)) == word


def test_red_wraps_around():
    assert colour_word(np.full((1, 1, 3), (220, 20, 40), np.uint8)) == "red"
    assert colour_word(np.full((1, 1, 3), (220, 40, 20), np.uint8)) == "red"


def test_shares_count_pixels():
    pixels = np.array([TEXTBOOK["red"]] * 3 + [TEXTBOOK["blue"]], np.uint8)[None]
    shares = dict(zip(COLOURS, colour_shares(pixels), strict=True))
    assert shares["red"] == 0.75
    assert shares["blue"] == 0.25
    assert sum(shares.values()) == 1


def test_every_pixel_has_a_word():
    pixels = np.random.default_rng(0).integers(0, 256, (200, 200, 3)).astype(np.uint8)
    shares = colour_shares(pixels)
    assert shares.sum() == pytest.approx(1)
    assert (shares > 0).all()
    assert np.array_equal(shares, colour_shares(pixels.reshape(-1, 3)[::-1]))


@pytest.mark.parametrize("pixels", [np.zeros((2, 2, 3)), np.zeros((2, 2), np.uint8), np.zeros((0, 3), np.uint8)])
def test_what_is_no_picture_has_no_colour(pixels):
    with pytest.raises(ArgumentError, match="must be uint8"):
        colour_shares(pixels)


@pytest.mark.parametrize(
    ("words", "expected"), [("owl", "an owl"), ("pig", "a pig"), ("apple", "an apple"), ("", "a ")]
)
def test_article(words, expected):
    assert article(words) == expected


def said(things, *, style="flat", count=300):
    generator = np.random.default_rng(1)
    return [caption(things, style=style, background="blue", generator=generator) for _ in range(count)]


@pytest.mark.parametrize("style", STYLES)
def test_a_caption_names_the_thing_or_its_kind(style):
    lines = said([("owl", "bird")], style=style)
    assert all("owl" in line or "bird" in line for line in lines)
    assert all(line.endswith(".") and ",." not in line for line in lines)
    assert 0.35 < sum("blue background" in line for line in lines) / len(lines) < 0.65
    assert any(kind in line for line in lines for kind in STYLES[style])
    assert not any(word in line for line in lines for other in STYLES if other != style for word in STYLES[other][:1])


def test_two_things_are_both_named():
    assert all(
        " and " in line and ("car" in line or "vehicle" in line) for line in said([("owl", "bird"), ("car", "vehicle")])
    )


def test_a_coarse_class_that_is_no_noun_gets_its_word():
    lines = said([("crab", "marine")])
    assert not any("marine" in line for line in lines)
    assert any(KINDS["marine"] in line for line in lines)


def test_one_generator_one_caption():
    assert said([("owl", "bird")]) == said([("owl", "bird")])
    assert len(set(said([("owl", "bird")]))) > 20


@pytest.mark.parametrize(("things", "style"), [([], "flat"), ([("owl", "bird")], "oil")])
def test_nothing_to_say(things, style):
    with pytest.raises(ArgumentError, match="needs a thing and a style"):
        caption(things, style=style, background="blue", generator=np.random.default_rng(0))
