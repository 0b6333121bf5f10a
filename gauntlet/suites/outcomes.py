"""What a suite found on each image."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Outcomes:
    """Outcomes by test, in the order of the images; those under "ood/" are of the images of the set that they name.

    Attributes:
        values: By key, one number an image: bool (classified rightly) or, under "radius/<norm>", float64 least radius.
            Keys are "clean", "radius/linf", "steps/10", "attack/mim", "low_pass/8", "corruption/fog/3",
            "defence/jpeg/clean", "defence/jpeg/robust", "transfer/mim/<source>", "ood/<name>",
            "ood/<name>/fog/3".
        problems: Signs of masked gradients, in sentences, by the model ("") or the defence that shows them.
    """

    values: Mapping[str, np.ndarray] = field(default_factory=dict)
    problems: Mapping[str, list[str]] = field(default_factory=dict)


def merged(parts: Iterable[Outcomes]) -> Outcomes:
    """Return the outcomes of several suites as one."""
    values: dict[str, np.ndarray] = {}
    problems: dict[str, list[str]] = {}
    for part in parts:
        values |= part.values
        problems |= part.problems
    return Outcomes(values, problems)
