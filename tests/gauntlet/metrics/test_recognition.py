"""Word and character errors by hand and against Levenshtein's recursion; intervals; the WAPAT paper's mean of eight."""

from functools import cache

import jiwer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gauntlet.errors import ArgumentError
from gauntlet.metrics.intervals import mean_interval
from gauntlet.metrics.recognition import (
    Errors,
    character_errors,
    error_rate,
    mean_of_eight,
    mean_over,
    word_errors,
)

WORDS = st.lists(st.sampled_from(["a", "b", "the"]), max_size=6)
WAPAT_ROW = {
    "librispeech_clean": 3.32,
    "librispeech_other": 7.28,
    "chime4": 32.68,
    "common_voice": 36.43,
    "voxpopuli": 36.38,
    "tedlium": 18.12,
    "gigaspeech": 24.25,
    "spgispeech": 18.40,
    "earnings22": 49.78,
    "ami": 44.53,
}


def errors(wrong: list[int], words: list[int]) -> Errors:
    """Make errors that are all substitutions."""
    wrong, words = np.array(wrong), np.array(words)
    return Errors(words - wrong, wrong, 0 * wrong, 0 * wrong)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_counts_by_hand():
    found = word_errors(
        ["the cat sat", "do not press five", "hello", "good morning"],
        ["the cat sat down", "do press nine", "", "good morning"],
    )
    assert found.hits.tolist() == [3, 2, 0, 2]
    assert found.substitutions.tolist() == [0, 1, 0, 0]
    assert found.deletions.tolist() == [0, 1, 1, 0]
    assert found.insertions.tolist() == [1, 0, 0, 0]
    assert found.words.tolist() == [3, 4, 1, 2]
    assert found.rate == 4 / 10
    assert found.take(np.array([1, 3])).rate == 2 / 6
    assert found.take(found.wrong == 0).words.tolist() == [2]


def test_characters_count_the_space():
    found = character_errors(["a cat", "it's"], ["acat", "its"])
    assert found.words.tolist() == [5, 4]
    assert found.deletions.tolist() == [1, 1]
    assert found.rate == 2 / 9


def distance(a: list[str], b: list[str]) -> int:
    """Return Levenshtein's distance by its definition."""

    @cache
    def of(i: int, j: int) -> int:
        if i == 0 or j == 0:
            return i + j
        return min(of(i - 1, j) + 1, of(i, j - 1) + 1, of(i - 1, j - 1) + (a[i - 1] != b[j - 1]))

    return of(len(a), len(b))


@given(st.lists(st.tuples(WORDS.filter(bool), WORDS), min_size=1, max_size=4))
def test_edits_are_least_and_rates_are_jiwers(pairs):
    references, hypotheses = ([" ".join(words) for words in side] for side in zip(*pairs, strict=True))
    found = word_errors(references, hypotheses)
    assert found.wrong.tolist() == [distance(a, b) for a, b in pairs]
    assert found.words.tolist() == [len(a) for a, _ in pairs]
    assert (found.hits + found.substitutions + found.insertions).tolist() == [len(b) for _, b in pairs]
    assert found.rate == pytest.approx(jiwer.wer(references, hypotheses))
    assert character_errors(references, hypotheses).rate == pytest.approx(jiwer.cer(references, hypotheses))


def test_with_equal_lengths_the_interval_is_that_of_a_mean():
    wrong = [0, 1, 3, 0, 2, 0, 1]
    found = error_rate(errors(wrong, [4] * 7), resamples=200, generator=rng())
    (mean,) = mean_interval(np.array(wrong)[:, None] / 4, resamples=200, generator=rng())
    assert (found.value, found.n) == (mean.value, 7)
    assert (found.low, found.high) == pytest.approx((mean.low, mean.high))


def test_long_utterances_weigh_more():
    """The rate is 10 / 110, not the mean 1/2 of the two utterances' rates; a draw holds either or both."""
    found = error_rate(errors([10, 0], [10, 100]), resamples=500, generator=rng())
    assert found.value == 10 / 110
    assert (found.low, found.high) == (0, 1)


def test_the_mean_counts_groups_alike():
    groups = {"small": errors([1], [2]), "large": errors([0] * 50, [4] * 50)}
    assert mean_over(groups, resamples=10, generator=rng()).value == 0.25
    assert mean_over(groups, resamples=10, generator=rng()).n == 51


def test_shared_units_are_drawn_together():
    """Where one group errs the other does not: together their mean is always a half, apart it spreads."""
    wrong = np.arange(20) % 2
    groups = {"left": errors(wrong, [1] * 20), "right": errors(1 - wrong, [1] * 20)}
    names = [f"clip {i}" for i in range(20)]
    joint = mean_over(groups, resamples=200, generator=rng(), units={"left": names, "right": names})
    assert (joint.value, joint.low, joint.high) == (0.5, 0.5, 0.5)
    apart = mean_over(groups, resamples=200, generator=rng())
    assert apart.value == 0.5
    assert apart.high - apart.low > 0.1


def test_units_need_not_stand_in_one_order():
    groups = {"left": errors([0, 1], [1, 1]), "right": errors([0, 1], [1, 1])}
    joint = mean_over(groups, resamples=99, generator=rng(), units={"left": ["a", "b"], "right": ["b", "a"]})
    assert (joint.low, joint.high) == (0.5, 0.5)


def test_a_draw_without_a_group_is_left_out():
    groups = {"one": errors([1], [1]), "other": errors([0] * 3, [1] * 3)}
    found = mean_over(groups, resamples=200, generator=rng(), units={"one": ["a"], "other": ["b", "c", "d"]})
    assert (found.low, found.high) == (0.5, 0.5)


def test_a_wider_interval_holds_the_truth():
    """Of 200 samples whose true rate is 0.3, about 95 % of the intervals hold it."""
    source, held = rng(1), 0
    for _ in range(200):
        words = source.integers(4, 12, 60)
        found = error_rate(errors(source.binomial(words, 0.3), words), resamples=200, generator=source)
        held += found.low <= 0.3 <= found.high
    assert 0.9 <= held / 200 <= 0.99


def test_the_paper_s_mean_of_eight():
    assert round(mean_of_eight(WAPAT_ROW), 2) == 32.57


def test_a_missing_set_is_named():
    with pytest.raises(ArgumentError, match="lacks ami"):
        mean_of_eight({name: rate for name, rate in WAPAT_ROW.items() if name != "ami"})


@pytest.mark.parametrize(
    ("references", "hypotheses", "said"),
    [
        (["a", ""], ["a", "b"], "must have a word; got '' at 1"),
        ([" "], [""], "must have a word"),
        (["a"], ["a", "b"], "got 2 for 1"),
        ([], [], "got 0 for 0"),
    ],
)
def test_what_cannot_be_counted_is_refused(references, hypotheses, said):
    for count in (word_errors, character_errors):
        with pytest.raises(ArgumentError, match=said):
            count(references, hypotheses)


def test_bad_means_are_refused():
    group = {"a": errors([1], [2])}
    with pytest.raises(ArgumentError, match="got 1 and 0"):
        mean_over(group, resamples=0, generator=rng())
    with pytest.raises(ArgumentError, match="got 0 and 5"):
        mean_over({}, resamples=5, generator=rng())
    with pytest.raises(ArgumentError, match="a must have a unit for each utterance; got 2, 1"):
        mean_over(group, resamples=5, generator=rng(), units={"a": ["x", "y"]})
