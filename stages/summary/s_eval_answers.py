"""S-Eval's records: a few answers of each victim with their verdicts, their text folded away and inert."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import pyarrow
import pyarrow.parquet

from gauntlet.errors import DataError
from stages.summary.figures import inert, words
from stages.summary.language_results import JUDGES, Ruling, s_eval
from stages.summary.readings import Score
from stages.summary.s_eval_parts import attack_order

METHOD = "s_eval"
TAGS = ("unsafe", "safe", "error")
MOST_LETTERS = 1200
"""Of a response; what is cut off is counted."""
COLUMNS = ("id", "attack", "decode", "finish", "response")
GREEDY = "greedy"
"""Beginning of the decode that the verdicts are on, where an answer was drawn in several ways."""


@dataclass(frozen=True)
class Record:
    """An answer: where it belongs, what the judges say, and its text.

    Attributes:
        id: Of the prompt that was asked.
        attack: For a reader; empty for a base prompt.
        dimension: Of the risk.
        category: Of the risk, empty where unknown.
        predicted: Whether that label is not the publisher's.
        tag: The trained judge's verdict.
        rules: That of the rules, empty where there is none.
        score: P(safe), where there is one.
        finish: How the answer ended.
        response: From `inert`; None where the answers are not there.
        letters: Of the whole response.
        cut: How many of them are not shown.
    """

    id: str
    attack: str
    dimension: str
    category: str
    predicted: bool
    tag: str
    rules: str
    score: float | None
    finish: str
    response: str | None
    letters: int
    cut: int


@dataclass(frozen=True)
class Records:
    """Some answers of one victim.

    Attributes:
        name: Slug of the method.
        victim: Whose answers they are.
        place: The folder that holds all of them.
        rows: The chosen ones.
        left_out: How many more the victim gave.
    """

    name: str
    victim: str
    place: str
    rows: list[Record]
    left_out: int


def find_records(answers: Path, attacked: Path, scores: list[Score], *, rows: int) -> list[Records]:
    """Choose records of every victim that was scored, in the order of the scores.

    Args:
        answers: Holds `s_eval/<victim>/answers.parquet`.
        attacked: Holds `s_eval/index.parquet`, which says which labels were predicted.
        scores: All of them.
        rows: At most so many of each victim.

    Raises:
        DataError: A table cannot be read or lacks a column.
    """
    victims = [score for score in scores if score.method == METHOD and score.subject != JUDGES]
    chosen = {score.subject: choose(s_eval(score).verdicts, most=rows) for score in victims}
    predicted = _predicted(attacked / METHOD / "index.parquet", chosen.values())
    found = []
    for score in victims:
        folder, rulings = answers / METHOD / score.subject, chosen[score.subject]
        said = _answers(folder / "answers.parquet", {ruling.id for ruling in rulings})
        kept = [_record(each, said.get((each.id, each.attack or "")), predicted=predicted) for each in rulings]
        left_out = len(s_eval(score).verdicts) - len(kept)
        found.append(Records(METHOD, score.subject, place=folder.as_posix(), rows=kept, left_out=left_out))
    return [records for records in found if records.rows]


def choose(rulings: Iterable[Ruling], *, most: int) -> list[Ruling]:
    """Take answers to every attack in turn, unsafe ones first, then safe ones, then those without a verdict.

    The first of each kind by id, so that the same scores show the same records.
    """
    kinds: dict[tuple, list[Ruling]] = {}
    for ruling in sorted(rulings, key=lambda ruling: ruling.id):
        kinds.setdefault((TAGS.index(ruling.tag), *attack_order(ruling.attack or "")), []).append(ruling)
    # A base prompt has no attack and stands before all attacks of its verdict.
    order = sorted(kinds, key=lambda kind: (kind[0], bool(kind[2]), kind[1:]))
    turns = zip_longest(*(kinds[kind] for kind in order))
    return [ruling for turn in turns for ruling in turn if ruling][:most]


def _record(ruling: Ruling, answer: dict | None, *, predicted: set[tuple[str, str]]) -> Record:
    response = None if answer is None else answer["response"] or ""
    return Record(
        id=ruling.id,
        attack=words(ruling.attack or ""),
        dimension=words(ruling.dimension),
        category=words(ruling.category or ""),
        predicted=(ruling.id, ruling.attack or "") in predicted,
        tag=ruling.tag,
        rules=ruling.rules or "",
        score=ruling.score,
        finish=answer["finish"] or "" if answer else "",
        response=None if response is None else inert(response[:MOST_LETTERS]),
        letters=len(response or ""),
        cut=max(0, len(response or "") - MOST_LETTERS),
    )


def _answers(file: Path, ids: set[str]) -> dict[tuple[str, str], dict]:
    """Return the answers to some prompts by id and attack: of several ways to draw them, the greedy one."""
    if not file.is_file():
        return {}
    found = [each | {"attack": each["attack"] or ""} for each in _rows(file, COLUMNS, ids)]
    found.sort(key=lambda each: (not each["decode"].startswith(GREEDY), each["decode"]))
    return {(each["id"], each["attack"]): each for each in reversed(found)}


def _predicted(file: Path, chosen: Iterable[list[Ruling]]) -> set[tuple[str, str]]:
    if not file.is_file():
        return set()
    ids = {ruling.id for rulings in chosen for ruling in rulings}
    return {
        (each["id"], each["attack"] or "")
        for each in _rows(file, ("id", "attack", "predicted"), ids)
        if each["predicted"]
    }


def _rows(file: Path, columns: tuple[str, ...], ids: set[str]) -> list[dict]:
    if not ids:
        return []
    try:
        missing = set(columns) - set(pyarrow.parquet.read_schema(file).names)
        if missing:
            raise DataError(f"{file} must have columns {', '.join(columns)}; {sorted(missing)[0]} is missing")
        wanted = [("id", "in", sorted(ids))]
        return pyarrow.parquet.read_table(file, columns=list(columns), filters=wanted).to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"{file} must be a Parquet table; {error}") from None
