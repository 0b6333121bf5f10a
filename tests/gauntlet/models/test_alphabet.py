import pytest
import torch

from gauntlet.errors import ArgumentError
from gauntlet.models.alphabet import Alphabet


def test_letters_there_and_back():
    letters = Alphabet()
    assert letters.encode("ab 'z") == [1, 2, 28, 27, 26]
    assert len(letters) == 29
    assert letters.decode(letters.encode("ab 'z")) == "ab 'z"


def test_a_path_loses_repeats_blanks_and_outer_spaces():
    assert Alphabet().decode([28, 0, 1, 1, 0, 1, 28, 0, 28, 2, 0, 28]) == "aa b"
    assert Alphabet().decode([]) == Alphabet().decode([0, 0]) == ""


def test_phonemes_stand_between_spaces():
    phonemes = Alphabet(("p", "əʊ", "tʃ"))
    assert phonemes.encode("tʃ əʊ p") == [3, 2, 1]
    assert phonemes.decode([3, 3, 0, 2, 1]) == "tʃ əʊ p"


def test_frames_needed_counts_a_blank_between_equal_neighbours():
    assert [Alphabet().frames_needed(text) for text in ("abc", "hello", "aaa")] == [3, 6, 5]


def test_targets_are_padded_with_the_blank():
    targets, sizes = Alphabet().targets(["ab", "c"])
    assert targets.tolist() == [[1, 2], [3, 0]]
    assert sizes.dtype == torch.int64
    assert sizes.tolist() == [2, 1]


def test_bad_symbols_and_texts():
    for symbols in ((), ("a", "a"), ("a", "")):
        with pytest.raises(ArgumentError, match="symbols must be different"):
            Alphabet(symbols)
    with pytest.raises(ArgumentError, match="a space parts phonemes"):
        Alphabet(("ab", "c d"))
    with pytest.raises(ArgumentError, match="known symbols; got 'A'"):
        Alphabet().encode("A cat")
    with pytest.raises(ArgumentError, match="known symbols; got 'ʒ'"):
        Alphabet(("p", "əʊ")).encode("p ʒ")
    with pytest.raises(ArgumentError, match="at least one symbol"):
        Alphabet().encode("")
