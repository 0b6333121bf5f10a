"""Rates on out-of-distribution sets: counts, the drop, and AlexNet's own errors as mCE 1."""

import numpy as np
import pytest

from gauntlet.metrics.corruptions import ALEXNET_ERROR
from gauntlet.metrics.intervals import wilson
from gauntlet.suites import Outcomes, Plan, ood_summary, summary


def right(count: int, n: int) -> np.ndarray:
    return np.arange(n) < count


def test_alexnets_errors_are_an_mce_of_one():
    n = 1_000_000  # its errors have six decimals
    values = {
        f"ood/c/{kind}/{severity}": right(round(n * (1 - error)), n)
        for kind, error in ALEXNET_ERROR.items()
        for severity in range(1, 6)
    }
    found = ood_summary(values)["c"]
    assert found["mce"] == pytest.approx(1, abs=1e-9)
    assert found["top1"]["value"] == pytest.approx(1 - np.mean(list(ALEXNET_ERROR.values())))
    assert "drop" not in found


def test_top1_is_a_count_and_the_drop_from_clean():
    found = ood_summary({"clean": right(8, 10), "ood/a": right(3, 12), "transfer/mim/ood/x": right(1, 1)})
    assert list(found) == ["a"]
    known = wilson(3, 12)
    assert found["a"]["top1"] == {"value": 0.25, "low": known.low, "high": known.high, "n": 12}
    assert found["a"]["n"] == 12
    assert found["a"]["drop"] == pytest.approx(0.8 - 0.25)
    assert "mce" not in found["a"]


def test_versions_of_a_picture_are_one_picture():
    same = right(3, 10)
    values = {f"ood/c/fog/{severity}": same for severity in range(1, 6)}
    found = ood_summary(values)["c"]
    known = wilson(3, 10)
    assert (found["top1"]["low"], found["top1"]["high"]) == pytest.approx((known.low, known.high))
    assert (found["top1"]["n"], found["mce"]) == (10, None)


def test_other_outcomes_are_summed_up_as_before():
    values = {"clean": right(8, 10)}
    assert ood_summary(values) == {}
    plan = Plan(budgets={})
    assert summary(Outcomes(values | {"ood/a": right(3, 12)}), plan=plan) == summary(Outcomes(values), plan=plan)
