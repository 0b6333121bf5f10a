import pytest
import torch

from gauntlet.errors import ArgumentError
from gauntlet.models.clip_words import Words, split_words, vocabulary


def test_words_are_lower_case_and_sorted():
    assert vocabulary(["An owl, red!", "a T-shirt"]) == ["a", "an", "owl", "red", "shirt", "t"]
    assert split_words("3-D model.") == ["3", "d", "model"]


def test_ids():
    words = Words(["owl", "red"], context=6)
    assert len(words) == 6
    assert words(["red owl.", "a owl"]).tolist() == [[2, 4, 3, 5, 0, 0], [2, 1, 3, 5, 0, 0]]


def test_the_end_is_the_greatest_id_wherever_it_stands():
    words = Words(["a", "b", "c"], context=8)
    tokens = words(["a", "a b c", "c c c c c c"])
    assert tokens.argmax(-1).tolist() == [2, 4, 7]
    assert (tokens.max(-1).values == len(words) - 1).all()
    assert tokens.dtype == torch.int64


def test_too_long_a_text_is_refused():
    with pytest.raises(ArgumentError, match="at most 2 words; got 3: 'a b c'"):
        Words(["a"], context=4)(["a b c"])


@pytest.mark.parametrize(("words", "context"), [([], 4), (["a", "a"], 4), (["a"], 2)])
def test_bad_vocabularies(words, context):
    with pytest.raises(ArgumentError, match="must"):
        Words(words, context=context)


def test_known_is_what_has_a_known_word():
    words = Words(["owl"], context=6)
    assert words.knows("a red owl")
    assert not words.knows("xylophone")
