"""Rates, curves and intervals from outcomes: what a score file or a robustness card holds of one classifier."""

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np

from gauntlet.metrics.ares_bench import response, robustness_curve
from gauntlet.metrics.corruptions import corruption_scores
from gauntlet.metrics.intervals import wilson
from gauntlet.suites.outcomes import Outcomes
from gauntlet.suites.plan import Plan


def summary(outcomes: Outcomes, *, plan: Plan) -> dict:
    """Sum a classifier's outcomes up; what was not tried is empty or None.

    Args:
        outcomes: Of any suites, on the same images.
        plan: Under which they were found.

    Returns:
        Plain values, rates in [0, 1]: "clean", "curves" by norm, "steps", "attacks", "transfer" by attack and source,
        "frequency", "corruptions" by name, "severity", "mce" (1 is AlexNet's on ImageNet-C), "defences", "self_checks".
    """
    values = outcomes.values
    return {
        "clean": _rate(values["clean"]),
        "curves": {
            norm: asdict(robustness_curve(values[f"radius/{norm}"], budgets=(0.0, *budgets), searched=budgets[-1]))
            for norm, budgets in plan.budgets.items()
            if f"radius/{norm}" in values
        },
        "steps": _steps(values, plan),
        "attacks": {name: _rate(right) for name, right in _under(values, "attack").items()},
        "transfer": _transfer(values),
        "frequency": _frequency(values),
        **corruption_rates(_under(values, "corruption")),
        "defences": _defences(outcomes),
        "self_checks": list(outcomes.problems.get("", [])),
    }


def _rate(right: np.ndarray) -> dict:
    return asdict(wilson(int(right.sum()), len(right)))


def _under(values: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """Return the outcomes below a prefix, by the rest of their key."""
    return {key.removeprefix(f"{prefix}/"): right for key, right in values.items() if key.startswith(f"{prefix}/")}


def _steps(values: Mapping[str, np.ndarray], plan: Plan) -> dict | None:
    found = _under(values, "steps")
    if not found:
        return None
    counts = sorted(found, key=int)
    line = response(np.stack([found[count] for count in counts]), at=[int(count) for count in counts])
    return {
        "eps": plan.eps,
        "steps": [int(count) for count in counts],
        "robust_top1": list(line.top1),
        "low": list(line.low),
        "high": list(line.high),
    }


def _frequency(values: Mapping[str, np.ndarray]) -> dict | None:
    found = _under(values, "low_pass")
    radii = sorted(found, key=float)
    return {"radius": [float(r) for r in radii], "top1": [float(found[r].mean()) for r in radii]} if radii else None


def _transfer(values: Mapping[str, np.ndarray]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for key, right in _under(values, "transfer").items():
        attack, _, source = key.partition("/")
        found.setdefault(attack, {})[source] = float(right.mean())
    return found


def corruption_rates(values: Mapping[str, np.ndarray]) -> dict:
    """Sum up what is right under "<corruption>/<severity>": "corruptions", "severity" and "mce", as in `summary`."""
    rates: dict[str, dict[int, float]] = {}
    for key, right in values.items():
        name, _, severity = key.partition("/")
        rates.setdefault(name, {})[int(severity)] = float(right.mean())
    if not rates:
        return {"corruptions": {}, "severity": [], "mce": None}
    scores = corruption_scores({name: [row[level] for level in sorted(row)] for name, row in rates.items()})
    return {
        "corruptions": {name: list(row) for name, row in scores.top1.items()},
        "severity": list(scores.severity),
        "mce": None if scores.mce is None else scores.mce / 100,
    }


def _defences(outcomes: Outcomes) -> dict:
    found = _under(outcomes.values, "defence")
    return {
        name: {
            "clean": _rate(found[f"{name}/clean"]),
            "robust": _rate(found[f"{name}/robust"]),
            "problems": list(outcomes.problems.get(name, [])),
        }
        for name in dict.fromkeys(key.partition("/")[0] for key in found)
    }
