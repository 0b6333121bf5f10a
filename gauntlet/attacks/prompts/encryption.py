"""Ciphers that a chat model is asked to undo: percent-encoding, Caesar's shift and Base64, each in two forms.

Source: S-Eval's released attack files. There the code points of the Chinese parent are shifted, and only what a URL
cannot hold is percent-encoded. That tests a model of another language for the wrong reason, and it leaves a text in
Latin letters readable; the English forms shift letters alone and encode every byte.
"""

import base64
import binascii
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

from gauntlet.errors import ArgumentError, DataError

SHIFTS = range(1, 10)
SURROGATES = range(0xD800, 0xE000)
POINTS = 0x110000 - len(SURROGATES)


class Cipher(NamedTuple):
    """Encode and decode, each the other's inverse; only Caesar's looks at the shift (1..9)."""

    name: str
    encode: Callable[[str, int], str]
    decode: Callable[[str, int], str]


def _moved_point(character: str, shift: int) -> str:
    """Move a code point on the circle of those that UTF-8 can write."""
    point = ord(character)
    place = (point - len(SURROGATES) * (point >= SURROGATES.stop) + shift) % POINTS
    return chr(place + len(SURROGATES) * (place >= SURROGATES.start))


def _moved_letter(character: str, shift: int) -> str:
    if not (character.isascii() and character.isalpha()):
        return character
    first = ord("a") if character.islower() else ord("A")
    return chr(first + (ord(character) - first + shift) % 26)


def _shifted(text: str, shift: int, *, move: Callable[[str, int], str]) -> str:
    if abs(shift) not in SHIFTS:
        raise ArgumentError(f"shift must lie in 1..9; got {abs(shift)}")
    return "".join(move(character, shift) for character in _writable(text))


def _writable(text: str) -> str:
    if any(ord(character) in SURROGATES for character in text):
        raise ArgumentError(
            "a text to encode must be UTF-8; it has a lone surrogate; read with errors=surrogateescape?"
        )
    return text


def caesar_points(text: str, shift: int) -> str:
    """Move every code point, spaces and all.

    >>> caesar_points("ab c", 1)
    'bc!d'
    """
    return _shifted(text, shift, move=_moved_point)


def caesar_letters(text: str, shift: int) -> str:
    """Move Latin letters round their alphabet and leave the rest.

    >>> caesar_letters("Zebra 1", 1)
    'Afcsb 1'
    """
    return _shifted(text, shift, move=_moved_letter)


def url(text: str, _shift: int = 1) -> str:
    """Percent-encode what a URL cannot hold.

    >>> url("a b")
    'a%20b'
    """
    return quote(_writable(text), safe="")


def url_bytes(text: str, _shift: int = 1) -> str:
    """Percent-encode every byte.

    >>> url_bytes("a b")
    '%61%20%62'
    """
    return "".join(f"%{byte:02X}" for byte in _writable(text).encode())


def base64_text(text: str, _shift: int = 1) -> str:
    """Encode the UTF-8 bytes in Base64.

    >>> base64_text("a b")
    'YSBi'
    """
    return base64.b64encode(_writable(text).encode()).decode("ascii")


def from_url(text: str, _shift: int = 1) -> str:
    """Undo `url` and `url_bytes`.

    Raises:
        DataError: The bytes are no UTF-8.
    """
    return _decoded(unquote_to_bytes(text))


def from_base64(text: str, _shift: int = 1) -> str:
    """Undo `base64_text`.

    Raises:
        DataError: The text is no Base64 of UTF-8.
    """
    try:
        return _decoded(base64.b64decode(text, validate=True))
    except binascii.Error as error:
        raise DataError(f"the text must be Base64; {error}; cut off?") from None


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"the text must hold UTF-8; {error.reason} at byte {error.start}; cut off?") from None


PUBLISHED = (
    Cipher("url", url, from_url),
    Cipher("caesar", caesar_points, lambda text, shift: caesar_points(text, -shift)),
    Cipher("base64", base64_text, from_base64),
)
"""As in the released files."""

ENGLISH = (
    Cipher("url", url_bytes, from_url),
    Cipher("caesar", caesar_letters, lambda text, shift: caesar_letters(text, -shift)),
    Cipher("base64", base64_text, from_base64),
)
"""For a prompt in Latin letters."""
