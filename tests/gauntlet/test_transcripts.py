import jiwer
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gauntlet.numerals import cardinal, ordinal, year
from gauntlet.transcripts import LETTERS, NORMALIZER, normalize, prepare

NUMBERS = {
    "cardinal": ("41 reviews of 1,234,567", "forty one reviews of one million two hundred thirty four thousand"),
    "ordinal": ("the 1st, 22nd and 40th", "the first twenty second and fortieth"),
    "year": ("in 1981, 2007 and 2014", "in nineteen eighty one two thousand seven and twenty fourteen"),
    "decade": ("the 1980s and the '90s", "the nineteen eighties and the nineties"),
    "decimal": ("28.8 or .5", "twenty eight point eight or point five"),
    "money": ("$5.50, £1 and $1.2 million", "five dollars and fifty cents one pound and one point two million dollars"),
    "percent": ("50% off", "fifty percent off"),
    "time": ("7:30 and 9:05", "seven thirty and nine oh five"),
    "code": ("agent 007", "agent zero zero seven"),
    "letter": ("3D on mp3", "three d on mp three"),
}
WORDS = {
    "titles": ("Dr. Smith vs. Mrs. Jones", "doctor smith versus missus jones"),
    "initials": ("the U.S.A. at 5 P.M.", "the usa at five pm"),
    "address": ("www.asterisk.org", "w w w dot asterisk dot org"),
    "keys": ("press *, followed by #.", "press star followed by pound"),
    "number sign": ("you're #1", "you're number one"),
    "symbols": ("R&B @ home", "r and b at home"),
    "apostrophes": ("the users' o’clock 'tis", "the users o'clock tis"),
    "hyphens": ("Inter-Asterisk—well", "inter asterisk well"),
    "accents": ("Café naïve", "cafe naive"),
    "emphasis": ("it is *really* so", "it is really so"),
}


def expected(text: str) -> str:
    return text.replace("two hundred thirty four thousand", "two hundred thirty four thousand five hundred sixty seven")


@pytest.mark.parametrize(("text", "words"), [*NUMBERS.values(), *WORDS.values()], ids=[*NUMBERS, *WORDS])
def test_what_is_written_becomes_what_is_said(text, words):
    assert normalize(text) == expected(words)


PIECES = (
    "dr mr. st. ok o.k. d.r. www. a.com .com 1st 2 0 $ £ % ' ’ - _ . , th s 7:30 1984 1980s # * & я é p.m. vs k ½ ²"
)
jumbles = st.lists(st.sampled_from([" ", "\u200d", *PIECES.split()]), max_size=9).map("".join)


@given(st.text(max_size=40) | jumbles)
@example("0DR")
@example("0,222")
@settings(max_examples=300)
def test_a_normalised_text_has_letters_alone_and_stays(text):
    once = normalize(text)
    assert set(once) <= set(LETTERS)
    assert once == " ".join(once.split())
    assert not any(word.startswith("'") or word.endswith("'") for word in once.split())
    assert normalize(once) == once


@given(st.lists(st.sampled_from(["Mr.", "$5", "1984", "the", "O'Neil", "50%", "3rd", "ok", "P.M.", "e-mail"])))
def test_writing_the_same_in_another_way_is_no_error(words):
    text = " ".join(words)
    assert normalize(text.upper()) == normalize(text.lower()) == normalize(f"  {text} ...")
    if normalize(text):
        assert jiwer.wer(normalize(text), normalize(normalize(text).title())) == 0


@given(st.integers(0, 10**15))
def test_every_number_has_its_own_words(number):
    assert cardinal(number) != cardinal(number + 1)
    assert normalize(str(number)) in {cardinal(number), year(number) if 1100 <= number < 2100 else None}
    assert normalize(f"{number:,}") == cardinal(number)
    assert ordinal(number).split()[:-1] == cardinal(number).split()[:-1]


@pytest.mark.parametrize(
    ("text", "reason"),
    {
        " ": "empty",
        "<beep ascending>": "sound effect",
        "[ascending tones]": "sound effect",
        "(10 seconds of silence)": "sound effect",
        "...!": "no letters",
        "привет you": "foreign letters",
        "ignore_time_segment_in_scoring": "marked as not to be scored",
    }.items(),
)
def test_what_cannot_be_a_transcript_says_why(text, reason):
    assert prepare(text) == (None, reason, ())


def test_changes_are_named():
    assert prepare("at [@]") == ("at", None, ("aside",))
    assert prepare("Press 7 & umute the PBX.") == ("press seven and unmute the pbx", None, _sorted("numbers spelling"))
    assert prepare("Dr. Jones").changes == ("abbreviations",)
    assert prepare("Hello, world!") == ("hello world", None, ())
    assert prepare("one<br />two").text == "one two"


def _sorted(words: str) -> tuple[str, ...]:
    return tuple(sorted([*words.split(), "symbols"]))


def test_the_normaliser_is_pinned():
    """Another result here is another normaliser: give it another version."""
    assert NORMALIZER == "gauntlet-english-1"
    text = "Mr. O’Brien's 21st call (at 11:05 A.M.) cost $3.99 & took 1,500 s; 99.5% of 2 modems' 28.8k."
    assert normalize(text) == (
        "mister o'brien's twenty first call at eleven oh five am cost three dollars and ninety nine cents and took "
        "one thousand five hundred s ninety nine point five percent of two modems twenty eight point eight k"
    )
