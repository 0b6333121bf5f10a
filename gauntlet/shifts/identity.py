"""Counterfactual twins: the same sentence about the other group, by a swap of words that name the group."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from gauntlet.errors import ArgumentError

Follows = Callable[[str], str]
"""From the text after a word to the word's twin."""


@dataclass(frozen=True)
class Identity:
    """The words by which a text names one group or the other.

    Words are found whole. Their case is kept where it is that of the list, lower, Capital or CAPITALS; so a swap
    undoes itself on text written in one of these.

    Attributes:
        pairs: The word of group 0 and its twin of group 1; no word twice.
        irregular: Further words: their group, and a function that reads the twin off what follows them.
        exact_case: Find words only as they are listed, so that the name Will is not the verb.

    Raises:
        ArgumentError: A word stands in two pairs, so that a swap could not be undone.
    """

    pairs: tuple[tuple[str, str], ...]
    irregular: Mapping[str, tuple[int, Follows]] = field(default_factory=dict)
    exact_case: bool = False

    def __post_init__(self) -> None:
        words = [self._key(word) for pair in self.pairs for word in pair] + list(self.irregular)
        if not words or len(set(words)) != len(words):
            twice = next((word for word in words if words.count(word) > 1), "no pair")
            raise ArgumentError(f"pairs must name each word once, or a swap cannot be undone; got {twice!r}")

    def swap(self, text: str) -> str:
        """Return the text with every such word in the other group's form.

        >>> GENDER.swap("He gave his sister her book; she thanked him.")
        'She gave her brother his book; he thanked her.'
        """
        return self._pattern.sub(self._twin, text)

    def assign(self, text: str, group: int) -> str:
        """Return the text with every such word in the form of one group (0 or 1).

        >>> GENDER.assign("The man told my aunt.", 1)
        'The woman told my aunt.'
        """
        return self._pattern.sub(
            lambda found: found[0] if self._group(found[0]) == group else self._twin(found),
            text,
        )

    def groups(self, text: str) -> frozenset[int]:
        """Return the groups that a text names: none, one or both."""
        return frozenset(self._group(word) for word in self._pattern.findall(text))

    @cached_property
    def _twins(self) -> dict[str, tuple[int, str, str]]:
        """Map a word's key to its group, its own listed form and its twin."""
        found = {}
        for zero, one in self.pairs:
            found[self._key(zero)] = (0, zero, one)
            found[self._key(one)] = (1, one, zero)
        return found

    @cached_property
    def _pattern(self) -> re.Pattern:
        words = sorted({*self._twins, *self.irregular}, key=lambda word: (-len(word), word))
        flags = re.NOFLAG if self.exact_case else re.IGNORECASE
        return re.compile(rf"(?<![\w'-])(?:{'|'.join(map(re.escape, words))})(?![\w-])", flags)

    def _key(self, word: str) -> str:
        return word if self.exact_case else word.lower()

    def _group(self, word: str) -> int:
        key = self._key(word)
        return self.irregular[key][0] if key in self.irregular else self._twins[key][0]

    def _twin(self, found: re.Match) -> str:
        word, key = found[0], self._key(found[0])
        if key in self.irregular:
            return _cased(self.irregular[key][1](found.string[found.end() :]), like=word, listed=key)
        _, listed, twin = self._twins[key]
        return _cased(twin, like=word, listed=listed)


def _cased(word: str, *, like: str, listed: str) -> str:
    if like == listed:
        return word
    if like.isupper() and len(like) > 1:
        return word.upper()
    if like.islower():
        return word.lower()
    return word[:1].upper() + word[1:]


_CLOSED = """a about after again all and are as at away back because been before but by can could did do does down for
from had has have he her here hers herself him himself his how i if in into is it just me no not now of off on or out
over she so than that the their them then there they this to today tomorrow too under until up us was we were what when
where which while who why will with would yesterday you"""
ENDS_PHRASE = frozenset(_CLOSED.split())
"""Words that do not begin what a possessive pronoun stands before."""
_NEXT = re.compile(r"\s+([A-Za-z][\w'-]*)")


def _possesses(rest: str) -> bool:
    """Guess whether a pronoun before this text is a possessive one: a word follows that may begin a noun phrase."""
    found = _NEXT.match(rest)
    return bool(found) and found[1].lower() not in ENDS_PHRASE


GENDER = Identity(
    pairs=(
        ("he", "she"),
        ("he's", "she's"),
        ("he'd", "she'd"),
        ("he'll", "she'll"),
        ("himself", "herself"),
        ("man", "woman"),
        ("men", "women"),
        ("boy", "girl"),
        ("boys", "girls"),
        ("male", "female"),
        ("males", "females"),
        ("gentleman", "lady"),
        ("gentlemen", "ladies"),
        ("guy", "gal"),
        ("guys", "gals"),
        ("father", "mother"),
        ("fathers", "mothers"),
        ("dad", "mom"),
        ("dads", "moms"),
        ("son", "daughter"),
        ("sons", "daughters"),
        ("brother", "sister"),
        ("brothers", "sisters"),
        ("husband", "wife"),
        ("husbands", "wives"),
        ("uncle", "aunt"),
        ("uncles", "aunts"),
        ("nephew", "niece"),
        ("nephews", "nieces"),
        ("grandfather", "grandmother"),
        ("grandpa", "grandma"),
        ("grandson", "granddaughter"),
        ("stepfather", "stepmother"),
        ("boyfriend", "girlfriend"),
        ("boyfriends", "girlfriends"),
        ("groom", "bride"),
        ("king", "queen"),
        ("prince", "princess"),
        ("actor", "actress"),
        ("actors", "actresses"),
        ("waiter", "waitress"),
        ("hero", "heroine"),
        ("widower", "widow"),
        ("mr", "mrs"),
        ("sir", "madam"),
    ),
    irregular={
        "his": (0, lambda rest: "her" if _possesses(rest) else "hers"),
        "him": (0, lambda rest: "her"),
        "her": (1, lambda rest: "his" if _possesses(rest) else "him"),
        "hers": (1, lambda rest: "his"),
    },
)
"""Group 0 is male, 1 female. "her" is "his" before what may begin a noun phrase and "him" elsewhere, a guess from the
next word (`ENDS_PHRASE`), which fails on "told her stories"; "Ms" has no twin and is left alone."""

RACE_TERMS = (
    ("white", "black"),
    ("whites", "blacks"),
    ("caucasian", "african-american"),
    ("caucasians", "african-americans"),
    ("european", "african"),
    ("europeans", "africans"),
)
"""Group 0 is white, 1 black; a colour is swapped as the people are."""


def paired_names(first: Sequence[str], second: Sequence[str]) -> Identity:
    """Pair the names of two groups by place.

    Args:
        first: Names of group 0, as they are written.
        second: Of group 1; as many.

    Returns:
        Words found only as they are written here.

    Raises:
        ArgumentError: Not as many, none, or a name in both.
    """
    if len(first) != len(second):
        raise ArgumentError(f"both groups must have as many names; got {len(first)} and {len(second)}")
    return Identity(tuple(zip(first, second, strict=True)), exact_case=True)
