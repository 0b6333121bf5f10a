import numpy as np
import pytest

from gauntlet.errors import ArgumentError
from gauntlet.metrics.coco_o import (
    PUBLISHED,
    SLOPE,
    Measured,
    domain_mean,
    effective_robustness,
    relative_drop,
    robustness,
)
from gauntlet.metrics.detection import AveragePrecision, Resampled


@pytest.mark.parametrize("row", [row for row in PUBLISHED if row.domains], ids=lambda row: row.detector)
def test_reproduces_frozen_detrs_rows_from_their_domains(row):
    mean = domain_mean(row.domains)
    assert mean == pytest.approx(row.ap_coco_o, abs=0.0005001)
    assert effective_robustness(mean, row.ap_coco) == pytest.approx(row.effective_robustness, abs=0.0005)


@pytest.mark.parametrize("row", [row for row in PUBLISHED if row.source == "DINOv3"], ids=lambda row: row.detector)
def test_reproduces_dinov3s_rows(row):
    """Their ER is rounded to a tenth of a per cent, or cut."""
    assert effective_robustness(row.ap_coco_o, row.ap_coco) == pytest.approx(row.effective_robustness, abs=0.001)


def test_the_leaderboard_agrees_with_itself():
    rows = [row for row in PUBLISHED if row.source == "leaderboard"]
    assert len(rows) == 42
    for row in rows:
        expected = pytest.approx(row.effective_robustness, abs=0.0005 + SLOPE * 0.0005 + 1e-9)
        assert effective_robustness(row.ap_coco_o, row.ap_coco) == expected


def test_detr_from_its_unrounded_mean():
    assert effective_robustness(0.170833, 0.42) == pytest.approx(-0.018167)


def test_is_linear_with_slope_045_and_zero_on_the_trend():
    clean = np.linspace(0.1, 0.6, 6)
    assert np.allclose(np.diff(effective_robustness(np.full(6, 0.2), clean)), -0.45 * 0.1)
    assert effective_robustness(0.45 * clean, clean) == pytest.approx(np.zeros(6))
    assert effective_robustness(0.3, 0.6, slope=0.5) == 0


def test_the_mean_is_over_domains_not_images():
    assert domain_mean({"sketch": 0.1, "weather": 0.2, "tattoo": 0.6}) == pytest.approx(0.3)


def test_per_cent_and_nothing_are_refused():
    with pytest.raises(ArgumentError, match=r"ap_source must lie in \[0, 1\] \(0.374, not 37.4\); got 42"):
        effective_robustness(0.17, 42.0)
    with pytest.raises(ArgumentError, match="at least one domain"):
        domain_mean({})


def test_the_abstracts_relative_drop_within_its_rounding():
    assert relative_drop(0.164, 0.374) == pytest.approx(0.557, abs=0.005)


def test_no_relative_drop_from_zero():
    assert np.isnan(relative_drop(0.0, 0.0))


def measured(ap, draws, *, images=10):
    draws = np.array(draws, float)
    score = AveragePrecision(ap, ap, ap, None, None, None, {"bus": ap}, images, 2 * images)
    return Measured(score, Resampled(draws, draws, draws, *(np.full(len(draws), np.nan) for _ in range(3))))


def test_the_joint_table():
    source = measured(0.5, [0.4, 0.6])
    table = robustness(source, {"sketch": measured(0.2, [0.2, 0.2]), "weather": measured(0.4, [0.3, 0.5], images=30)})
    assert table.mean["ap"].value == pytest.approx(0.3)
    assert (table.mean["ap"].n, table.drop["sketch"].n) == (40, 10)
    assert table.drop["sketch"].value == pytest.approx(0.3)
    assert table.relative_drop["mean"].value == pytest.approx(0.4)
    assert table.effective_robustness.value == pytest.approx(0.3 - 0.45 * 0.5)
    draws = np.array([0.25 - 0.45 * 0.4, 0.35 - 0.45 * 0.6])
    assert table.effective_robustness.low == pytest.approx(np.quantile(draws, 0.025))
    assert table.worst_domain == "sketch"


def test_a_detector_that_finds_nothing_has_no_relative_drop():
    nothing = measured(0.0, [0.0, 0.0])
    table = robustness(nothing, {"sketch": nothing})
    assert table.relative_drop == {"sketch": None, "mean": None}
    assert nothing.interval("ap_large") is None
