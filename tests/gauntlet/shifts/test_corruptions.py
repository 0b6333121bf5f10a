"""Every corruption in one parametrised test each, imagecorruptions as the oracle, then closed forms."""

import re
import warnings

import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from gauntlet.errors import ArgumentError
from gauntlet.shifts.corruptions import CORRUPTIONS
from gauntlet.shifts.corruptions_blur import along_line, enlarged, handed_on
from gauntlet.shifts.corruptions_digital import _reflecting
from gauntlet.shifts.corruptions_weather import diamond_square
from gauntlet.shifts.fields import plasma

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from imagecorruptions import corrupt

FIXED = [name for name, corruption in CORRUPTIONS.items() if not corruption.random]
SPREADS = {"frost", "elastic_transform"}
"""Those whose oracle differs on purpose: other pictures of ice; no affine map."""


def picture(height, width, *, seed=0):
    generator = np.random.default_rng(seed)
    clouds = [plasma(height, width, generator=generator, octaves=7, decay=0.7) for _ in "rgb"]
    return np.uint8(np.stack(clouds, 2) * 255)


def run(name, x, *, severity=3, seed=0, constants=None):
    return CORRUPTIONS[name](x, severity=severity, generator=np.random.default_rng(seed), constants=constants)


def oracle(name, x, *, severity):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return corrupt(x, severity=severity, corruption_name=name).astype(int)


