"""Rates on out-of-distribution sets from outcomes: top-1, its drop, and of ImageNet-C each corruption and mCE."""

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np

from gauntlet.metrics.intervals import Interval, wilson
from gauntlet.suites.summary import corruption_rates


def ood_summary(values: Mapping[str, np.ndarray]) -> dict[str, dict]:
    """Sum up what a classifier gets right of each set.

    Args:
        values: bool [N] under "ood/<name>", or under "ood/<name>/<corruption>/<severity>" for the same N pictures in
            each; under "clean" what it gets right of the pictures that it is otherwise tried on.

    Returns:
        By name, plain values, rates in [0, 1]: "top1" with its interval, "n" pictures, "drop" from clean where that is
        known; of a corrupted set also "corruptions", "severity" and "mce" (1 is AlexNet's), as `summary` has them.
    """
    names = dict.fromkeys(key.split("/")[1] for key in values if key.startswith("ood/"))
    clean = float(values["clean"].mean()) if "clean" in values else None
    return {name: _set(name, values, clean=clean) for name in names}


def _set(name: str, values: Mapping[str, np.ndarray], *, clean: float | None) -> dict:
    key = f"ood/{name}"
    parts = {each.removeprefix(f"{key}/"): right for each, right in values.items() if each.startswith(f"{key}/")}
    top1 = _mean(list(parts.values())) if parts else wilson(int(values[key].sum()), len(values[key]))
    found = {"top1": asdict(top1), "n": top1.n}
    if clean is not None:
        found["drop"] = clean - top1.value
    return found | (corruption_rates(parts) if parts else {})


def _mean(rows: list[np.ndarray]) -> Interval:
    """Return Wilson's interval of the mean share of a picture's versions that are right; n counts pictures.

    A share varies no more than a yes or no of the same mean, so the interval is rather too wide; counting versions
    as if they were pictures would make it far too narrow.
    """
    shares = np.mean(rows, axis=0)
    return wilson(shares.sum(), len(shares))
