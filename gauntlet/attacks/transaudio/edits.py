"""Edits of a transcript: one word deleted, inserted or put in another's place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gauntlet.errors import ArgumentError

_AUXILIARIES = "am is are was were be been do does did have has had will would can could may might must shall should"
_OTHERS = (
    "a an the this that these those and or but nor so if then than as at by for from in into of off on onto out over "
    "to up upon with without about after before between under until while i you he she it we they me him her us them "
    "my your his its our their mine yours who whom whose which what when where why how there here not no yes all any "
    "both each few more most other some such only own same too very just now again also please let"
)
AUXILIARIES = frozenset(_AUXILIARIES.split())
CLOSED = AUXILIARIES | frozenset(_OTHERS.split())
"""Words that carry grammar; all others count as content."""

INSERTED = "not"
REPLACEMENTS = ("two", "red", "blue", "nine", "green", "seven", "yellow", "window", "morning", "computer", "tomorrow")
SHORT = 6
"""Letters of a content word that is short enough to be the first choice."""


@dataclass(frozen=True)
class Edit:
    """One edit.

    Attributes:
        kind: "delete", "insert" or "substitute".
        target_text: The transcript after the edit.
        word: The word deleted, inserted or put in.
        position: Its index among the transcript's words (delete, substitute), or among the target's (insert).
        original: The word that goes; empty for insert.
    """

    kind: str
    target_text: str
    word: str
    position: int
    original: str


def delete(text: str) -> Edit:
    """Take the first short content word out; where there is none, the first content word, else the last word.

    Args:
        text: Normalised, two words or more.

    Raises:
        ArgumentError: Fewer than two words.

    Source: TransAudio's released rule (the first noun or adjective shorter than three characters, else the last
    character), for English and without a tagger of parts of speech.

    >>> delete("please leave your message").target_text
    'please your message'
    """
    words = _words(text, 2)
    place = _content(words)
    return Edit("delete", " ".join(words[:place] + words[place + 1 :]), words[place], place, words[place])


def insert(text: str, *, inserted: str = INSERTED) -> Edit:
    """Put a word in behind the first auxiliary verb; where there is none, before the first content word, else first.

    Args:
        text: Normalised, one word or more.
        inserted: One normalised word.

    Raises:
        ArgumentError: No word in the text, or not just one to insert.

    Source: TransAudio's released rule ("not" before the first adverb, verb or adjective, else at the start), for
    English and without a tagger of parts of speech.

    >>> insert("the office is open").target_text
    'the office is not open'
    """
    words, word = _words(text, 1), _one(inserted, "inserted")
    behind = [place + 1 for place, each in enumerate(words[:-1]) if each in AUXILIARIES]
    before = [place for place, each in enumerate(words) if each not in CLOSED]
    place = (behind or before or [0])[0]
    return Edit("insert", " ".join([*words[:place], word, *words[place:]]), word, place, "")


def substitute(text: str, *, replacements: Sequence[str] = REPLACEMENTS) -> Edit:
    """Put another word, of about as many letters, in the place of the word that `delete` would take.

    Args:
        text: Normalised, one word or more.
        replacements: Normalised words, of which one or more are not in the text.

    Raises:
        ArgumentError: No word in the text, or each replacement stands in it already.

    Source: TransAudio's released rule puts a fixed name in the place of the first word of its length.

    >>> substitute("please leave your message").target_text
    'please green your message'
    """
    words = _words(text, 1)
    place = _content(words)
    new = [_one(word, "replacements") for word in replacements if word not in words]
    if not new:
        raise ArgumentError(f"replacements must hold a word that is not in the text; all are in {text!r}; add others")
    word = min(new, key=lambda each: abs(len(each) - len(words[place])))
    return Edit("substitute", " ".join([*words[:place], word, *words[place + 1 :]]), word, place, words[place])


EDITS: dict[str, Callable[..., Edit]] = {f.__name__: f for f in (delete, insert, substitute)}


def _content(words: list[str]) -> int:
    """Choose a content word that stands in the text once, so that it is plain whether it has gone."""
    places = [place for place, word in enumerate(words) if word not in CLOSED and words.count(word) == 1]
    short = [place for place in places if len(words[place]) <= SHORT]
    return (short or places or [len(words) - 1])[0]


def _words(text: str, least: int) -> list[str]:
    words = text.split()
    if len(words) < least:
        raise ArgumentError(f"text must have {least} words or more; got {text!r}; a sound effect?")
    return words


def _one(word: str, name: str) -> str:
    if len(word.split()) != 1 or word != word.strip():
        raise ArgumentError(f"{name} must be single words; got {word!r}")
    return word
