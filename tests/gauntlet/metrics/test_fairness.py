"""Gaps between groups: closed forms, fairlearn as the oracle to 1e-12, groups that cannot say."""

import numpy as np
import pytest
from fairlearn.metrics import (
    MetricFrame,
    demographic_parity_difference,
    equal_opportunity_difference,
    equalized_odds_difference,
    false_negative_rate,
    false_positive_rate,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from gauntlet.errors import ArgumentError
from gauntlet.metrics.fairness import GAPS, NEEDS, _rates, cells, fairness


def gaps(decisions, y, z, *, resamples=20, groups=(0, 1)):
    return fairness(
        *map(np.asarray, (decisions, y, z)), resamples=resamples, generator=np.random.default_rng(0), groups=groups
    )


def rows(*counts: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return decisions, labels and groups from (group, label, decision, how many)."""
    group, label, decision, many = map(np.array, zip(*counts, strict=True))
    return np.repeat(decision, many), np.repeat(label, many), np.repeat(group, many)


UNEQUAL = rows(
    (0, 1, 1, 3), (0, 1, 0, 7), (0, 0, 1, 1), (0, 0, 0, 9), (1, 1, 1, 8), (1, 1, 0, 2), (1, 0, 1, 4), (1, 0, 0, 6)
)


def test_gaps_counted_by_hand():
    found = gaps(*UNEQUAL)
    values = {name: gap.interval.value for name, gap in found.gaps.items()}
    assert values == pytest.approx(
        {
            "demographic_parity_gap": 0.4,
            "equal_opportunity_gap": 0.5,
            "fpr_gap": 0.3,
            "equalized_odds_gap": 0.5,
            "equalized_odds_gap_mean": 0.4,
            "fped": 0.15 + 0.15,
            "fned": 0.25 + 0.25,
        }
    )
    assert (found.groups[0].tpr.interval.value, found.groups[1].fpr.interval.value) == (0.3, 0.4)
    assert (found.groups[0].n, found.groups[0].positives, found.groups[1].negatives) == (20, 10, 10)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kinds", [2, 3])
def test_the_same_as_fairlearn(seed, kinds):
    random = np.random.default_rng(seed)
    decisions, y, z = (random.integers(0, top, 200) for top in (2, 2, kinds))
    own = {name: float(gap(_rates(cells(decisions, y, z, groups=range(kinds))))) for name, gap in GAPS.items()}
    known = {"sensitive_features": z}
    near = {"abs": 1e-12, "rel": 0}
    assert own["demographic_parity_gap"] == pytest.approx(demographic_parity_difference(y, decisions, **known), **near)
    assert own["equal_opportunity_gap"] == pytest.approx(equal_opportunity_difference(y, decisions, **known), **near)
    assert own["equalized_odds_gap"] == pytest.approx(equalized_odds_difference(y, decisions, **known), **near)
    mean = equalized_odds_difference(y, decisions, agg="mean", **known)
    assert own["equalized_odds_gap_mean"] == pytest.approx(mean, **near)
    for name, rate in (("fped", false_positive_rate), ("fned", false_negative_rate)):
        frame = MetricFrame(metrics=rate, y_true=y, y_pred=decisions, **known)
        assert own[name] == pytest.approx(float((frame.by_group - frame.overall).abs().sum()), **near)
    assert {name: gap.interval.value for name, gap in gaps(decisions, y, z, groups=range(kinds)).gaps.items()} == (
        pytest.approx(own, **near)
    )


def test_equal_groups_have_no_gap_and_a_constant_decision_has_none_either():
    decisions, y, z = rows((0, 1, 1, 30), (0, 0, 0, 30), (1, 1, 1, 30), (1, 0, 0, 30))
    assert all(gap.interval.value == 0 for gap in gaps(decisions, y, z).gaps.values())
    assert all(gap.interval.high == 0 for gap in gaps(np.ones_like(y), y, z).gaps.values())


def test_the_interval_is_that_of_drawn_records():
    decisions, y, z = UNEQUAL
    found = gaps(decisions, y, z, resamples=3000).gaps["equalized_odds_gap"].interval
    random = np.random.default_rng(1)
    draws = []
    for row in random.integers(0, len(y), (3000, len(y))):
        draws.append(float(GAPS["equalized_odds_gap"](_rates(cells(decisions[row], y[row], z[row])))))
    low, high = np.quantile(draws, [0.025, 0.975])
    assert (found.low, found.high) == (pytest.approx(low, abs=0.03), pytest.approx(high, abs=0.03))
    assert found.low < found.value < found.high


@pytest.mark.parametrize("label", [0, 1])
def test_a_group_without_a_label_is_guarded_where_fairlearn_says_less(label):
    decisions, y, z = rows((0, 1, 1, 5), (0, 0, 0, 5), (1, 1 - label, 1, 5))
    found = gaps(decisions, y, z)
    for name, needs in NEEDS.items():
        gap = found.gaps[name]
        assert (gap.interval is None) == (label in needs)
        assert gap.reason == (f"group 1 has no record of label {label}" if label in needs else "")
    rate = found.groups[1].tpr if label else found.groups[1].fpr
    assert rate.interval is None
    assert rate.reason == f"no record of label {label}"


def test_a_missing_group_is_named():
    found = gaps([1, 0], [1, 0], [0, 0])
    assert {gap.reason for gap in found.gaps.values()} == {"group 1 has no record"}
    assert (found.groups[1].n, found.groups[1].positive_rate.interval) == (0, None)


def test_strangers_and_arrays_that_do_not_fit():
    with pytest.raises(ArgumentError, match="got 2"):
        gaps([1, 0], [1, 0], [0, 2])
    with pytest.raises(ArgumentError, match="got 1 and 2"):
        gaps([1], [1, 0], [0, 1])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_gaps_are_rates_and_do_not_care_which_group_is_which(seed):
    random = np.random.default_rng(seed)
    counts = random.integers(1, 9, (2, 2, 2))
    for name, gap in GAPS.items():
        value = float(gap(_rates(counts)))
        assert 0 <= value <= (2 if name in ("fped", "fned") else 1)
        assert value == pytest.approx(float(gap(_rates(counts[::-1]))), abs=1e-12)
