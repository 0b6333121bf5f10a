import math
from dataclasses import asdict

import numpy as np
import pytest

from gauntlet.errors import ArgumentError
from gauntlet.metrics.ares_bench import area, response, robustness_curve, transfer_matrix
from gauntlet.metrics.intervals import wilson

RADII = np.array([0.0, 0.0, 0.01, 0.02, 0.04, 0.05, np.inf, np.inf])


def test_a_curve_of_eight_images_by_hand():
    curve = robustness_curve(RADII, budgets=[0, 0.015, 0.04, 0.05])
    assert curve.robust_top1 == (0.75, 0.625, 0.375, 0.25)
    assert curve.median_radius == 0.02
    assert curve.area == pytest.approx((0.01 + 0.02 + 0.04 + 0.05 + 0.05 + 0.05) / 8 / 0.05)
    assert curve.n == 8
    assert (curve.low[1], curve.high[1]) == (wilson(5, 8).low, wilson(5, 8).high)


def test_the_area_is_the_integral_of_the_curve():
    radii = np.random.default_rng(0).exponential(0.02, 500)
    fine = np.linspace(0, 8 / 255, 200_001)
    curve = robustness_curve(radii, budgets=fine[::1000])
    integral = (radii[:, None] > fine[:-1:50] + fine[1] / 2).mean()
    assert curve.area == pytest.approx(integral, abs=1e-3)


def test_the_band_has_massarts_width_and_is_the_wider_one():
    curve = robustness_curve(np.linspace(0, 1, 1000), budgets=np.linspace(0, 1, 33))
    half = math.sqrt(math.log(2 / 0.05) / 2000)
    assert curve.band_high[16] - curve.robust_top1[16] == pytest.approx(half)
    assert all(b <= low <= r <= high <= h for b, low, r, high, h in zip(*asdict_rows(curve), strict=True))
    assert max(curve.band_high) <= 1
    assert min(curve.band_low) >= 0


def asdict_rows(curve):
    return [asdict(curve)[name] for name in ("band_low", "low", "robust_top1", "high", "band_high")]


def test_the_bands_cover_as_often_as_they_say():
    """Exponential radii: the truth at eps is exp(-eps / 0.02)."""
    generator = np.random.default_rng(3)
    budgets = np.linspace(0, 0.08, 20)
    truth = np.exp(-budgets / 0.02)
    pointwise, everywhere = [], []
    for _ in range(400):
        curve = robustness_curve(generator.exponential(0.02, 120), budgets=budgets)
        pointwise.append((np.array(curve.low) <= truth) & (truth <= np.array(curve.high) + 1e-12))
        everywhere.append(((np.array(curve.band_low) <= truth) & (truth <= np.array(curve.band_high))).all())
    assert 0.92 <= np.mean(pointwise) <= 0.98
    assert np.mean(np.all(pointwise, axis=1)) < 0.9
    assert np.mean(everywhere) >= 0.94


def test_properties_of_every_curve():
    generator = np.random.default_rng(1)
    radii = np.where(generator.random(200) < 0.2, 0, generator.exponential(0.02, 200))
    budgets = np.linspace(0, 0.1, 32)
    curve = robustness_curve(radii, budgets=budgets)
    assert curve.robust_top1[0] == (radii > 0).mean()
    assert (np.diff(curve.robust_top1) <= 0).all()
    assert robustness_curve(generator.permutation(radii), budgets=budgets).robust_top1 == curve.robust_top1


def test_an_image_broken_at_the_budget_is_not_robust_there():
    """The distance of an image moved by 8/255 in float32 comes out a little above 8/255."""
    distance = float(np.float32(0.1) + np.float32(8 / 255) - np.float32(0.1))
    assert distance > 8 / 255
    assert robustness_curve(np.array([distance]), budgets=[0, 4 / 255, 8 / 255]).robust_top1 == (1, 1, 0)


def test_a_median_that_the_search_never_reached_is_unknown():
    curve = robustness_curve(np.array([0.0, 0.01, np.inf, np.inf, np.inf]), budgets=[0, 0.1])
    assert curve.median_radius is None
    assert curve.area == pytest.approx((0.1 + 3) / 5)


def test_the_area_with_its_interval():
    radii = np.random.default_rng(0).exponential(0.02, 400)
    found = area(radii, largest=0.03, resamples=2000, generator=np.random.default_rng(1))
    assert found.value == pytest.approx(robustness_curve(radii, budgets=[0, 0.03]).area)
    half = 1.96 * (np.minimum(radii, 0.03) / 0.03).std() / 20
    assert found.high - found.low == pytest.approx(2 * half, rel=0.1)


@pytest.mark.parametrize(
    ("radii", "budgets", "searched", "said"),
    [
        ([], [0, 1], 1, "one number an image"),
        ([-0.1], [0, 1], 1, "0 or more"),
        ([np.nan, 1], [0, 1], 1, "1 negative or NaN"),
        ([0.1], [0, 0.2, 0.1], 1, "ascend"),
        ([0.1], [], 1, "ascend"),
        ([0.1], [0], 1, "above 0"),
        ([0.1], [0, 8], 32 / 255, "255ths"),
    ],
)
def test_bad_curves_are_refused(radii, budgets, searched, said):
    with pytest.raises(ArgumentError, match=said):
        robustness_curve(np.array(radii), budgets=budgets, searched=searched)


def test_a_response_counts_each_row():
    found = response(np.array([[1, 1, 1, 0], [1, 0, 0, 0]]), at=[1, 10])
    assert found.at == (1, 10)
    assert found.top1 == (0.75, 0.25)
    assert found.high[1] == wilson(1, 4).high
    assert found.n == 4


@pytest.mark.parametrize(("shape", "at"), [((2, 4), [1]), ((2, 0), [1, 2]), ((4,), [1, 2, 3, 4])])
def test_a_response_of_another_shape_is_refused(shape, at):
    with pytest.raises(ArgumentError, match="settings x images"):
        response(np.zeros(shape), at=at)


def test_a_transfer_matrix_by_hand():
    right = {
        "a": {"a": np.array([0, 0, 0, 1]), "b": np.array([0, 0, 0, 1])},
        "b": {"a": np.array([1, 1, 0, 1]), "b": np.array([0, 0, 1, 1])},
    }
    found = transfer_matrix(right)
    assert found.sources == found.targets == ("a", "b")
    assert [[rate.value for rate in row] for row in found.robust_top1] == [[0.25, 0.25], [0.75, 0.5]]
    assert {source: rate.value for source, rate in found.of("b").items()} == {"a": 0.25, "b": 0.5}
    assert found.stronger_from_outside() == {"b": "a"}


def test_a_transfer_matrix_wants_the_same_targets_and_images():
    for right in (
        {},
        {"a": {}},
        {"a": {"a": np.ones(3)}, "b": {"b": np.ones(3)}},
        {"a": {"a": np.ones(3), "b": np.ones(2)}},
    ):
        with pytest.raises(ArgumentError, match="same targets"):
            transfer_matrix(right)
