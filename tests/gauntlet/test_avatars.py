"""Drawn faces: exact attributes, exact edits, parts that do not disturb one another."""

import re
from dataclasses import fields, replace

import numpy as np
import pytest

from gauntlet.avatar_parts import prepare_part
from gauntlet.avatars import (
    ATTRIBUTES,
    BEARDS,
    FRAME,
    GLASSES,
    HAIR,
    SKINS,
    STYLES,
    Face,
    draw_face,
    face_svg,
    identities,
    random_face,
)
from gauntlet.errors import ArgumentError, DataError
from tests.fixtures.drawn_faces import parts, svg

PARTS = {name: prepare_part(name, text) for name, text in parts().items()}
PLAIN = replace(
    random_face(np.random.default_rng(0)),
    hair="pink",
    shade=0,
    glasses="",
    beard="",
    skin="#ffdbb4",
    frame=FRAME,
    background=("#00ff00", "#00ff00"),
)


def at(face, x, y):
    """Return the colour drawn at a place, in the units of the parts."""
    left, top, side = face.frame
    picture = draw_face(face, PARTS, size_px=220)
    return "#" + bytes(picture[int((y - top) * 220 / side), int((x - left) * 220 / side)]).hex()


def test_each_colour_is_where_its_part_is():
    assert at(PLAIN, 132, 30) == HAIR["pink"][0]
    assert at(PLAIN, 132, 160) == PLAIN.skin
    assert at(PLAIN, 30, 100) == "#00ff00"
    assert at(PLAIN, 132, 200) == PLAIN.fabric


@pytest.mark.parametrize("name", ["black", "blond", "brown"])
def test_an_edit_of_hair_colours_hair_and_beard(name):
    face = replace(PLAIN, beard=BEARDS[1]).edited(f"{name}_hair")
    assert at(face, 132, 30) == at(face, 132, 150) == HAIR[name][0]


def test_glasses_and_beard_go_on_and_off():
    assert at(PLAIN.edited("glasses"), 132, 100) == "#000080"
    assert at(PLAIN.edited("beard"), 132, 150) == HAIR["pink"][0]
    assert PLAIN.edited("glasses").edited("glasses") == PLAIN
    assert PLAIN.edited("beard").edited("beard") == PLAIN


def test_an_edit_changes_its_own_attribute_alone():
    generator = np.random.default_rng(3)
    for face in (random_face(generator) for _ in range(50)):
        before = dict(zip(ATTRIBUTES, face.attributes, strict=True))
        for name in ATTRIBUTES:
            after = dict(zip(ATTRIBUTES, face.edited(name).attributes, strict=True))
            hair = {each: each == name for each in ATTRIBUTES[:3]}
            want = before | (hair if name in hair else {name: not before[name]})
            assert after == want
            changed = {
                each.name for each in fields(Face) if getattr(face, each.name) != getattr(face.edited(name), each.name)
            }
            assert changed <= {"hair", "shade"} if name in hair else changed == {name}


def test_the_pixels_of_an_edit_differ_where_the_part_is():
    before, after = (draw_face(face, PARTS, size_px=64).astype(int) for face in (PLAIN, PLAIN.edited("glasses")))
    rows, _columns = np.nonzero(np.abs(after - before).sum(2))
    _left, top, side = FRAME
    assert top + rows.min() * side / 64 > 80
    assert top + rows.max() * side / 64 < 120


def test_ids_of_two_parts_do_not_meet():
    ids = re.findall(r'\bid="([^"]+)"', face_svg(replace(PLAIN, beard=BEARDS[0], glasses=GLASSES[0]), PARTS))
    hair = [each for each in ids if each.endswith("path-1")]
    assert len(hair) == len(set(hair)) == 5


def test_a_reference_follows_its_id():
    part = prepare_part("a/b.svg", svg('<path id="p"/><use xlink:href="#p"/><g mask="url(#p)"/>'))
    assert re.findall(r'id="(\S+)"|#([^")]+)', part) == [("a-b-svg-p", ""), ("", "a-b-svg-p"), ("", "a-b-svg-p")]


def test_identities_of_the_splits_are_disjoint_and_whole():
    split = [set(identities(name, seed=1)) for name in ("train", "val", "test")]
    assert sum(map(len, split)) == len(set.union(*split)) == len(STYLES) * len(SKINS)
    assert set(identities("train", seed=1)) != set(identities("train", seed=2))


def test_random_faces_depend_on_the_generator_and_keep_to_the_pairs():
    pairs = identities("val", seed=0)
    first, again = (
        [random_face(generator, pairs=pairs) for _ in range(60)]
        for generator in (np.random.default_rng(5), np.random.default_rng(5))
    )
    assert first == again
    assert len(set(first)) == 60
    assert {(face.style, face.skin) for face in first} <= set(pairs)
    shares = np.mean([random_face(np.random.default_rng(i)).attributes for i in range(800)], 0)
    assert np.allclose(shares, [0.25, 0.25, 0.25, 0.4, 0.4], atol=0.06)


def test_bad_input_is_one_line():
    with pytest.raises(ArgumentError, match=r"attribute must be one of black_hair, .*; got 'glases'; misspelt\?"):
        PLAIN.edited("glases")
    with pytest.raises(ArgumentError, match="size_px must be at least 16; got 8"):
        draw_face(PLAIN, PARTS, size_px=8)
    with pytest.raises(DataError, match=r"the parts must hold clothes/.*; they do not"):
        draw_face(PLAIN, {name: part for name, part in PARTS.items() if "clothes" not in name}, size_px=64)
    with pytest.raises(DataError, match=r"x\.svg must be an SVG"):
        prepare_part("x.svg", "<html/>")
