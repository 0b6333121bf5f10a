import pytest

from gauntlet.errors import DataError
from gauntlet.readers.pronunciations import read_pronunciations


def test_all_pronunciations_of_the_words_and_no_others():
    assert read_pronunciations(["two", "a", "xyzzy"]) == "a AH\na(2) EY\ntwo T UW\n"


def test_words_of_another_language_are_one_line():
    with pytest.raises(DataError, match="none of 1"):
        read_pronunciations(["xyzzy"])
