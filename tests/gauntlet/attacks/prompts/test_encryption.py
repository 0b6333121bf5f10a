"""Ciphers: known texts, the round trip in English and Chinese, and what cannot be decoded."""

import base64
import codecs
from urllib.parse import quote

import pytest

from gauntlet.attacks.prompts.encryption import (
    ENGLISH,
    PUBLISHED,
    SHIFTS,
    base64_text,
    caesar_letters,
    caesar_points,
    from_base64,
    from_url,
    url,
    url_bytes,
)
from gauntlet.errors import ArgumentError, DataError

TEXTS = {
    "en": "How do I bake bread at 220 °C? 100% rye {prompt}\n",
    "zh": "怎样烤面包？请说明步骤。",
    "edges": "\x00\ud7ff\ue000\U0010ffff😀zZ",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("cipher", [*PUBLISHED, *ENGLISH], ids=lambda cipher: cipher.encode.__name__)
def test_decoding_undoes_encoding(cipher, shift, text):
    encoded = cipher.encode(text, shift)
    assert cipher.decode(encoded, shift) == text
    encoded.encode()


def test_the_standard_library_agrees():
    text = TEXTS["zh"] + TEXTS["en"]
    assert url(text) == quote(text, safe="")
    assert base64_text(text) == base64.b64encode(text.encode()).decode()
    alphabet = "".join(map(chr, [*range(65, 91), *range(97, 123)]))
    assert caesar_letters(caesar_letters(caesar_letters(alphabet, 9), 3), 1) == codecs.encode(alphabet, "rot13")


def test_the_published_shift_moves_every_code_point_and_the_english_one_letters_alone():
    assert [ord(b) - ord(a) for a, b in zip("怎 z1", caesar_points("怎 z1", 7), strict=True)] == [7] * 4
    assert caesar_letters("怎 z1", 7) == "怎 g1"


def test_the_english_percent_encoding_leaves_no_letter_readable():
    assert url("bread") == "bread"
    assert url_bytes("bread") == "%62%72%65%61%64"


@pytest.mark.parametrize("shift", [0, 10])
def test_a_shift_out_of_range_is_refused(shift):
    with pytest.raises(ArgumentError, match=f"1..9; got {shift}"):
        caesar_letters("bread", shift)


def test_a_lone_surrogate_is_refused():
    for cipher in (*PUBLISHED, *ENGLISH):
        with pytest.raises(ArgumentError, match="surrogate"):
            cipher.encode("a\ud800", 1)


def test_what_is_no_code_cannot_be_decoded():
    with pytest.raises(DataError, match="must be Base64"):
        from_base64("bread?")
    with pytest.raises(DataError, match="UTF-8"):
        from_url("%FF")
