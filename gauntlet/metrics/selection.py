"""Choosing test prompts among candidates: duplicates, relevance to the risk, harmfulness, quota and diversity.

Each step is deterministic and says of every candidate that it drops why; none draws at random. Embeddings are float
arrays [N, D] with rows of length 1.

Source: S-Eval, section on selection, names a range of strategies without their details; the thresholds are parameters.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from gauntlet.errors import ArgumentError


class Candidate(NamedTuple):
    """A prompt that may be chosen.

    Attributes:
        id: Unique.
        prompt: Text.
        dimension: First level of the taxonomy; "" where it is not known yet.
        category: Second level, likewise.
        predicted: Whether the category is a model's and not the publisher's.
        source: Where the prompt comes from.
    """

    id: str
    prompt: str
    dimension: str
    category: str
    predicted: bool
    source: str


class Dropped(NamedTuple):
    """A candidate that was left out: at which step, and why."""

    id: str
    step: str
    reason: str


class Chosen(NamedTuple):
    """What a step leaves: places in the list of candidates, rising, and the others with their reason."""

    kept: list[int]
    dropped: list[Dropped]


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Scale rows to length 1; a row of zeros stays."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def distinct(candidates: Sequence[Candidate], embeddings: np.ndarray, *, similarity: float) -> Chosen:
    """Keep the first of every set of equal or nearly equal prompts.

    Args:
        candidates: Those to prefer first.
        embeddings: [N, D].
        similarity: Least cosine of a near-duplicate, in (0, 1].
    """
    if not 0 < similarity <= 1:
        raise ArgumentError(f"similarity must lie in (0, 1]; got {similarity}")
    kept: list[int] = []
    dropped: list[Dropped] = []
    texts: dict[str, str] = {}
    for place, one in enumerate(candidates):
        text = " ".join(one.prompt.lower().split())
        if text in texts:
            dropped.append(Dropped(one.id, "duplicate", f"equal to {texts[text]}"))
            continue
        cosines = embeddings[kept] @ embeddings[place]
        if kept and cosines.max() >= similarity:
            nearest = int(cosines.argmax())
            reason = f"cosine {cosines[nearest]:.2f} to {candidates[kept[nearest]].id}"
            dropped.append(Dropped(one.id, "duplicate", reason))
            continue
        texts[text] = one.id
        kept.append(place)
    return Chosen(kept, dropped)


def ranks(embeddings: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Return for every row the anchors from the nearest on, int [N, A]; the earlier of two equally near is first."""
    return np.argsort(-(embeddings @ anchors.T).round(6), axis=1, kind="stable")


def relevant(candidates: Sequence[Candidate], near: np.ndarray, *, categories: Sequence[str], rank: int) -> Chosen:
    """Keep candidates whose intended category is among the nearest.

    Args:
        candidates: Each with a category.
        near: int [N, A] from `ranks`, places in `categories`.
        categories: The anchors' names.
        rank: How many of the nearest count, from 1.
    """
    if not 1 <= rank <= len(categories):
        raise ArgumentError(f"rank must lie in 1..{len(categories)}, the number of categories; got {rank}")
    kept, dropped = [], []
    for place, one in enumerate(candidates):
        position = near[place].tolist().index(categories.index(one.category)) + 1
        if position <= rank:
            kept.append(place)
        else:
            reason = f"{one.category} is nearest but {position - 1}; nearest: {categories[near[place, 0]]}"
            dropped.append(Dropped(one.id, "relevance", reason))
    return Chosen(kept, dropped)


def harmful(candidates: Sequence[Candidate], unsafe: Sequence[float], *, least: float) -> Chosen:
    """Keep candidates that the panel's answers show to be harmful.

    Args:
        candidates: N of them.
        unsafe: Mean P(unsafe) of the panel's answers, in [0, 1]; NaN where no answer could be judged.
        least: Kept from this mean on; 0 keeps all that could be judged.
    """
    kept, dropped = [], []
    for place, (one, score) in enumerate(zip(candidates, unsafe, strict=True)):
        if score >= least:
            kept.append(place)
        else:
            reason = "no verdict on any answer" if np.isnan(score) else f"mean P(unsafe) {score:.2f} below {least:g}"
            dropped.append(Dropped(one.id, "harmfulness", reason))
    return Chosen(kept, dropped)


def quotas(sizes: Mapping[str, int], *, total: int) -> dict[str, int]:
    """Share `total` among groups as evenly as their sizes allow, the larger remainder to the earlier.

    >>> quotas({"a": 5, "b": 1, "c": 5}, total=6)
    {'a': 3, 'b': 1, 'c': 2}
    """
    given = dict.fromkeys(sizes, 0)
    while sum(given.values()) < min(total, sum(sizes.values())):
        for name in sizes:
            if given[name] < sizes[name] and sum(given.values()) < total:
                given[name] += 1
    return given


def farthest_first(embeddings: np.ndarray, *, count: int, scores: Sequence[float]) -> list[int]:
    """Choose rows that lie far from each other: the highest score first, then always the farthest from those chosen.

    Args:
        embeddings: [N, D].
        count: How many, at most N.
        scores: [N]; the first is the highest, and of two equally far the higher is taken.

    Source: Gonzalez 1985, the greedy 2-approximation of max-min distance.
    """
    order = sorted(range(len(embeddings)), key=lambda place: (-scores[place], place))
    chosen = order[: min(count, 1)]
    while len(chosen) < min(count, len(order)):
        near = (embeddings @ embeddings[chosen].T).max(axis=1).round(6)
        chosen.append(min((place for place in order if place not in chosen), key=lambda place: near[place]))
    return chosen


def diverse(
    candidates: Sequence[Candidate], embeddings: np.ndarray, *, scores: Sequence[float], quota: int, step: str
) -> Chosen:
    """Fill each dimension's quota, evenly over its categories, with prompts far from each other.

    Args:
        candidates: N of them, each with dimension and category.
        embeddings: [N, D].
        scores: [N], higher preferred: mean P(unsafe), or zeros.
        quota: Prompts of a dimension.
        step: Its name among those that drop.
    """
    places: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for place, one in enumerate(candidates):
        places[one.dimension][one.category].append(place)
    kept: list[int] = []
    dropped: list[Dropped] = []
    for categories in places.values():
        shares = quotas({name: len(here) for name, here in categories.items()}, total=quota)
        for name, here in categories.items():
            chosen = farthest_first(embeddings[here], count=shares[name], scores=[scores[place] for place in here])
            kept += [here[index] for index in chosen]
            reason = f"{shares[name]} of {len(here)} {name} kept, farther apart"
            dropped += [Dropped(candidates[p].id, step, reason) for i, p in enumerate(here) if i not in chosen]
    return Chosen(sorted(kept), dropped)
