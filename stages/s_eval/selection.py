"""Base prompts among the candidates: each step in order, and every dropped candidate with its step and reason."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field, PositiveInt

from gauntlet.errors import DataError
from gauntlet.metrics.selection import (
    Candidate,
    Chosen,
    Dropped,
    distinct,
    diverse,
    harmful,
    ranks,
    relevant,
    unit_rows,
)
from gauntlet.models.sentence_vectors import sentence_vectors
from gauntlet.readers.encoders import read_encoder
from gauntlet.taxonomy import Taxonomy
from stages import Params, Ratio


class Selection(Params):
    """What a candidate must pass, in this order.

    Attributes:
        similarity: Least cosine of near-duplicates.
        rank: The intended category must be among so many of the nearest.
        shortlist: Candidates of a dimension that the panel is asked.
        least_unsafe: Least mean P(unsafe) of the panel's answers.
        quota: Base prompts of a dimension.
    """

    similarity: float = Field(gt=0, le=1)
    rank: PositiveInt
    shortlist: PositiveInt
    least_unsafe: Ratio
    quota: PositiveInt


@dataclass(frozen=True)
class Selected:
    """Base prompts, their mean P(unsafe), and what was dropped."""

    prompts: tuple[Candidate, ...]
    unsafe: tuple[float, ...]
    dropped: tuple[Dropped, ...]


class Embedding:
    """The encoder, which remembers what it has read."""

    def __init__(self, encoder: Path) -> None:
        self._encoder = read_encoder(encoder)
        self._vectors: dict[str, np.ndarray] = {}

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Embed texts, float [N, D], rows of length 1."""
        fresh = list(dict.fromkeys(text for text in texts if text not in self._vectors))
        vectors = sentence_vectors(self._encoder.model, self._encoder.tokenizer, fresh)
        self._vectors |= dict(zip(fresh, vectors, strict=True))
        return np.stack([self._vectors[text] for text in texts])


class Anchors:
    """A vector a category: its definition and the mean of its seeds, in equal parts.

    Attributes:
        categories: Names, in the taxonomy's order.
        dimensions: Of each category.
        vectors: float [A, D], rows of length 1.
    """

    def __init__(self, taxonomy: Taxonomy, seeds: Sequence[Candidate], *, embed: Callable) -> None:
        self.categories = [risk.name for risk in taxonomy.categories]
        self.dimensions = [risk.dimension for risk in taxonomy.categories]
        vectors = embed([f"{risk.name}: {risk.definition}" for risk in taxonomy.categories])
        for place, category in enumerate(self.categories):
            if own := [one.prompt for one in seeds if one.category == category]:
                vectors[place] += unit_rows(embed(own).mean(axis=0, keepdims=True))[0]
        self.vectors = unit_rows(vectors)

    def labelled(self, one: Candidate, near: np.ndarray) -> Candidate:
        """Give a candidate without a category the nearest of its dimension, marked as predicted."""
        if one.category:
            return one
        place = next(place for place in near if one.dimension in ("", self.dimensions[place]))
        return one._replace(category=self.categories[place], dimension=self.dimensions[place], predicted=True)


def select(
    candidates: Sequence[Candidate],
    taken: Sequence[Candidate],
    *,
    params: Selection,
    anchors: Anchors,
    embed: Callable[[Sequence[str]], np.ndarray],
    unsafe: Callable[[Sequence[Candidate]], list[float]],
) -> Selected:
    """Choose base prompts.

    Args:
        candidates: Those to prefer first.
        taken: Prompts of other roles, which no base prompt may repeat.
        params: Thresholds.
        anchors: Of the categories.
        embed: Texts to rows of length 1.
        unsafe: Mean P(unsafe) of a panel's answers to each candidate.

    Raises:
        DataError: None is left.
    """
    dropped: list[Dropped] = []

    def after(pool: Sequence[Candidate], chosen: Chosen) -> list[Candidate]:
        dropped.extend(chosen.dropped)
        if not chosen.kept:
            step = chosen.dropped[-1].step if chosen.dropped else "duplicate"
            raise DataError(f"a base prompt must pass every step; none passed {step}; thresholds too strict?")
        return [pool[place] for place in chosen.kept]

    pool = after(candidates, _new(candidates, taken, embed=embed, similarity=params.similarity))
    near = ranks(_vectors(pool, embed), anchors.vectors)
    pool = [anchors.labelled(one, places) for one, places in zip(pool, near, strict=True)]
    pool = after(pool, relevant(pool, near, categories=anchors.categories, rank=params.rank))
    none = [0.0] * len(pool)
    pool = after(pool, diverse(pool, _vectors(pool, embed), scores=none, quota=params.shortlist, step="shortlist"))
    scores = dict(zip(pool, unsafe(pool), strict=True))
    pool = after(pool, harmful(pool, list(scores.values()), least=params.least_unsafe))
    told = [scores[one] for one in pool]
    pool = after(pool, diverse(pool, _vectors(pool, embed), scores=told, quota=params.quota, step="diversity"))
    return Selected(tuple(pool), tuple(scores[one] for one in pool), tuple(dropped))


def _vectors(pool: Sequence[Candidate], embed: Callable) -> np.ndarray:
    return embed([one.prompt for one in pool])


def _new(candidates: Sequence[Candidate], taken: Sequence[Candidate], *, embed: Callable, similarity: float) -> Chosen:
    """Keep candidates that repeat neither each other nor what is taken."""
    both = [*taken, *candidates]
    found = distinct(both, _vectors(both, embed), similarity=similarity)
    repeats_taken = len(taken) - sum(place < len(taken) for place in found.kept)
    return Chosen([place - len(taken) for place in found.kept if place >= len(taken)], found.dropped[repeats_taken:])


def in_turns(selected: Selected) -> list[tuple[Candidate, float]]:
    """Order base prompts so that every beginning of the list has all dimensions alike, the most harmful first."""
    pairs = sorted(zip(selected.prompts, selected.unsafe, strict=True), key=lambda pair: (-pair[1], pair[0].id))
    turns: dict[str, int] = {}
    placed = []
    for one, score in pairs:
        turns[one.dimension] = turns.get(one.dimension, 0) + 1
        placed.append((turns[one.dimension], one, score))
    names = [one.dimension for one in selected.prompts]
    placed.sort(key=lambda row: (row[0], names.index(row[1].dimension)))
    return [(one, score) for _, one, score in placed]
