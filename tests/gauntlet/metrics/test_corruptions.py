import numpy as np
import pytest

from gauntlet.errors import ArgumentError
from gauntlet.metrics.corruptions import ALEXNET_CLEAN_ERROR, ALEXNET_ERROR, corruption_scores
from gauntlet.shifts.corruptions import CORRUPTIONS

SPREAD = np.array([0.1, 0.05, 0, -0.05, -0.1]) / 2


def of_errors(errors):
    return {name: tuple(1 - error + SPREAD) for name, error in errors.items()}


def test_alexnet_fed_back_is_100():
    scores = corruption_scores(of_errors(ALEXNET_ERROR), clean_top1=1 - ALEXNET_CLEAN_ERROR)
    assert scores.mce == pytest.approx(100, abs=1e-9)
    assert scores.relative_mce == pytest.approx(100, abs=1e-9)
    assert list(scores.corruption_error.values()) == pytest.approx([100] * 15, abs=1e-9)


def test_half_alexnets_error_is_50_and_ratios_are_averaged_last():
    errors = {name: error / 2 for name, error in ALEXNET_ERROR.items()}
    assert corruption_scores(of_errors(errors)).mce == pytest.approx(50)
    errors["fog"] = ALEXNET_ERROR["fog"]  # one ratio of fifteen doubles, whatever its constant
    assert corruption_scores(of_errors(errors)).mce == pytest.approx(50 + 50 / 15)


def test_a_robust_model_with_a_poor_start_has_no_relative_error():
    rates = {name: [0.6] * 5 for name in ALEXNET_ERROR}
    assert corruption_scores(rates, clean_top1=0.6).relative_mce == pytest.approx(0)


def test_published_row_of_resnet50():
    """EasyRobust's README: 39.2 % mean accuracy, 76.7 mCE; an even spread of that mean must come close."""
    share = (1 - 0.392) / np.mean(list(ALEXNET_ERROR.values()))
    errors = {name: share * error for name, error in ALEXNET_ERROR.items()}
    assert corruption_scores(of_errors(errors)).mce == pytest.approx(76.7, abs=0.5)


def test_severity_is_the_mean_over_corruptions_and_order_is_the_papers():
    rates = {"fog": [0.9, 0.8, 0.7, 0.6, 0.5], "shot_noise": [0.7, 0.6, 0.5, 0.4, 0.3]}
    scores = corruption_scores(rates)
    assert scores.severity == pytest.approx((0.8, 0.7, 0.6, 0.5, 0.4))
    assert list(scores.top1) == ["shot_noise", "fog"]
    assert scores.corruption_error["fog"] == pytest.approx(30 / 0.819324)
    assert scores.mce is None
    assert scores.relative_mce is None


def test_constants_are_for_the_corruptions_made_here():
    assert list(ALEXNET_ERROR) == list(CORRUPTIONS)


@pytest.mark.parametrize(
    ("rates", "says"),
    [
        ({}, "at least one"),
        ({"saturate": [1] * 5}, "got 'saturate'"),
        ({"fog": [1] * 4}, "each of 5 severities; got 4"),
        ({"fog": [71, 60, 50, 40, 30]}, "not per cent"),
        ({"fog": [0.5, 0.4, float("nan"), 0.2, 0.1]}, "must lie in"),
    ],
)
def test_bad_rates(rates, says):
    with pytest.raises(ArgumentError, match=says):
        corruption_scores(rates)


def test_clean_top1_is_a_rate():
    with pytest.raises(ArgumentError, match="clean_top1"):
        corruption_scores({"fog": [0.5] * 5}, clean_top1=76.1)
