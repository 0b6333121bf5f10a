"""Transcripts: one versioned normaliser for references and hypotheses, and what a corpus's raw texts become.

Every score names `NORMALIZER`: rates under two normalisers cannot be compared.
"""

import re
import unicodedata
from typing import NamedTuple

from gauntlet.numerals import spell_numbers

NORMALIZER = "gauntlet-english-1"
LETTERS = "abcdefghijklmnopqrstuvwxyz' "
"""The symbols of a normalised text."""

TITLES = {
    "mr": "mister",
    "mrs": "missus",
    "ms": "miss",
    "dr": "doctor",
    "prof": "professor",
    "st": "saint",
    "jr": "junior",
    "sr": "senior",
    "vs": "versus",
    "etc": "et cetera",
    "ft": "feet",
    "approx": "approximately",
    "dept": "department",
}
"""Read in full where a full stop follows; "mr", "mrs", "dr" and "vs" also without it."""
BARE = ("mr", "mrs", "dr", "vs", "etc")
SYMBOLS = {"&": "and", "@": "at", "+": "plus", "=": "equals", "%": "percent", "°": "degrees", "§": "section"}
WORDS = {"ok": "okay", "'cause": "because"}
SPELLING = {
    "decending": "descending",
    "exclaimation": "exclamation",
    "fourtieth": "fortieth",
    "represenatives": "representatives",
    "thru": "through",
    "umute": "unmute",
}
"""Slips in the published transcripts; `prepare` mends them, `normalize` does not touch a hypothesis's spelling."""

APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "′": "'", "`": "'"})
ADDRESS = re.compile(r"\b(?:[\w-]+\.)+(?:com|org|net|edu|gov|info|uk)\b", re.IGNORECASE)
INITIALS = re.compile(r"\b(?:[a-z]\.)+[a-z]\b\.?")
TITLE = re.compile(rf"\b({'|'.join(TITLES)})\.")
BARE_TITLE = re.compile(rf"\b({'|'.join(BARE)})\b")
ALONE = re.compile(r"(?<!\S)([*#])(?=[\s,.;:!?]|$)")
NUMBERED = re.compile(r"#(?=\d)")
GLUED = re.compile(r"(?<=\d)(?!(?:st|nd|rd|th|s)\b)(?=[a-z])|(?<=[a-z])(?=\d)")
OTHER = re.compile(r"[^\x20-\x5e\x60-\x7e°§£€]")
ASIDE = re.compile(r"\[[^\]]*\]|\([^)]*\)|<[^>]*>|\*[^*\s][^*]*\*|♪[^♪]*♪?")
UNSCORED = "ignore_time_segment_in_scoring"
MARKUP = re.compile(r"<(?:br|p|i|b|em)\s*/?>|</(?:p|i|b|em)>", re.IGNORECASE)


class Prepared(NamedTuple):
    """A corpus's text made ready.

    Attributes:
        text: Normalised, or None where it cannot be a transcript.
        reason: Why it cannot; None where it can.
        changes: Names of what was done besides case and punctuation, sorted.
    """

    text: str | None
    reason: str | None
    changes: tuple[str, ...]


def normalize(text: str) -> str:
    """Return a text in lower-case letters a-z, inner apostrophes and single spaces.

    Numbers, money, times, titles and symbols are put into words, initials joined, accents taken off, hyphens become
    spaces, everything else goes. Normalising twice changes nothing.

    Args:
        text: A transcript or a recogniser's output, in English.

    Returns:
        Symbols of `LETTERS` alone; empty where nothing can be read aloud.

    >>> normalize("Dr. Smith’s 2nd call—at 7:30 P.M.—cost $5 (50% off)!")
    "doctor smith's second call at seven thirty pm cost five dollars fifty percent off"
    """
    # What is no letter parts words from the start, so that no later step makes a word that an earlier one knows.
    text = GLUED.sub(" ", OTHER.sub(" ", _plain(text)))
    text = _symbols(_titles(_initials(text)))
    text = spell_numbers(NUMBERED.sub("number ", text))
    text = "".join(SYMBOL_WORDS.get(letter, letter if letter in LETTERS else " ") for letter in text)
    return " ".join(_word(word) for word in text.split() if word.strip("'"))


SYMBOL_WORDS = {symbol: f" {word} " for symbol, word in SYMBOLS.items()}


def _plain(text: str) -> str:
    """Fold width, case and accents; a soft hyphen or a joiner leaves no gap."""
    text = unicodedata.normalize("NFKC", text.translate(APOSTROPHES)).replace("ß", "ss").lower()
    split = unicodedata.normalize("NFD", text)
    return "".join(letter for letter in split if unicodedata.category(letter) not in ("Mn", "Cf"))


def _titles(text: str) -> str:
    text = TITLE.sub(lambda found: f"{TITLES[found[1]]} ", text)
    return BARE_TITLE.sub(lambda found: TITLES[found[1]], text)


def _initials(text: str) -> str:
    text = ADDRESS.sub(lambda found: found[0].replace("www.", "w w w.").replace(".", " dot "), text)
    return INITIALS.sub(lambda found: found[0].replace(".", "") + " ", text)


def _symbols(text: str) -> str:
    """Name a key of the telephone that stands alone: `press *`, `followed by #`."""
    return ALONE.sub(lambda found: {"*": "star", "#": "pound"}[found[1]], text)


def _word(word: str) -> str:
    word = WORDS.get(word, word).strip("'")
    return WORDS.get(word, word)


def prepare(text: str) -> Prepared:
    """Normalise a corpus's transcript and say what was done, or why it cannot be one.

    Args:
        text: As the corpus has it; asides in brackets (`at [@]`) are not spoken and go.

    Returns:
        The text, or the reason: "empty", "sound effect" (nothing but asides), "no letters", "foreign letters",
        "marked as not to be scored" (TED-LIUM's own word for it).

    >>> prepare("<beep ascending>").reason
    'sound effect'
    >>> prepare("Press 1 to umute.")
    Prepared(text='press one to unmute', reason=None, changes=('numbers', 'spelling'))
    """
    if not text.strip():
        return Prepared(None, "empty", ())
    said = MARKUP.sub(" ", text)
    bare = ASIDE.sub(" ", said)
    if not bare.strip(" .,;:!?-"):
        return Prepared(None, "sound effect" if bare != said else "no letters", ())
    if UNSCORED in said.lower():
        return Prepared(None, "marked as not to be scored", ())
    if any(letter.isalpha() and not letter.isascii() for letter in _plain(bare)):
        return Prepared(None, "foreign letters", ())
    words = normalize(bare).split()
    mended = [SPELLING.get(word, word) for word in words]
    if not mended:
        return Prepared(None, "no letters", ())
    changes = _changes(said, bare) | ({"spelling"} if mended != words else set())
    return Prepared(" ".join(mended), None, tuple(sorted(changes)))


def _changes(said: str, bare: str) -> set[str]:
    """Name the kinds of rewriting that a text needs."""
    text = _plain(bare)
    titled = _titles(_initials(text))
    kinds = {
        "aside": bare != said,
        "abbreviations": titled != text,
        "numbers": any(letter.isdigit() for letter in text),
        "symbols": _symbols(text) != text or any(symbol in text for symbol in SYMBOLS),
    }
    return {kind for kind, found in kinds.items() if found}
