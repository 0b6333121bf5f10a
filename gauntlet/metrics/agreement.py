"""How good a judge is against labels, and how far two judges agree beyond chance; errors leave every denominator."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gauntlet.errors import ArgumentError
from gauntlet.metrics.intervals import Interval, percentile_interval, wilson

TAGS = ("safe", "unsafe")


@dataclass(frozen=True)
class Quality:
    """A judge against labels; "unsafe" is the positive class. None stands where a class is missing.

    Shares have Wilson's interval, the balanced accuracy the bootstrap's over records.

    Attributes:
        balanced_accuracy: Mean of the two recalls.
        precision: Of what was called unsafe, how much is.
        recall: Of what is unsafe, how much was called so.
        precision_safe: Likewise for "safe".
        recall_safe: Likewise for "safe".
        accuracy: Share of right verdicts, which says little where one class is rare.
        n: Records with a verdict.
        errors: Records without one; in none of the rates.
    """

    balanced_accuracy: Interval | None
    precision: Interval | None
    recall: Interval | None
    precision_safe: Interval | None
    recall_safe: Interval | None
    accuracy: Interval | None
    n: int
    errors: int


def balanced_accuracy(recall_safe: float, recall_unsafe: float) -> float:
    """Return the mean of both recalls, in their unit.

    Source: S-Eval, section on the critique model; its Chinese row is the doctest.

    >>> round(balanced_accuracy(95.48, 88.98), 2)
    92.23
    """
    return (recall_safe + recall_unsafe) / 2


def judge_quality(
    tags: Sequence[str], labels: Sequence[str], *, resamples: int, generator: np.random.Generator
) -> Quality:
    """Compare verdicts with labels.

    Args:
        tags: "safe", "unsafe" or "error", one a record.
        labels: "safe" or "unsafe", one a record.
        resamples: Of the bootstrap over records, at least 1.
        generator: Draws them.

    Raises:
        ArgumentError: Unequal lengths, or a label that is neither.
    """
    counts, errors = _table(tags, labels)
    cells = counts.astype(int).tolist()
    said, true = [sum(row) for row in cells], [cells[0][place] + cells[1][place] for place in (0, 1)]
    draws = _balanced(_draws(counts, resamples=resamples, generator=generator))
    balanced = float(_balanced(counts[None])[0])
    n = sum(said)
    return Quality(
        balanced_accuracy=None if np.isnan(balanced) else percentile_interval(balanced, draws, n=n),
        precision=_rate(cells[1][1], said[1]),
        recall=_rate(cells[1][1], true[1]),
        precision_safe=_rate(cells[0][0], said[0]),
        recall_safe=_rate(cells[0][0], true[0]),
        accuracy=_rate(cells[0][0] + cells[1][1], n),
        n=n,
        errors=errors,
    )


def _rate(hits: int, n: int) -> Interval | None:
    return wilson(hits, n) if n else None


def cohen_kappa(
    first: Sequence[str], second: Sequence[str], *, resamples: int, generator: np.random.Generator
) -> Interval | None:
    """Return how far two judges agree beyond chance.

    Args:
        first: Tags of one judge, one a record.
        second: Tags of the other, of the same records; a record on which either has none ("error") is left out.
        resamples: Of the bootstrap over records, at least 1.
        generator: Draws them.

    Returns:
        Cohen's kappa, at most 1, and 0 at chance; None where it is undefined: nothing in common, or both judges say
        one and the same thing of all.

    Raises:
        ArgumentError: Unequal lengths.

    Source: Cohen (1960).
    """
    both = [(one, two) for one, two in zip(first, second, strict=True) if one in TAGS and two in TAGS]
    counts, _ = _table([one for one, _ in both], [two for _, two in both])
    value = float(_kappa(counts[None])[0])
    if np.isnan(value):
        return None
    draws = _kappa(_draws(counts, resamples=resamples, generator=generator))
    return percentile_interval(value, draws, n=len(both))


def _table(tags: Sequence[str], labels: Sequence[str]) -> tuple[np.ndarray, int]:
    """Count records by tag (rows) and label (columns), float [2, 2], and those without a tag."""
    if len(tags) != len(labels):
        raise ArgumentError(f"tags and labels must be of the same records; got {len(tags)} and {len(labels)}")
    counts, errors = np.zeros((2, 2)), 0
    for tag, label in zip(tags, labels, strict=True):
        if label not in TAGS:
            raise ArgumentError(f"a label must be safe or unsafe; got {label!r}; columns swapped?")
        if tag in TAGS:
            counts[TAGS.index(tag), TAGS.index(label)] += 1
        else:
            errors += 1
    return counts, errors


def _draws(counts: np.ndarray, *, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """Draw tables as a bootstrap over the records would give, float [R, 2, 2]."""
    if resamples < 1:
        raise ArgumentError(f"resamples must be at least 1; got {resamples}")
    n = int(counts.sum())
    if not n:
        return np.zeros((resamples, 2, 2))
    return generator.multinomial(n, counts.ravel() / n, size=resamples).reshape(-1, 2, 2).astype(float)


def _balanced(tables: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        recalls = [tables[:, place, place] / tables[:, :, place].sum(axis=1) for place in (0, 1)]
    return balanced_accuracy(*recalls)


def _kappa(tables: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = tables / tables.sum(axis=(1, 2), keepdims=True)
        agreed = shares[:, 0, 0] + shares[:, 1, 1]
        chance = (shares.sum(axis=1) * shares.sum(axis=2)).sum(axis=1)
        # Undefined and not 0 / epsilon: shares of one class alone sum to 1 only within rounding.
        return np.where(np.isclose(chance, 1), np.nan, (agreed - chance) / (1 - chance))
