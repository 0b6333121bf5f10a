"""How much of a protected attribute a state still tells: probes trained afresh, and the length of a code."""

import itertools
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gauntlet.errors import ArgumentError
from gauntlet.metrics.intervals import Interval, wilson

FRACTIONS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
"""Ends of the blocks of the online code, as shares of the records."""


@dataclass(frozen=True)
class Leakage:
    """Accuracy of probes on records that they have not seen.

    Attributes:
        probes: By the names of `PROBES`; 1 is that the state tells the group outright.
        majority: Share of the greatest group among those records: what a probe reaches that knows nothing.
    """

    probes: Mapping[str, Interval]
    majority: float


@dataclass(frozen=True)
class Codelength:
    """Bits that an online code needs for the groups of n records, given their states; `uniform` is without them."""

    bits: float
    uniform: float
    n: int


def logistic(seed: int) -> object:
    """Return a linear probe."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=1.0, max_iter=300, random_state=seed)


def mlp(seed: int) -> object:
    """Return a probe with one hidden layer."""
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier((64,), alpha=1e-3, learning_rate_init=3e-3, max_iter=60, random_state=seed)


def neighbours(seed: int) -> object:
    """Return a probe that looks at the 15 nearest states; it has nothing random."""
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(15)


PROBES: dict[str, Callable[[int], object]] = {function.__name__: function for function in (logistic, mlp, neighbours)}
"""By name: from a seed to an estimator of scikit-learn."""


def leakage(
    states: np.ndarray,
    z: np.ndarray,
    *,
    test_states: np.ndarray,
    test_z: np.ndarray,
    seed: int,
    probes: Sequence[str] = tuple(PROBES),
) -> Leakage:
    """Train probes to tell the group from a state, and test them.

    Labels must not tell the group in either set, or a probe that reads the label alone seems to find a leak.

    Args:
        states: To train on, [N, D].
        z: Groups, [N]; two or more of them.
        test_states: To test on, [M, D], of other texts.
        test_z: Their groups, [M].
        seed: Of the probes.
        probes: Names in `PROBES`.

    Raises:
        ArgumentError: An unknown probe, no record to test on, or one group alone to train on.
    """
    if unknown := sorted(set(probes) - set(PROBES)):
        raise ArgumentError(f"probes must be among {', '.join(PROBES)}; got {unknown[0]!r}; misspelt?")
    if len(np.unique(z)) < 2 or not len(test_z):
        raise ArgumentError(f"z must hold two groups and test_z a record; got {len(np.unique(z))} and {len(test_z)}")
    train, test = _standardised(states, test_states)
    accuracies = {}
    for name in probes:
        probe = _fitted(PROBES[name](seed), train, z)
        accuracies[name] = wilson(int((probe.predict(test) == test_z).sum()), len(test_z))
    return Leakage(accuracies, float(np.unique(test_z, return_counts=True)[1].max() / len(test_z)))


def online_codelength(states: np.ndarray, z: np.ndarray, *, seed: int) -> Codelength:
    """Return the length of an online code of the groups, with the linear probe.

    The records are sent in blocks; each is coded by a probe trained on those before it, the first uniformly. A block
    after one that held a single group is coded uniformly too.

    Args:
        states: [N, D], N at least 32.
        z: Groups, [N].
        seed: Of the order and the probes.

    Raises:
        ArgumentError: Fewer than 32 records.

    Source: Voita and Titov, EMNLP 2020, section 2.2; fewer blocks than theirs, as there are fewer records.
    """
    if len(z) < 32:
        raise ArgumentError(f"states must number at least 32, or the first block is empty; got {len(z)}")
    order = np.random.default_rng(seed).permutation(len(z))
    states, z = states[order], z[order]
    groups = np.unique(z)
    ends = [math.ceil(share * len(z)) for share in FRACTIONS]
    bits = ends[0] * math.log2(len(groups))
    for begin, end in itertools.pairwise(ends):
        if len(np.unique(z[:begin])) < len(groups):
            bits += (end - begin) * math.log2(len(groups))
            continue
        before, block = _standardised(states[:begin], states[begin:end])
        probabilities = _fitted(logistic(seed), before, z[:begin]).predict_proba(block)
        said = probabilities[np.arange(end - begin), np.searchsorted(groups, z[begin:end])]
        bits -= float(np.log2(np.maximum(said, 1e-12)).sum())
    return Codelength(bits, len(z) * math.log2(len(groups)), len(z))


def _standardised(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scale each dimension to mean 0 and deviation 1 over `train`; one that never varies stays as it is."""
    mean, deviation = train.mean(0), train.std(0)
    deviation = np.where(deviation > 1e-8, deviation, 1.0)
    return (train - mean) / deviation, (test - mean) / deviation


def _fitted(probe: object, states: np.ndarray, z: np.ndarray) -> object:
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a probe of a few hundred steps is what is asked for
        return probe.fit(states, z)
