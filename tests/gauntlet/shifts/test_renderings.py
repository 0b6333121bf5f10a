"""One parametrised test over every rendering of a whole picture, then what is special to each family."""

import re

import cv2
import numpy as np
import pytest

from gauntlet.errors import ArgumentError
from gauntlet.shifts.cartoon import cel_shade
from gauntlet.shifts.crystals import frost_bank
from gauntlet.shifts.fields import orientation, plasma, toward, window
from gauntlet.shifts.handmake import CRAFTS, handmake
from gauntlet.shifts.painting import PAINTING, painting
from gauntlet.shifts.palettes import palette, patches
from gauntlet.shifts.sketch import PAPERS, paper, pencil
from gauntlet.shifts.tables import TABLES, table
from gauntlet.shifts.tattoo import skin, tattoo
from gauntlet.shifts.weather import WEATHER, fog, ground_depth, rain, snow

MASKED = {"tattoo": tattoo, "handmake": handmake}
RENDERINGS = {**WEATHER, **PAINTING, "painting": painting, "pencil": pencil, "cel_shade": cel_shade, **MASKED}
GRADED = {name: shift for name, shift in RENDERINGS.items() if name not in {*MASKED, "painting"}}


def picture(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Clouds of colour with a red ellipse that has blue stripes; and the ellipse's mask."""
    generator = np.random.default_rng(7)
    x = np.uint8(np.stack([plasma(height, width, generator=generator) for _ in "rgb"], 2) * 200 + 25)
    oval = np.zeros((height, width), np.uint8)
    cv2.ellipse(oval, (width // 2, height * 5 // 8), (width // 4, height // 4), 0, 0, 360, 255, -1)
    mask = oval > 0
    x[mask] = (190, 60, 40)
    x[mask & (np.arange(width) % 12 < 4)] = (40, 50, 150)
    return x, mask


def render(name: str, *, severity: int, seed: int) -> np.ndarray:
    x, mask = picture(72, 96)
    masks = {"masks": [mask]} if name in MASKED else {}
    return RENDERINGS[name](x, severity=severity, generator=np.random.default_rng(seed), **masks)


@pytest.mark.parametrize("name", RENDERINGS)
def test_same_seed_same_bits_and_input_untouched(name):
    x, _ = picture(72, 96)
    before = x.copy()
    RENDERINGS[name](x, severity=3, generator=np.random.default_rng(0))
    assert (x == before).all()
    first = render(name, severity=3, seed=1)
    assert first.shape == x.shape
    assert first.dtype == np.uint8
    assert (first == render(name, severity=3, seed=1)).all()
    assert (first != render(name, severity=3, seed=2)).any()


@pytest.mark.parametrize("name", RENDERINGS)
@pytest.mark.parametrize("shape", [(32, 32), (33, 71), (97, 40)])
def test_any_size_and_extreme_pictures(name, shape):
    grey = np.repeat(picture(*shape)[0][..., :1], 3, 2)
    for x in (grey, np.zeros((*shape, 3), np.uint8), np.full((*shape, 3), 255, np.uint8)):
        for severity in (1, 5):
            out = RENDERINGS[name](x, severity=severity, generator=np.random.default_rng(3))
            assert out.shape == x.shape
            assert out.dtype == np.uint8
    view = np.asfortranarray(grey)[:, ::-1]
    assert RENDERINGS[name](view, severity=2, generator=np.random.default_rng(3)).shape == grey.shape


@pytest.mark.parametrize("name", GRADED)
def test_each_severity_is_farther_from_the_picture(name):
    x, _ = picture(160, 160)  # brushes differ by whole pixels, so not too small
    shift, seeds = RENDERINGS[name], (0, 1) if name in WEATHER else (0,)

    def distance_at(severity):
        outs = [shift(x, severity=severity, generator=np.random.default_rng(seed)) for seed in seeds]
        return np.abs(np.stack(outs).astype(int) - x).mean()

    distance = [distance_at(severity) for severity in range(1, 6)]
    assert (np.diff(distance) > 0).all(), distance


@pytest.mark.parametrize("name", RENDERINGS)
@pytest.mark.parametrize("severity", [0, 6, 0.5, 3.0, True, "3", None])
def test_severity_outside_one_to_five(name, severity):
    with pytest.raises(ArgumentError, match=re.escape(f"from 1 to 5 (a level, not a share); got {severity!r}")):
        render(name, severity=severity, seed=0)


@pytest.mark.parametrize("name", RENDERINGS)
@pytest.mark.parametrize(
    ("x", "says"),
    [
        (np.zeros((40, 40, 3), np.float32), "uint8 array .0..255"),
        ([[0]], "got list"),
        (np.zeros((40, 40), np.uint8), "grey: stack it"),
        (np.zeros((40, 40, 4), np.uint8), "RGBA: drop A"),
        (np.zeros((3, 40, 40), np.uint8), "height x width x 3"),
        (np.zeros((31, 40, 3), np.uint8), "at least 32 px"),
    ],
)
def test_wrong_picture(name, x, says):
    with pytest.raises(ArgumentError, match=says):
        RENDERINGS[name](x, severity=3, generator=np.random.default_rng(0))


@pytest.mark.parametrize("name", ["fog", "rain", "snow"])
@pytest.mark.parametrize(
    ("depth", "says"),
    [
        (np.zeros((72, 95)), "72 x 96"),
        (np.zeros((72, 96), np.uint8), "float array"),
        (np.full((72, 96), 40.0), "scale metres"),
        (np.full((72, 96), np.nan), "nan"),
    ],
)
def test_wrong_depth(name, depth, says):
    with pytest.raises(ArgumentError, match=says):
        WEATHER[name](picture(72, 96)[0], severity=3, generator=np.random.default_rng(0), depth=depth)


@pytest.mark.parametrize("shift", MASKED.values())
@pytest.mark.parametrize("mask", [np.zeros((72, 95), np.bool_), np.zeros((72, 96), np.uint8), [[True]]])
def test_wrong_mask(shift, mask):
    with pytest.raises(ArgumentError, match="mask 1 is"):
        shift(
            picture(72, 96)[0],
            [np.ones((72, 96), np.bool_), mask],
            severity=3,
            generator=np.random.default_rng(0),
        )


def test_ground_depth_falls_toward_the_camera_and_objects_stand_upright():
    near, far = np.zeros((2, 100, 80), np.bool_)
    near[30:95, 10:40] = True
    far[35:60, 20:60] = True
    depth = ground_depth(100, 80, [near, far], horizon=0.3)
    ground = depth[:, 79]
    assert (ground[:30] == 1).all()
    assert (np.diff(ground[30:]) < 0).all()
    assert ground[-1] == pytest.approx(0, abs=1e-6)
    assert (depth[near] == ground[94]).all()  # the nearer object hides the farther, whatever the order
    assert (depth[far & ~near] == ground[59]).all()
    assert (ground_depth(100, 80, [np.zeros((100, 80), np.bool_)]) == ground_depth(100, 80)).all()


def test_horizon_is_a_share():
    with pytest.raises(ArgumentError, match=r"\[0, 1\), a share"):
        ground_depth(100, 80, horizon=30)


def test_fog_at_no_distance_is_thinner_than_far_away():
    x = np.full((64, 64, 3), 40, np.uint8)
    veil = [
        fog(x, severity=3, generator=np.random.default_rng(0), depth=np.full((64, 64), at)).mean()
        for at in (0.0, 0.5, 1.0)
    ]
    assert 40 < veil[0] < veil[1] < veil[2]


def test_rain_hides_the_far_more():
    x = np.full((64, 64, 3), 40, np.uint8)
    near, far = (
        rain(x, severity=3, generator=np.random.default_rng(0), depth=np.full((64, 64), at)).mean() for at in (0.0, 1.0)
    )
    assert near < far


def test_snow_lies_on_the_ground_and_caps_an_object():
    x = np.full((120, 120, 3), 60, np.uint8)
    mask = np.zeros((120, 120), np.bool_)
    mask[50:110, 40:80] = True
    out = snow(x, severity=5, generator=np.random.default_rng(0), depth=ground_depth(120, 120, [mask]))
    cap, body, ground = out[50:52, 42:78].mean(), out[70:105, 42:78].mean(), out[70:, 85:].mean()
    assert cap > body + 40
    assert ground > body + 40


def test_frost_bank_is_the_same_for_every_caller():
    assert frost_bank() is frost_bank()
    assert all(tile.dtype == np.uint8 and tile.std() > 30 for tile in frost_bank())


def test_tattoo_leaves_skin_outside_and_ink_inside():
    x, mask = picture(96, 96)
    out = tattoo(x, [mask], severity=3, generator=np.random.default_rng(5)).astype(int)
    bare = skin(96, 96, generator=np.random.default_rng(5)).astype(int)
    away = cv2.dilate(np.uint8(mask), np.ones((15, 15))) == 0
    assert np.abs(out - bare)[away].max() <= 1
    assert (out - bare)[mask].mean() < -8  # ink takes light away


def test_tattoo_fades_with_severity():
    x, mask = picture(96, 96)
    bare = skin(96, 96, generator=np.random.default_rng(5)).astype(int)
    ink = [
        (bare - tattoo(x, [mask], severity=severity, generator=np.random.default_rng(5)))[mask].mean()
        for severity in range(1, 6)
    ]
    assert (np.diff(ink) < 0).all(), ink


def test_skin_tones_range_from_light_to_deep():
    means = [skin(48, 48, generator=np.random.default_rng(seed)).mean(dtype=np.float64) for seed in range(30)]
    assert max(means) > 190
    assert min(means) < 95


def test_without_objects_there_is_only_skin_and_only_table():
    x, _ = picture(72, 96)
    empty = [np.zeros((72, 96), np.bool_)]
    for masks in ([], empty):
        out = tattoo(x, masks, severity=1, generator=np.random.default_rng(5))
        assert np.abs(out.astype(int) - skin(72, 96, generator=np.random.default_rng(5))).max() <= 1
        assert handmake(x, masks, severity=1, generator=np.random.default_rng(5)).shape == x.shape


@pytest.mark.parametrize("craft", CRAFTS.values())
def test_a_piece_covers_its_mask_and_nothing_far_from_it(craft):
    x, mask = picture(96, 96)
    piece = craft(x, mask, level=2, unit=1.0, generator=np.random.default_rng(0))
    assert piece.cover[cv2.erode(np.uint8(mask), np.ones((7, 7))) > 0].min() > 0.9
    assert piece.cover[cv2.dilate(np.uint8(mask), np.ones((9, 9))) == 0].max() < 0.05
    assert ((piece.cover >= 0) & (piece.cover <= 1)).all()


def test_handmake_keeps_the_box_of_its_object():
    x, mask = picture(128, 128)
    seen = set()
    for seed in range(12):  # on a table the object must stand out against the same table without it
        generator = np.random.default_rng(seed)
        out = handmake(x, [mask], severity=3, generator=generator)
        bare = handmake(x, [], severity=3, generator=np.random.default_rng(seed))
        changed = np.abs(out.astype(int) - bare).max(2) > 60
        rows, columns = window(changed & mask, margin_px=0)
        truth = window(mask, margin_px=0)
        assert abs(rows.stop - truth[0].stop) <= 4
        assert abs(columns.start - truth[1].start) <= 4
        seen.add(out.tobytes())
    assert len(seen) == 12


@pytest.mark.parametrize("kind", PAPERS)
def test_every_paper_is_light(kind):
    sheet = PAPERS[kind](64, 80, np.random.default_rng(0))
    assert sheet.shape == (64, 80, 3)
    assert np.median(sheet.mean(2)) > 150


def test_paper_is_drawn_from_its_generator_and_refuses_a_stamp():
    sheets = {paper(40, 40, generator=np.random.default_rng(seed)).tobytes() for seed in range(10)}
    assert len(sheets) == 10
    with pytest.raises(ArgumentError, match="at least 32 px"):
        paper(31, 64, generator=np.random.default_rng(0))


@pytest.mark.parametrize("kind", TABLES)
def test_every_table(kind):
    assert TABLES[kind](33, 80, np.random.default_rng(0)).shape == (33, 80, 3)
    assert table(33, 80, generator=np.random.default_rng(0)).dtype == np.uint8


def test_pencil_on_white_draws_nothing_and_an_edge_gives_a_line():
    blank = pencil(np.full((96, 96, 3), 255, np.uint8), severity=5, generator=np.random.default_rng(0))
    assert blank.min() > 180
    x = np.full((96, 96, 3), 255, np.uint8)
    x[:, 48:] = 60
    edge = pencil(x, severity=5, generator=np.random.default_rng(0))
    assert edge[:, 44:53].min(1).mean() < 90
    assert edge[:, :38].min() > 180


def test_cel_has_few_tones():
    x = np.repeat(np.linspace(0, 255, 256).astype(np.uint8)[None, :, None], 64, 0).repeat(3, 2)
    grey = cel_shade(x, severity=5, generator=np.random.default_rng(0))[32, :, 1].astype(int)
    assert (np.diff(grey) == 0).mean() > 0.6  # treads, not a ramp


def test_palette_finds_two_colours_and_patches_deal_them():
    x, _ = picture(64, 64)
    x[:] = (20, 30, 40)
    x[:, 32:] = (200, 210, 220)
    centres = palette(x.reshape(-1, 3), colours=2, generator=np.random.default_rng(0))
    assert np.abs(centres - [(20, 30, 40), (200, 210, 220)]).max() < 1e-3
    dealt = patches(x, centres, smooth_px=1.0)
    assert (dealt[:, :30] == 0).all()
    assert (dealt[:, 34:] == 1).all()


def test_orientation_runs_along_an_edge():
    grey = np.zeros((40, 40), np.float32)
    grey[:, 20:] = 1
    cos, sin, coherence = orientation(grey, sigma_px=2)
    assert abs(sin[20, 20]) == pytest.approx(1, abs=1e-3)
    assert abs(cos[20, 20]) < 1e-3
    assert coherence[20, 20] > 0.9


def test_toward_blends_by_weight():
    x = np.full((32, 32, 3), 100, np.uint8)
    weight = np.zeros((32, 32), np.uint8)
    weight[16:] = 255
    out = toward(x, weight, (10, 20, 30))
    assert (out[:16] == 100).all()
    assert (out[16:] == (10, 20, 30)).all()
