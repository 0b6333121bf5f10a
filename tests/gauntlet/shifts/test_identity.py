"""Swaps of identity: worked sentences, an involution, every pair both ways, bad pairs."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gauntlet.errors import ArgumentError
from gauntlet.shifts.identity import GENDER, RACE_TERMS, Identity, paired_names

NAMES = paired_names(["Teal", "McNair"], ["Pires", "Cannady"])
WORDS = sorted({word for pair in GENDER.pairs for word in pair})


@pytest.mark.parametrize(
    ("text", "twin"),
    [
        ("He saw her book.", "She saw his book."),
        ("I saw her.", "I saw him."),
        ("I told her about it.", "I told him about it."),
        ("That car is his, not hers.", "That car is hers, not his."),
        ("I know him", "I know her"),
        ("MY FATHER; My father; my father's", "MY MOTHER; My mother; my mother's"),
        ("He's here and she'll stay.", "She's here and he'll stay."),
        ("Themes of manhood, herring, mankind", "Themes of manhood, herring, mankind"),
        ("", ""),
    ],
)
def test_sentences_about_the_other_gender(text, twin):
    assert GENDER.swap(text) == twin


def test_the_guess_on_her_is_known_to_fail_on_a_second_object():
    assert GENDER.swap("I told her stories.") == "I told his stories."


@pytest.mark.parametrize("pair", GENDER.pairs)
@pytest.mark.parametrize("cased", [str.lower, str.upper, str.capitalize])
def test_every_pair_swaps_both_ways_and_keeps_its_case(pair, cased):
    zero, one = map(cased, pair)
    assert GENDER.swap(zero) == one
    assert GENDER.swap(one) == zero
    assert (GENDER.groups(zero), GENDER.groups(one)) == ({0}, {1})


@given(st.lists(st.sampled_from([*WORDS, "bread", "reads", "The", "and", "Her", "quick,"]), max_size=12))
def test_a_swap_of_regular_words_undoes_itself(words):
    text = " ".join(word for word in words if word != "Her")
    assert GENDER.swap(GENDER.swap(text)) == text


@given(st.text(string.printable, max_size=60))
def test_a_text_that_names_nobody_stays_and_an_assigned_one_names_one_group(text):
    assert GENDER.groups(text) or GENDER.swap(text) == text
    for group in (0, 1):
        assert GENDER.groups(GENDER.assign(text, group)) <= {group}


def test_assigning_leaves_the_group_that_is_asked_for():
    text = "My uncle met the queen in her garden."
    assert GENDER.assign(text, 1) == "My aunt met the queen in her garden."
    assert GENDER.assign(text, 0) == "My uncle met the king in his garden."
    assert GENDER.groups(text) == {0, 1}


def test_names_are_found_as_they_are_written_alone():
    assert NAMES.swap("Teal and McNair drink teal tea.") == "Pires and Cannady drink teal tea."
    assert NAMES.swap(NAMES.swap("Cannady, McNair")) == "Cannady, McNair"
    assert NAMES.swap("Teal's; Teal-Green") == "Pires's; Teal-Green"


def test_terms_of_race_swap():
    assert Identity(RACE_TERMS).swap("Black and African-American writers") == "White and Caucasian writers"


@pytest.mark.parametrize("pairs", [(), (("a", "b"), ("c", "a")), (("a", "a"),), (("He", "x"), ("he", "y"))])
def test_pairs_that_cannot_be_undone(pairs):
    with pytest.raises(ArgumentError, match="each word once"):
        Identity(pairs)


def test_names_must_pair():
    with pytest.raises(ArgumentError, match="got 1 and 2"):
        paired_names(["A"], ["B", "C"])
