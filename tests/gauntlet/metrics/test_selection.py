"""Choosing prompts: hand-made embeddings whose answer is plain, every candidate kept or named once, no chance."""

from itertools import combinations

import numpy as np
import pytest

from gauntlet.errors import ArgumentError
from gauntlet.metrics.selection import (
    Candidate,
    distinct,
    diverse,
    farthest_first,
    harmful,
    quotas,
    ranks,
    relevant,
    unit_rows,
)

ANGLES = np.deg2rad([0, 10, 90, 95, 180])
CIRCLE = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)


def candidates(count: int, *, categories: str = "", dimensions: str = "") -> list[Candidate]:
    return [
        Candidate(f"p{i}", f"How do I bake bread {i}?", (dimensions or "D" * count)[i], (categories or "a" * count)[i],
                  predicted=False, source="")
        for i in range(count)
    ]  # fmt: skip


def whole(chosen, count: int) -> None:
    """Every candidate is kept or dropped, once."""
    names = [f"p{place}" for place in chosen.kept] + [one.id for one in chosen.dropped]
    assert sorted(names) == sorted(f"p{place}" for place in range(count))


def test_unit_rows_have_length_one_and_zeros_stay():
    rows = unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, 0]])


def test_the_first_of_near_duplicates_is_kept_and_names_the_other():
    chosen = distinct(candidates(5), CIRCLE, similarity=0.98)
    whole(chosen, 5)
    assert chosen.kept == [0, 2, 4]
    assert [(one.id, one.step, one.reason) for one in chosen.dropped] == [
        ("p1", "duplicate", "cosine 0.98 to p0"),
        ("p3", "duplicate", "cosine 1.00 to p2"),
    ]


def test_equal_texts_are_duplicates_whatever_case_and_spaces():
    first, second, *_ = candidates(5)
    same = second._replace(prompt=f" {first.prompt.upper()}\n")
    chosen = distinct([first, same], CIRCLE[[0, 4]], similarity=1.0)
    assert chosen.dropped == [("p1", "duplicate", "equal to p0")]


def test_what_is_kept_as_distinct_is_distinct():
    vectors = unit_rows(np.random.default_rng(0).normal(size=(60, 3)))
    kept = distinct(candidates(60), vectors, similarity=0.9).kept
    assert max(vectors[a] @ vectors[b] for a, b in combinations(kept, 2)) < 0.9


def test_relevance_counts_the_nearest_categories():
    anchors = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    near = ranks(CIRCLE, anchors)
    assert near[:, 0].tolist() == [0, 0, 1, 1, 2]
    here = candidates(5, categories="abbca")
    strict = relevant(here, near, categories="abc", rank=1)
    assert strict.kept == [0, 2]
    assert strict.dropped[0] == ("p1", "relevance", "b is nearest but 1; nearest: a")
    assert relevant(here, near, categories="abc", rank=3).kept == [0, 1, 2, 3, 4]
    with pytest.raises(ArgumentError, match=r"rank must lie in 1..3, .*; got 4"):
        relevant(here, near, categories="abc", rank=4)


def test_harmfulness_keeps_from_the_least_on_and_names_what_had_no_verdict():
    chosen = harmful(candidates(4), [0.5, 0.49, float("nan"), 1.0], least=0.5)
    assert chosen.kept == [0, 3]
    assert [one.reason for one in chosen.dropped] == ["mean P(unsafe) 0.49 below 0.5", "no verdict on any answer"]
    assert harmful(candidates(2), [0.0, float("nan")], least=0).kept == [0]


@pytest.mark.parametrize(
    ("sizes", "total", "shares"),
    [
        ({"a": 2, "b": 2}, 3, {"a": 2, "b": 1}),
        ({"a": 9, "b": 0, "c": 1}, 5, {"a": 4, "b": 0, "c": 1}),
        ({"a": 1}, 5, {"a": 1}),
        ({}, 5, {}),
    ],
)
def test_quotas_are_even_where_sizes_allow(sizes, total, shares):
    assert quotas(sizes, total=total) == shares


def test_farthest_first_begins_with_the_highest_score_and_then_goes_far():
    scores = [0.1, 0.9, 0.5, 0.6, 0.2]
    assert farthest_first(CIRCLE, count=3, scores=scores) == [1, 4, 3]
    assert farthest_first(CIRCLE, count=0, scores=scores) == []
    assert sorted(farthest_first(CIRCLE, count=9, scores=scores)) == [0, 1, 2, 3, 4]


def test_farthest_first_is_within_two_of_the_best_spread():
    vectors = unit_rows(np.random.default_rng(1).normal(size=(12, 4)))
    spread = {
        chosen: min(np.linalg.norm(vectors[a] - vectors[b]) for a, b in combinations(chosen, 2))
        for chosen in combinations(range(12), 4)
    }
    found = spread[tuple(sorted(farthest_first(vectors, count=4, scores=[0] * 12)))]
    assert max(spread.values()) / 2 <= found <= max(spread.values())


def test_a_dimension_has_its_quota_over_its_categories():
    here = candidates(5, categories="aaabb", dimensions="DDDDE")
    chosen = diverse(here, CIRCLE, scores=[0, 1, 0, 0, 0], quota=2, step="diversity")
    whole(chosen, 5)
    assert chosen.kept == [1, 3, 4]
    assert chosen.dropped == [
        ("p0", "diversity", "1 of 3 a kept, farther apart"),
        ("p2", "diversity", "1 of 3 a kept, farther apart"),
    ]


def test_similarity_must_be_a_cosine():
    with pytest.raises(ArgumentError, match="similarity must lie in"):
        distinct(candidates(5), CIRCLE, similarity=90)
