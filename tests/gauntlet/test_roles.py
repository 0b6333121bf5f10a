"""Roles: disjoint, stable, in their shares, near-equal texts together, every category in the greatest role."""

from collections import Counter

import numpy as np
import pytest

from gauntlet.errors import ArgumentError
from gauntlet.roles import deal_roles

SHARES = {"base": 0.4, "seed": 0.2, "train": 0.25, "held": 0.15}
WORDS = ("oak", "elm", "ash", "fir", "yew", "box", "bay", "fig", "nut", "pea", "rye", "hop", "cod", "eel", "ray", "gnu")


def different(count: int) -> list[str]:
    generator = np.random.default_rng(0)
    return [" ".join(generator.choice(WORDS, 7)) + f" {number}x" for number in range(count)]


def deal(texts, categories, **changes):
    return deal_roles(
        texts, categories, **{"shares": SHARES, "unknown": ("train", "held"), "pinned": {}, "seed": 0, **changes}
    )


def test_a_category_is_dealt_in_the_shares():
    counts = Counter(deal(different(100), ["a"] * 100))
    assert all(abs(counts[role] - 100 * share) <= 2 for role, share in SHARES.items())


def test_a_category_of_one_goes_to_the_greatest_share():
    texts = different(20)
    assert set(deal(texts, texts)) == {"base"}


def test_order_does_not_matter_and_the_seed_does():
    texts = different(40)
    categories = [str(number % 3) for number in range(40)]
    first = dict(zip(texts, deal(texts, categories), strict=True))
    again = dict(zip(texts[::-1], deal(texts[::-1], categories[::-1]), strict=True))
    other = dict(zip(texts, deal(texts, categories, seed=1), strict=True))
    assert first == again != other


def test_near_equal_texts_share_a_role():
    texts = [f"{text} {end}" for text in different(30) for end in ("today", "now")]
    roles = deal(texts, ["a"] * 60)
    assert roles[::2] == roles[1::2]


def test_a_pinned_text_binds_those_like_it():
    texts = different(20)
    roles = deal([*texts, f"{texts[3]} now"], [*"a" * 20, ""], pinned={f"{texts[3]} now": "held"})
    assert roles[3] == roles[20] == "held"


def test_what_has_no_category_only_teaches_and_measures_judges():
    roles = deal(different(80), [""] * 80)
    assert Counter(roles) == {"train": 50, "held": 30}


@pytest.mark.parametrize("changes", [{"shares": {"base": 0.5}}, {"unknown": ("nobody",)}])
def test_shares_that_do_not_add_up(changes):
    with pytest.raises(ArgumentError, match="sum to 1"):
        deal(["a"], ["a"], **changes)
