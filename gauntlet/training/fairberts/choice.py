"""Which weight of a sweep is taken, by held-out accuracy and equalised odds."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gauntlet.errors import DataError


class Figures(NamedTuple):
    """What a classifier does on the held-out rows.

    Attributes:
        accuracy: In [0, 1].
        equalized_odds_gap: The larger of the two differences between the groups, of the rates at which a positive and
            at which a negative row is called positive; in [0, 1].
    """

    accuracy: float
    equalized_odds_gap: float


def held_out_figures(probabilities: Sequence[float], y: Sequence[int], z: Sequence[int]) -> Figures:
    """Compare answers, positive above one half, with labels and groups.

    Raises:
        DataError: A group lacks a label: the gap would look like none.

    >>> held_out_figures([0.9, 0.1, 0.9, 0.9], y=[1, 0, 1, 0], z=[0, 0, 1, 1])
    Figures(accuracy=0.75, equalized_odds_gap=1.0)
    """
    says, y, z = np.asarray(probabilities) > 0.5, np.asarray(y), np.asarray(z)
    rates = {}
    for label in (0, 1):
        for group in (0, 1):
            cell = (y == label) & (z == group)
            if not cell.any():
                raise DataError(
                    f"the held-out rows must have label {label} in group {group}; none has it; too few rows?"
                )
            rates[label, group] = says[cell].mean()
    gap = max(abs(rates[label, 0] - rates[label, 1]) for label in (0, 1))
    return Figures(float((says == y).mean()), float(gap))


def choose(sweep: Sequence[Figures], plain: Figures, *, lost: float = 0.01, price: float = 2.0) -> int:
    """Return the place of the highest accuracy - price x gap among those that lose at most `lost` of accuracy.

    Args:
        sweep: By weight; the first of equals is taken.
        plain: Without any measure.
        lost: In [0, 1]. Where all lose more, the most accurate is taken.
        price: Of the gap, at least 0.
    """
    close = [place for place, each in enumerate(sweep) if each.accuracy >= plain.accuracy - lost - 1e-9]
    if not close:
        return max(range(len(sweep)), key=lambda place: sweep[place].accuracy)
    return max(close, key=lambda place: sweep[place].accuracy - price * sweep[place].equalized_odds_gap)
