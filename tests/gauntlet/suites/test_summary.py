"""A summary is counting: every number of it from outcomes made up by hand."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from gauntlet.metrics.corruptions import ALEXNET_ERROR
from gauntlet.metrics.intervals import wilson
from gauntlet.suites import Outcomes, Plan, summary

BUDGETS = (0.1, 0.2, 0.3)
PLAN = Plan(eps=0.05, budgets={"linf": BUDGETS, "l2": (1.0, 2.0)})
KEYS = {
    "clean",
    "curves",
    "steps",
    "attacks",
    "transfer",
    "frequency",
    "corruptions",
    "severity",
    "mce",
    "defences",
    "self_checks",
}


def right(count: int, n: int = 10) -> np.ndarray:
    """So many of n rightly classified."""
    return np.arange(n) < count


def rate(count: int, n: int = 10) -> dict:
    return asdict(wilson(count, n))


def of(values, problems=None) -> dict:
    found = summary(Outcomes({"clean": right(8), **values}, problems or {}), plan=PLAN)
    json.dumps(found, allow_nan=False)
    return found


def test_what_was_not_tried_is_empty():
    found = of({})
    assert found == {
        "clean": rate(8),
        "curves": {},
        "steps": None,
        "attacks": {},
        "transfer": {},
        "frequency": None,
        "corruptions": {},
        "severity": [],
        "mce": None,
        "defences": {},
        "self_checks": [],
    }
    assert found.keys() == KEYS


def test_a_curve_counts_radii_above_each_budget():
    radii = np.array([0, 0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, np.inf, np.inf])
    curve = of({"radius/linf": radii})["curves"]["linf"]
    assert curve["budgets"] == (0.0, *BUDGETS)
    counts = [8, 6, 4, 2]  # an image that broke at a budget is not robust there
    points = [wilson(count, 10) for count in counts]
    assert curve["robust_top1"] == tuple(point.value for point in points)
    assert curve["low"] == tuple(point.low for point in points)
    assert curve["high"] == tuple(point.high for point in points)
    assert curve["area"] == pytest.approx((0.05 + 0.1 + 0.15 + 0.2 + 0.25 + 0.3 * 3) / 10 / 0.3)
    assert (curve["median_radius"], curve["n"]) == (0.15, 10)
    half = np.sqrt(np.log(40) / 20)
    assert curve["band_low"] == pytest.approx([max(0, count / 10 - half) for count in counts])
    assert curve["band_high"] == pytest.approx([min(1, count / 10 + half) for count in counts])


def test_curves_never_rise():
    random = np.random.default_rng(0)
    for _ in range(20):
        radii = np.where(random.random(30) < 0.2, np.inf, random.random(30) * 3)
        found = of({"clean": radii > 0, "radius/linf": radii / 10, "radius/l2": radii})["curves"]
        assert found.keys() == {"linf", "l2"}
        for curve in found.values():
            for name in ("robust_top1", "low", "high", "band_low", "band_high"):
                assert list(curve[name]) == sorted(curve[name], reverse=True)
            bounds = np.array([curve[name] for name in ("band_low", "low", "robust_top1", "high", "band_high")])
            assert (np.diff(bounds[1:4], axis=0) >= 0).all()
            assert (np.diff(bounds[[0, 2, 4]], axis=0) >= 0).all()


def test_steps_stand_in_the_order_of_numbers():
    steps = of({"steps/10": right(3), "steps/2": right(5), "steps/1": right(7)})["steps"]
    points = [wilson(count, 10) for count in (7, 5, 3)]
    assert steps == {
        "eps": 0.05,
        "steps": [1, 2, 10],
        "robust_top1": [point.value for point in points],
        "low": [point.low for point in points],
        "high": [point.high for point in points],
    }


def test_attacks_and_defences_are_rates_with_wilsons_interval():
    found = of(
        {
            "attack/fgsm": right(6),
            "attack/apgd": right(0),
            "defence/jpeg/clean": right(9),
            "defence/jpeg/robust": right(2),
            "defence/bit_depth/clean": right(10),
            "defence/bit_depth/robust": right(4),
        },
        {"": ["The output is random."], "jpeg": ["The gradient is zero."]},
    )
    assert found["attacks"] == {"fgsm": rate(6), "apgd": rate(0)}
    assert found["defences"] == {
        "jpeg": {"clean": rate(9), "robust": rate(2), "problems": ["The gradient is zero."]},
        "bit_depth": {"clean": rate(10), "robust": rate(4), "problems": []},
    }
    assert found["self_checks"] == ["The output is random."]


def test_transfer_is_by_attack_and_source():
    found = of({"transfer/mim/a": right(3), "transfer/dim/a": right(2), "transfer/mim/timm/b": right(10)})
    assert found["transfer"] == {"mim": {"a": 0.3, "timm/b": 1.0}, "dim": {"a": 0.2}}


def test_frequencies_stand_in_the_order_of_numbers():
    found = of({"low_pass/16": right(9), "low_pass/2.5": right(4), "low_pass/3": right(5)})["frequency"]
    assert found == {"radius": [2.5, 3.0, 16.0], "top1": [0.4, 0.5, 0.9]}


def corrupted(names) -> dict[str, np.ndarray]:
    return {f"corruption/{name}/{level}": right(10 - level) for name in names for level in (5, 3, 1, 2, 4)}


def test_corruptions_are_by_severity_whatever_the_order():
    found = of(corrupted(["fog", "snow"]) | {"corruption/snow/5": right(1)})
    assert found["corruptions"] == {"snow": [0.9, 0.8, 0.7, 0.6, 0.1], "fog": [0.9, 0.8, 0.7, 0.6, 0.5]}
    assert found["severity"] == pytest.approx([0.9, 0.8, 0.7, 0.6, 0.3])
    assert found["mce"] is None


def test_mce_needs_all_fifteen_corruptions():
    names = list(ALEXNET_ERROR)
    assert len(names) == 15
    whole = of(corrupted(names))
    assert whole["mce"] == pytest.approx(np.mean([0.3 / error for error in ALEXNET_ERROR.values()]))
    for left_out in names[:3]:
        assert of(corrupted([name for name in names if name != left_out]))["mce"] is None


def test_the_plans_eps_is_told():
    found = summary(Outcomes({"clean": right(1), "steps/1": right(1)}), plan=replace(PLAN, eps=0.3))
    assert found["steps"]["eps"] == 0.3