def test_the_papers_fifteen_in_its_order():
    assert list(CORRUPTIONS) == [
        *("gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
        *("snow", "frost", "fog", "brightness", "contrast", "elastic_transform", "pixelate", "jpeg_compression"),
    ]
    assert FIXED == ["defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg_compression"]
    assert all(len(entry.imagenet_c) == len(entry.cifar_c) == 5 for entry in CORRUPTIONS.values())


@pytest.mark.parametrize("name", FIXED)
@pytest.mark.parametrize("severity", range(1, 6))
def test_the_fixed_ones_are_the_oracles(name, severity):
    x = picture(224, 224)
    off = np.abs(run(name, x, severity=severity) - oracle(name, x, severity=severity))
    assert off.max() <= 1  # the oracle cuts fractions off too, at another precision
    assert (off > 0).mean() < 0.06


@pytest.mark.parametrize("name", [name for name in CORRUPTIONS if name not in {*FIXED, *SPREADS}])
@pytest.mark.parametrize("severity", [1, 3, 5])
def test_the_random_ones_are_as_strong_as_the_oracles(name, severity):
    x = picture(224, 224)
    np.random.seed(severity)
    count = 24 if name == "fog" else 6
    ours = np.stack([run(name, x, severity=severity, seed=seed) for seed in range(count)]).astype(int)
    theirs = np.stack([oracle(name, x, severity=severity) for _ in range(count)])
    slack = 0.12 if name == "fog" else 0.03
    assert np.abs(ours - x).mean() == pytest.approx(np.abs(theirs - x).mean(), rel=slack)
    assert ours.std() == pytest.approx(theirs.std(), rel=slack)
    assert ours.mean() == pytest.approx(theirs.mean(), rel=slack)


def test_frost_is_about_as_strong_as_the_oracles_photographs():
    x = picture(224, 224)
    np.random.seed(0)
    ours = np.stack([run("frost", x, seed=seed) for seed in range(40)]).astype(int)
    theirs = np.stack([oracle("frost", x, severity=3) for _ in range(40)])
    assert ours.mean() == pytest.approx(theirs.mean(), rel=0.15)
    assert ours.std() == pytest.approx(theirs.std(), rel=0.2)


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("constants", ["imagenet_c", "cifar_c"])
def test_a_batch_is_its_pictures_one_after_the_other(name, constants):
    batch = np.stack([picture(37, 45, seed=seed) for seed in range(3)])  # odd sides, not square
    before = batch.copy()
    generator = np.random.default_rng(4)
    each = [CORRUPTIONS[name](x, severity=2, generator=generator, constants=constants) for x in batch]
    whole = run(name, batch, severity=2, seed=4, constants=constants)
    assert whole.dtype == np.uint8
    assert (whole == np.stack(each)).all()
    assert (batch == before).all()
    assert (whole != batch).any()
    assert CORRUPTIONS[name].random == (whole != run(name, batch, severity=2, seed=5, constants=constants)).any()


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_any_size_and_extreme_pictures(name):
    for shape in ((32, 32), (33, 71), (128, 40), (300, 700)):
        for x in (np.zeros((*shape, 3), np.uint8), np.full((*shape, 3), 255, np.uint8)):
            for severity in (1, 5):
                assert run(name, x, severity=severity).shape == x.shape
    view = np.asfortranarray(picture(64, 48))[:, ::-1]
    assert (run(name, view) == run(name, np.ascontiguousarray(view))).all()


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize(("constants", "side"), [("imagenet_c", 160), ("cifar_c", 32)])
def test_severity_5_is_farther_than_1(name, constants, side):
    x = np.stack([picture(side, side, seed=seed) for seed in range(4)])
    near, far = (
        np.abs(run(name, x, severity=severity, constants=constants).astype(int) - x).mean() for severity in (1, 5)
    )
    if name == "elastic_transform":  # the affine map is largest at the low severities
        assert near > 1
        assert far > 1
    else:
        assert far > near


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_floats_are_rounded_to_8_bits_and_come_back_as_floats(name):
    x = picture(40, 40)
    for dtype in (np.float32, np.float64):
        out = run(name, (x / 255).astype(dtype))
        assert out.dtype == dtype
        assert (np.round(out * 255) == run(name, x)).all()


def test_constants_follow_the_size():
    small, large = picture(32, 40), picture(100, 90)
    assert (run("contrast", small) == run("contrast", small, constants="cifar_c")).all()
    assert (run("contrast", large) == run("contrast", large, constants="imagenet_c")).all()
    assert (run("contrast", small) != run("contrast", small, constants="imagenet_c")).any()


@pytest.mark.parametrize("severity", [0, 6, 0.5, True, "3", None])
def test_severity_outside_one_to_five(severity):
    with pytest.raises(ArgumentError, match=re.escape(f"from 1 to 5 (a level, not a share); got {severity!r}")):
        run("fog", picture(32, 32), severity=severity)


@pytest.mark.parametrize(
    ("x", "says"),
    [
        (np.full((40, 40, 3), 3.0), "not 0..255"),
        (np.full((40, 40, 3), np.nan), "nan to nan"),
        ([[0]], "got list"),
        (np.zeros((2, 3, 40, 40), np.uint8), "height x width x 3"),
        (np.zeros((2, 31, 40, 3), np.uint8), "at least 32 px"),
        (np.zeros((40, 40), np.uint8), "grey: stack it"),
        (np.zeros((0, 40, 40, 3), np.uint8), "height x width x 3"),
    ],
)
def test_wrong_picture(x, says):
    with pytest.raises(ArgumentError, match=says):
        run("contrast", x)


def test_unknown_constants():
    with pytest.raises(ArgumentError, match="cifar_c, or None; got 'cifar10'"):
        run("fog", picture(32, 32), constants="cifar10")


def test_poisson_has_its_mean_and_variance_at_every_value():
    x = np.repeat(np.arange(256, dtype=np.uint8), 3 * 1200).reshape(480, 640, 3)
    out = CORRUPTIONS["shot_noise"].apply(x, 500, np.random.default_rng(0)).reshape(256, -1)[:200] / 255
    value = np.arange(200) / 255
    assert np.abs(out.mean(1) - value).max() < 0.006  # the cut fraction takes half a step of 1/255
    assert out.var(1)[20:] == pytest.approx(value[20:] / 500, rel=0.2)


def test_impulses_are_black_and_white_by_halves():
    out = run("impulse_noise", np.full((320, 320, 3), 100, np.uint8), severity=5)
    assert (out == 0).mean() == pytest.approx(0.135, rel=0.03)
    assert (out == 255).mean() == pytest.approx(0.135, rel=0.03)
    assert set(np.unique(out)) == {0, 100, 255}


@pytest.mark.parametrize("name", ["defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "elastic_transform"])
def test_what_only_moves_light_leaves_a_flat_picture(name):
    for grey in (0, 77, 255):
        x = np.full((96, 96, 3), grey, np.uint8)
        for constants in ("imagenet_c", "cifar_c"):
            assert (run(name, x, severity=5, constants=constants) == grey).all()


def test_handing_on_is_the_loop_over_pixels():
    generator = np.random.default_rng(0)
    for _ in range(20):
        neighbour = generator.integers(0, 60, 60)
        held = np.arange(60)
        for place in range(59, -1, -1):
            held[place] = held[neighbour[place]]
        assert (handed_on(neighbour) == held).all()


def test_a_point_becomes_the_line():
    x = np.zeros((41, 41), np.float32)
    x[20, 20] = 1
    line = along_line(x, 0.0, radius_px=5, sigma_px=2)
    weights = np.exp(-(np.arange(11) ** 2) / 8)
    assert line[20, 10:21][::-1] == pytest.approx(weights / weights.sum())  # each pixel looks to its right
    assert line.sum() == pytest.approx(1)
    assert along_line(x, np.pi / 2, radius_px=5, sigma_px=2)[10:21, 20].sum() == pytest.approx(1)


def test_enlarging_keeps_a_ramp_a_ramp():
    ramp = np.repeat(np.arange(64, dtype=np.float32)[None], 64, 0)
    out = enlarged(ramp, 1.25)
    assert out[0, 0] == pytest.approx(6)  # 52 of 64 columns are left, six gone on each side
    assert np.diff(out, axis=1) == pytest.approx(51 / 64, abs=1e-4)
    assert (enlarged(ramp, 1.0) == ramp).all()


@pytest.mark.parametrize("sigma", [0.0, 0.3, 2.44, 30.0, 170.8])
def test_the_reflecting_blur_is_scipys(sigma):
    line = np.random.default_rng(0).uniform(-1, 1, 50)
    there = gaussian_filter1d(line, sigma, mode="reflect", truncate=3) if sigma else line
    assert _reflecting(50, sigma) @ line == pytest.approx(there, abs=1e-5)


def test_brightness_keeps_hue_and_saturation():
    x = picture(64, 64, seed=2)
    x[0, 0] = 0
    out = run("brightness", x, severity=1, constants="imagenet_c")
    assert tuple(out[0, 0]) == (25, 25, 25)
    inside = (x.max(2) > 60) & (x.max(2) < 200)
    before, after = (cv2.cvtColor(np.float32(y / 255), cv2.COLOR_RGB2HSV)[inside] for y in (x, out))
    assert np.abs(before[:, 1] - after[:, 1]).max() < 0.02
    assert after[:, 2] - before[:, 2] == pytest.approx(0.1, abs=0.004)


def test_the_fractal_is_the_loop_over_midpoints():
    field = diamond_square(30, decay=4.0, generator=np.random.default_rng(0))
    generator, slow, step = np.random.default_rng(0), np.zeros((1, 1)), 1.0
    while len(slow) < 30:
        side = len(slow)
        steps = (generator.random((3, side, side), np.float32) - 0.5) * 2 * step
        grown = np.zeros((2 * side, 2 * side))
        grown[::2, ::2] = slow
        for row, column in np.ndindex(side, side):
            corners = [slow[(row + down) % side, (column + over) % side] for down in (0, 1) for over in (0, 1)]
            grown[2 * row + 1, 2 * column + 1] = np.mean(corners) + steps[0, row, column]
        for row, column in np.ndindex(side, side):
            for layer, (down, over) in enumerate(((0, 1), (1, 0)), 1):
                at = (2 * row + down, 2 * column + over)
                beside = [(at[0] - 1, at[1]), (at[0] + 1, at[1]), (at[0], at[1] - 1), (at[0], at[1] + 1)]
                around = [grown[r % (2 * side), c % (2 * side)] for r, c in beside]
                grown[at] = np.mean(around) + steps[layer, row, column]
        slow, step = grown, step / 4
    slow -= slow.min()
    assert field.shape == (32, 32)
    assert field == pytest.approx(slow / slow.max(), abs=1e-5)
