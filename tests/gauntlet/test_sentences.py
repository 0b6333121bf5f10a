from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gauntlet.errors import ArgumentError
from gauntlet.sentences import deal_sentences, group_near, rank, sentences, unreadable

SHARES = {"train": 0.6, "held_out": 0.1, "test": 0.3}
WORDS = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet", "kilo", "lima"]


def test_running_text_is_cut_at_its_full_stops():
    text = 'He came.<br /><br />"Did he?" she asked. Yes! i.e. no. 3 of them\nstayed'
    assert sentences(text) == ["He came.", '"Did he?" she asked.', "Yes! i.e. no.", "3 of them", "stayed"]
    assert sentences("  ") == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("We saw it, twice; didn't we?", None),
        ("We saw it in 1981, twice", "not only letters"),
        ("It came. then it went", "several sentences in one"),
        ("We saw it on DVD twice", "capitals or initials"),
        ("Plan B is what we need", "capitals or initials"),
        ("I saw a dog", None),
        ("We saw", "too few words"),
        ("a " * 15, "too many words"),
    ],
)
def test_only_what_every_voice_reads_alike_is_read(text, reason):
    assert unreadable(text, words=(4, 14)) == reason


def test_near_equal_sentences_are_one_group():
    texts = [
        "press one to hear the menu again",
        "the dog ran over the hill",
        "to hear the menu again",
        "press one to hear the menu",
        "we like the hill",
        "the dog ran over the hill",
    ]
    assert group_near(texts) == [0, 1, 0, 0, 4, 1]


lines = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=7).map(" ".join), min_size=1, max_size=30)


@given(lines, st.integers(0, 5))
def test_no_sentence_and_no_near_twin_stands_in_two_splits(texts, seed):
    splits = deal_sentences(texts, shares=SHARES, seed=seed)
    by_text = dict(zip(texts, splits, strict=True))
    assert [by_text[text] for text in texts] == splits
    for group in set(group_near(texts)):
        assert len({split for split, other in zip(splits, group_near(texts), strict=True) if other == group}) == 1
    backwards = deal_sentences(texts[::-1], shares=SHARES, seed=seed)
    assert backwards == splits[::-1]


def test_shares_are_met():
    generator = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    texts = [" ".join("".join(generator.choice(letters, 6)) for _ in range(5)) for _ in range(3000)]
    splits = deal_sentences(texts, shares=SHARES, seed=1)
    for split, share in SHARES.items():
        assert splits.count(split) / 3000 == pytest.approx(share, abs=0.03)
    assert splits != deal_sentences(texts, shares=SHARES, seed=2)


def test_ranks_are_spread_over_the_unit():
    ranks = np.sort([rank(str(number), seed=0) for number in range(2000)])
    assert 0 <= ranks[0] < 0.01
    assert 0.99 < ranks[-1] < 1
    assert max(b - a for a, b in pairwise(ranks)) < 0.01


def test_shares_must_sum_to_one():
    with pytest.raises(ArgumentError, match="sum to 1"):
        deal_sentences(["a b c d"], shares={"train": 0.5, "test": 0.4}, seed=0)
