"""Each edit changes just one word, by rules that can be read off the transcript."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gauntlet.attacks.transaudio.edits import CLOSED, EDITS, delete, insert, substitute
from gauntlet.errors import ArgumentError
from gauntlet.metrics.transaudio import heard

WORDS = ["please", "hold", "the", "line", "is", "your", "two", "message", "not", "hold", "extension", "to"]
TEXTS = st.lists(st.sampled_from(WORDS), min_size=2, max_size=9).map(" ".join)


@pytest.mark.parametrize("kind", EDITS)
@settings(deadline=None)
@given(text=TEXTS)
def test_the_target_is_the_transcript_with_one_edit(kind, text):
    edit, words = EDITS[kind](text), text.split()
    target, place = edit.target_text.split(), edit.position
    longer = {"delete": -1, "insert": 1, "substitute": 0}[kind]
    assert len(target) - len(words) == longer
    assert target[:place] == words[:place]
    assert target[place + (kind != "delete") :] == words[place + (kind != "insert") :]
    assert edit.kind == kind
    if kind == "delete":
        assert edit.word == edit.original == words[place]
    else:
        assert edit.word == target[place]
        assert edit.original == ("" if kind == "insert" else words[place])
    assert heard(text, edit.target_text, hypothesis=edit.target_text) == (True, True)
    assert heard(text, edit.target_text, hypothesis=text) == (False, False)


@pytest.mark.parametrize(
    ("edit", "text", "target"),
    [
        (delete, "please extension hold the line", "please extension the line"),
        (delete, "your extension is the extension please message", "your extension is the extension please"),
        (delete, "to the", "to"),
        (insert, "you have two messages", "you have not two messages"),
        (insert, "please hold the line", "please not hold the line"),
        (insert, "that is", "not that is"),
        (substitute, "press two now", "green two now"),
        (substitute, "all of the", "all of two"),
    ],
)
def test_the_word_is_chosen_by_rule(edit, text, target):
    assert edit(text).target_text == target


def test_a_short_content_word_that_stands_once_is_taken():
    edit = delete("the line is the extension line hold")
    assert edit.word == "hold"
    assert edit.word not in CLOSED


def test_replacements_in_the_text_are_passed_over():
    assert substitute("two lines", replacements=("two", "three")).word == "three"
    with pytest.raises(ArgumentError, match="replacements must hold a word that is not in the text"):
        substitute("two lines", replacements=("two",))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: delete("one"), "2 words"),
        (lambda: insert(" "), "1 words"),
        (lambda: insert("one", inserted="not at"), "inserted must be single words"),
        (lambda: substitute("one", replacements=["a b"]), "replacements must be single words"),
    ],
)
def test_refused(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()
