"""Messages read back from pictures: right bits and words, what a threshold finds at which false rate, intervals."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from gauntlet.errors import ArgumentError
from gauntlet.messages import match_rate
from gauntlet.metrics.intervals import Interval, mean_interval, percentile_interval, wilson


def matching_bits(logits: Tensor, messages: Tensor) -> Tensor:
    """Count the bits of each picture that are as they were sent.

    Args:
        logits: B x L; above 0 is a one.
        messages: B x L of zeros and ones.

    Returns:
        B whole numbers in [0, L].

    Raises:
        ArgumentError: The shapes differ.
    """
    if logits.shape != messages.shape or logits.ndim != 2:
        raise ArgumentError(
            f"logits and messages must both be B x L; got {tuple(logits.shape)} and {tuple(messages.shape)}; "
            "a message of the wrong length?"
        )
    return ((logits > 0) == (messages > 0.5)).sum(1)


def bit_accuracy(logits: Tensor, messages: Tensor) -> Tensor:
    """Return the share of right bits of each picture: B numbers in [0, 1], 0.5 by chance.

    Raises:
        ArgumentError: The shapes differ.
    """
    return matching_bits(logits, messages).double() / logits.shape[1]


def word_accuracy(logits: Tensor, messages: Tensor) -> Tensor:
    """Return 1 for each picture whose bits are all right, else 0, before any correction.

    Raises:
        ArgumentError: The shapes differ.
    """
    return (matching_bits(logits, messages) == logits.shape[1]).double()


@dataclass(frozen=True)
class Roc:
    """What each threshold on matching bits finds.

    Attributes:
        thresholds: The fewest bits that must match, from all of them down to 0.
        fpr: Share of the pictures without the message in which as many match.
        tpr: Share of the pictures with it.
        code_fpr: The share of words of even chance, by the binomial law.
    """

    thresholds: tuple[int, ...]
    fpr: tuple[float, ...]
    tpr: tuple[float, ...]
    code_fpr: tuple[float, ...]

    def tpr_at(self, false_positive_rate: float) -> float:
        """Return the share found by the lowest threshold whose binomial rate keeps the bound; 0 where none does."""
        kept = [tpr for tpr, rate in zip(self.tpr, self.code_fpr, strict=True) if rate <= false_positive_rate]
        return max(kept, default=0.0)


def roc(present: np.ndarray, absent: np.ndarray, *, bits: int) -> Roc:
    """Sweep the threshold on matching bits.

    Args:
        present: Matching bits of each picture that carries the message compared with, in [0, bits].
        absent: Of pictures that carry none, or another.
        bits: Of a message, L.

    Raises:
        ArgumentError: One of them is empty, or a count lies outside [0, bits].

    >>> roc(np.array([4, 4]), np.array([2, 3]), bits=4).fpr
    (0.0, 0.5, 1.0, 1.0, 1.0)
    """
    for name, counts in (("present", present), ("absent", absent)):
        if not len(counts) or counts.min() < 0 or counts.max() > bits:
            raise ArgumentError(f"{name} must hold counts in [0, {bits}] (bits, not shares); got {counts[:3].tolist()}")
    thresholds = tuple(range(bits, -1, -1))
    return Roc(
        thresholds,
        fpr=tuple(float((absent >= least).mean()) for least in thresholds),
        tpr=tuple(float((present >= least).mean()) for least in thresholds),
        code_fpr=tuple(match_rate(least, bits=bits) for least in thresholds),
    )


def share_interval(values: np.ndarray, *, resamples: int, generator: np.random.Generator) -> Interval:
    """Return the mean of shares and its interval of 95 %: of some width even where all are 0 or all are 1.

    Args:
        values: One share a picture, in [0, 1], such as its mean over edits.
        resamples: Draws of the pictures, at least 1.
        generator: Draws them.

    Raises:
        ArgumentError: No picture.

    >>> share_interval(np.ones(10), resamples=10, generator=np.random.default_rng(0)).low < 0.8
    True
    """
    if len(values) and values.min() == values.max() and values[0] in (0, 1):
        return wilson(int(values.sum()), len(values))
    return mean_interval(values[:, None], resamples=resamples, generator=generator)[0]


def ratio_interval(
    totals: np.ndarray, chances: np.ndarray, *, resamples: int, generator: np.random.Generator
) -> Interval:
    """Return a ratio of sums over pictures with its percentile-bootstrap interval, edits of a picture drawn together.

    Args:
        totals: Sum over a picture's edits, such as those that are disrupted, [N].
        chances: Edits that count, [N]; pictures without any weigh nothing.
        resamples: Draws of the pictures, at least 1.
        generator: Draws them.

    Returns:
        The ratio; n counts the edits. Where all or none are hits, Wilson's interval over the pictures with an edit.

    Raises:
        ArgumentError: No edit counts.

    >>> ratio_interval(np.array([1, 1]), np.array([2, 2]), resamples=9, generator=np.random.default_rng(0)).value
    0.5
    """
    n, count = int(chances.sum()), len(chances)
    if n < 1 or resamples < 1:
        raise ArgumentError(f"chances and resamples must sum to at least 1; got {n} and {resamples}; no edit at all?")
    value = float(totals.sum() / n)
    if value in (0.0, 1.0):
        pictures = int((chances > 0).sum())
        found = wilson(pictures if value else 0, pictures)
        return Interval(value, found.low, found.high, n)
    weights = generator.multinomial(count, np.full(count, 1 / count), size=resamples)
    below = (weights @ chances).astype(np.float64)
    draws = np.divide(weights @ totals, below, out=np.full(resamples, np.nan), where=below > 0)
    return percentile_interval(value, draws, n=n)
