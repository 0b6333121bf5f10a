"""Utility and twins: closed forms, scikit-learn as the oracle, what cannot be said."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from gauntlet.errors import ArgumentError
from gauntlet.metrics.decisions import _auc, counterfactual, decide, utility


def dice() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("seed", range(5))
def test_the_same_as_scikit_learn(seed):
    random = np.random.default_rng(seed)
    y = random.integers(0, 2, 80)
    said = np.round(random.random(80), 1)  # rounded: many equal scores
    found = utility(said, y, resamples=20, generator=dice())
    assert found.accuracy.interval.value == pytest.approx(accuracy_score(y, decide(said)), abs=1e-12)
    assert found.f1.interval.value == pytest.approx(f1_score(y, decide(said)), abs=1e-12)
    assert found.auc.interval.value == pytest.approx(roc_auc_score(y, said), abs=1e-12)


def test_the_auc_of_drawn_rows_is_scikit_learns_of_weighted_ones():
    random = np.random.default_rng(3)
    y, said = random.integers(0, 2, 60), np.round(random.random(60), 1)
    weights = random.multinomial(60, np.full(60, 1 / 60), size=8)
    expected = [roc_auc_score(y, said, sample_weight=row) for row in weights]
    assert _auc(said, y, weights) == pytest.approx(expected, abs=1e-12)


def test_perfect_decisions():
    found = utility(np.array([0.1, 0.9, 0.2, 0.8]), np.array([0, 1, 0, 1]), resamples=50, generator=dice())
    assert (found.accuracy.interval.value, found.f1.interval.value, found.auc.interval.value) == (1, 1, 1)
    assert found.accuracy.interval.low < 1


def test_labels_that_are_not_there():
    found = utility(np.array([0.1, 0.2]), np.array([0, 0]), resamples=5, generator=dice())
    assert found.auc.interval is None
    assert found.auc.reason == "no record has label 1"
    assert found.f1.interval is None
    assert found.accuracy.interval.value == 1
    found = utility(np.array([0.1, 0.9]), np.array([1, 1]), resamples=5, generator=dice())
    assert found.auc.reason == "no record has label 0"


def test_twins_that_move_and_turn_decisions():
    found = counterfactual(
        np.array([0.1, 0.6, 0.5, 0.9]), np.array([0.1, 0.4, 0.5, 0.6]), resamples=100, generator=dice()
    )
    assert found.gap.interval.value == pytest.approx((0.2 + 0.3) / 4)
    assert (found.flip_rate.interval.value, found.flip_rate.interval.n) == (0.25, 4)


def test_twins_that_are_not_there_or_do_not_fit():
    assert counterfactual(np.zeros(0), np.zeros(0), resamples=5, generator=dice()).gap.reason == "no text has a twin"
    with pytest.raises(ArgumentError, match="got 2 and 1"):
        counterfactual(np.zeros(2), np.zeros(1), resamples=5, generator=dice())
    with pytest.raises(ArgumentError, match="got 0 and 0"):
        utility(np.zeros(0), np.zeros(0, int), resamples=5, generator=dice())
