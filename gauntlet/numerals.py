"""English words for numbers: cardinals, ordinals, years, decimals, amounts of money, times of day."""

import re

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety"
ONES, TENS = _ONES.split(), _TENS.split()
SCALES = ["", "thousand", "million", "billion", "trillion", "quadrillion"]
ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
CURRENCIES = {"$": ("dollar", "cent"), "£": ("pound", "penny"), "€": ("euro", "cent")}
PLURALS = {"penny": "pence"}

NUMBER = r"\d{1,3}(?:,\d{3})+(?!\d)|\d+"
MONEY = re.compile(
    rf"([$£€])\s?({NUMBER})(?:\.(\d\d)(?!\d)|\.(\d+))?(?:\s+(hundred|thousand|million|billion|trillion)\b)?"
)
TIME = re.compile(r"\b(\d{1,2}):([0-5]\d)(?!\d)")
DECADE = re.compile(r"(?:\b(1[1-9]|20)|(?<!\w)'?)(\d0)'?s\b")
ORDINAL = re.compile(rf"(?<![\d.])({NUMBER})(?:st|nd|rd|th)\b")
PERCENT = re.compile(r"(?<=\d)\s?%")
DECIMAL = re.compile(rf"(?<![\w.])({NUMBER})?\.(\d+)(?![\d.])")
YEAR = re.compile(r"(?<![\d,.])(1[1-9]\d\d|20\d\d)(?!\d|,\d)")
WHOLE = re.compile(NUMBER)


def cardinal(number: int) -> str:
    """Return a whole number in words, American style, without "and".

    Args:
        number: At least 0; from 10**18 on it is read digit by digit, as a code would be.

    >>> cardinal(4242)
    'four thousand two hundred forty two'
    """
    if number >= 10**18:
        return digits(str(number))
    if number == 0:
        return ONES[0]
    words = []
    for place in range(len(SCALES) - 1, -1, -1):
        if group := number // 1000**place % 1000:
            words += [*_below_thousand(group), SCALES[place]]
    return " ".join(word for word in words if word)


def _below_thousand(number: int) -> list[str]:
    hundreds, rest = divmod(number, 100)
    words = [ONES[hundreds], "hundred"] if hundreds else []
    if rest >= 20:
        return [*words, TENS[rest // 10], *([ONES[rest % 10]] if rest % 10 else [])]
    return [*words, ONES[rest]] if rest else words


def ordinal(number: int) -> str:
    """Return the ordinal in words.

    >>> ordinal(21), ordinal(12), ordinal(40)
    ('twenty first', 'twelfth', 'fortieth')
    """
    *first, last = cardinal(number).split()
    last = ORDINALS.get(last) or (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")
    return " ".join([*first, last])


def year(number: int) -> str:
    """Return a year as it is read, 1100 to 2099.

    >>> year(1981), year(1900), year(1905), year(2007), year(2014)
    ('nineteen eighty one', 'nineteen hundred', 'nineteen oh five', 'two thousand seven', 'twenty fourteen')
    """
    century, rest = divmod(number, 100)
    if 2000 <= number < 2010:
        return cardinal(number)
    tail = "hundred" if rest == 0 else f"oh {ONES[rest]}" if rest < 10 else cardinal(rest)
    return f"{cardinal(century)} {tail}"


def digits(text: str) -> str:
    """Return each digit in words.

    >>> digits("808")
    'eight zero eight'
    """
    return " ".join(ONES[int(digit)] for digit in text)


def _int(text: str) -> int:
    return int(text.replace(",", ""))


def _money(found: re.Match) -> str:
    whole, cents, decimals, scale = found[2], found[3], found[4], found[5]
    name, part = CURRENCIES[found[1]]
    plural = f"{name}s"
    if scale or decimals:
        fraction = f" point {digits(cents or decimals)}" if cents or decimals else ""
        return f" {cardinal(_int(whole))}{fraction} {scale or ''} {plural} "
    words = f"{cardinal(_int(whole))} {name if _int(whole) == 1 else plural}"
    if cents and int(cents):
        many = part if int(cents) == 1 else PLURALS.get(part, f"{part}s")
        words += f" and {cardinal(int(cents))} {many}"
    return f" {words} "


def _time(found: re.Match) -> str:
    minutes = int(found[2])
    tail = "o'clock" if minutes == 0 else f"oh {ONES[minutes]}" if minutes < 10 else cardinal(minutes)
    return f" {cardinal(int(found[1]))} {tail} "


def _decade(found: re.Match) -> str:
    name = {"10": "tens", "00": "hundreds"}.get(found[2]) or f"{cardinal(int(found[2]))[:-1]}ies"
    return f" {cardinal(int(found[1])) if found[1] else ''} {name} "


def _decimal(found: re.Match) -> str:
    return f" {cardinal(_int(found[1])) if found[1] else ''} point {digits(found[2])} "


def _whole(found: re.Match) -> str:
    text = found[0].replace(",", "")
    coded = len(text) > 1 and text.startswith("0")
    return f" {digits(text) if coded else cardinal(int(text))} "


RULES = (
    (MONEY, _money),
    (TIME, _time),
    (DECADE, _decade),
    (ORDINAL, lambda found: f" {ordinal(_int(found[1]))} "),
    (PERCENT, lambda found: " percent "),
    (DECIMAL, _decimal),
    (YEAR, lambda found: f" {year(int(found[0]))} "),
    (WHOLE, _whole),
)
"""In this order: what a rule has put into words no later one sees as digits."""


def spell_numbers(text: str) -> str:
    """Put every number of a text into words; other characters stay, blanks may double.

    >>> " ".join(spell_numbers("$5.50 for 3 of the 1980s' modems, 50% off on the 2nd").split())
    "five dollars and fifty cents for three of the nineteen eighties ' modems, fifty percent off on the second"
    """
    for pattern, words in RULES:
        text = pattern.sub(words, text)
    return text
