"""Sentences of a corpus: cut out of running text, and dealt to splits so that none stands in two."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from gauntlet.errors import ArgumentError
from gauntlet.transcripts import MARKUP, normalize

END = re.compile(r"(?<=[.!?])[\"')]*\s+(?=[\"'(]*[A-Z0-9])|\n+")
PLAIN = re.compile(r"[A-Za-z' ,;:.!?\"-]+")
SHOUTED = re.compile(r"\b[A-Z]{2,}\b|\b[B-HJ-Z]\b|\b(?:[A-Za-z]\.){2,}")
"""Words in capitals, lone letters and initials: a voice may spell them out, or not."""
INNER_END = re.compile(r"[.!?].*[A-Za-z]")
GRAM = 3
"""Words in a row by which two sentences are compared."""


def sentences(text: str) -> list[str]:
    """Cut running text into sentences, markup taken out, at a full stop that a capital follows.

    >>> sentences("It works.<br /><br />Does it? Yes, e.g. here.")
    ['It works.', 'Does it?', 'Yes, e.g. here.']
    """
    pieces = END.split(MARKUP.sub("\n", text))
    return [" ".join(piece.split()) for piece in pieces if piece.strip()]


def unreadable(sentence: str, *, words: tuple[int, int]) -> str | None:
    """Say why a sentence is not fit to be read aloud with its own letters as the label; None where it is.

    Args:
        sentence: As written.
        words: Least and most words.

    Returns:
        "not only letters", "several sentences in one", "capitals or initials", "too few words", "too many words" or
        None.
    """
    if not PLAIN.fullmatch(sentence):
        return "not only letters"
    if INNER_END.search(sentence):
        return "several sentences in one"
    if SHOUTED.search(sentence):
        return "capitals or initials"
    count = len(normalize(sentence).split())
    return "too few words" if count < words[0] else "too many words" if count > words[1] else None


def group_near(texts: Sequence[str]) -> list[int]:
    """Group texts that share most of their words in a row: a template said twice, a sentence inside another.

    Args:
        texts: Normalised.

    Returns:
        For each text the place of the first of its group. Two texts belong together if at least half of the shorter
        one's runs of three words stand in the other, or if they are equal; groups are closed under that.
    """
    grams = [_grams(text) for text in texts]
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
    parents = list(range(len(texts)))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    for place, own in enumerate(grams):
        shared: dict[int, int] = defaultdict(int)
        for gram in sorted(own):
            for other in holders[gram]:
                shared[other] += 1
            holders[gram].append(place)
        for other, count in shared.items():
            if 2 * count >= min(len(own), len(grams[other])):
                first, second = sorted((root(place), root(other)))
                parents[second] = first
    return [root(place) for place in range(len(texts))]


def _grams(text: str) -> set[tuple[str, ...]]:
    words = tuple(text.split())
    return {words[begin : begin + GRAM] for begin in range(max(len(words) - GRAM + 1, 1))}


def rank(text: str, *, seed: int) -> float:
    """Return a number in [0, 1) that depends on the seed and the text alone, for order and for splits."""
    digest = hashlib.sha256(f"{seed}\n{text}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 256**7


def deal_sentences(texts: Sequence[str], *, shares: Mapping[str, float], seed: int) -> list[str]:
    """Deal texts to splits: equal and near-equal ones to the same, a group by its first text's rank.

    Args:
        texts: Normalised; sorted before they are grouped, so that their order has no say.
        shares: Share of each split; they sum to 1.
        seed: Of the ranks.

    Returns:
        The split of each text.

    Raises:
        ArgumentError: Shares that do not sum to 1.
    """
    if abs(sum(shares.values()) - 1) > 1e-6 or min(shares.values()) < 0:
        raise ArgumentError(f"shares must be at least 0 and sum to 1; got {dict(shares)}")
    ordered = sorted(set(texts))
    groups = group_near(ordered)
    splits = {
        text: _split(rank(ordered[first], seed=seed), shares) for text, first in zip(ordered, groups, strict=True)
    }
    return [splits[text] for text in texts]


def _split(value: float, shares: Mapping[str, float]) -> str:
    for split, share in shares.items():
        if value < share:
            return split
        value -= share
    return split
