"""From sentences to rows that name a group, the share of each group by label held at what is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gauntlet.errors import DataError
from gauntlet.readers.fairness import TWINS
from gauntlet.sentences import rank
from gauntlet.shifts.identity import Identity

TRIES = 50
"""Draws of frame and person before a row that would stand twice is an error."""


@dataclass(frozen=True)
class Content:
    """What a row says of nobody in particular.

    Attributes:
        text: A sentence.
        y: Its label.
        source: Where it is from.
        whole: Whether it stays as it is; otherwise a run of its words is taken.
        template: Name of the template it was made by, or "".
    """

    text: str
    y: int
    source: str
    whole: bool = False
    template: str = ""


@dataclass(frozen=True)
class Cast:
    """Who may be named: an attribute, its words, and people of group 0 in words that have a twin."""

    attribute: str
    identity: Identity
    people: Sequence[str]


@dataclass(frozen=True)
class Wish:
    """How many rows of a split there shall be, and how labels and groups hang together.

    Attributes:
        split: Its name.
        rows: Half of each label.
        skew: P(y = 1 | z = 1) = P(y = 0 | z = 0), in [0, 1]; None for pairs: every excerpt once for each group, so
            that groups differ by who is named and by the frame alone.
        words: Least and most words of an excerpt.
    """

    split: str
    rows: int
    skew: float | None
    words: tuple[int, int]


def framed_rows(
    contents: Sequence[Content],
    frames: Sequence[str],
    *,
    cast: Cast,
    wish: Wish,
    task: str,
    generator: np.random.Generator,
) -> list[dict]:
    """Write the rows of one split and attribute.

    A sentence that names a group itself is turned to the row's group; one that names both is not used. With fewer
    sentences than rows they come round again, in other frames and excerpts.

    Args:
        contents: Of this split, both labels.
        frames: Of this split, with {text} and {person} or {Person}.
        cast: The attribute, and who may be named.
        wish: What is asked for.
        task: Goes into the ids.
        generator: Draws frames, people and excerpts.

    Raises:
        DataError: No sentence of a label is left, or too few to make the rows all different.
    """
    rows: list[dict] = []
    seen: set[str] = set()
    for y in (0, 1):
        usable = [one for one in contents if one.y == y and len(cast.identity.groups(one.text)) < 2]
        if not usable:
            raise DataError(f"{task}, {wish.split}: sentences of label {y} must be there; none is; too small a share?")
        for place, group in enumerate(_groups(y, wish, generator=generator)):
            if wish.skew is not None or group == 0:
                content = usable[(place if wish.skew is not None else place // 2) % len(usable)]
                said = content.text if content.whole else excerpt(content.text, words=wish.words, generator=generator)
            row = _row(content, said, frames, group=group, cast=cast, generator=generator, seen=seen)
            number = f"{task}-{cast.attribute}-{wish.split}-{len(rows):05d}"
            rows.append({"id": number, "split": wish.split} | row)
    return rows


def _groups(y: int, wish: Wish, *, generator: np.random.Generator) -> list[int]:
    """Return the groups of the rows of one label: in turn, or the share that is asked for in random order."""
    count = wish.rows // 2
    if wish.skew is None:
        return [place % 2 for place in range(count)]
    ones = round(count * (wish.skew if y else 1 - wish.skew))
    return generator.permutation(np.arange(count) < ones).astype(int).tolist()


def _row(
    content: Content,
    said: str,
    frames: Sequence[str],
    *,
    group: int,
    cast: Cast,
    generator: np.random.Generator,
    seen: set[str],
) -> dict:
    for _ in range(TRIES):
        frame = int(generator.integers(len(frames)))
        person = cast.people[generator.integers(len(cast.people))]
        filled = frames[frame].format(text=said, person=person, Person=person[0].upper() + person[1:])
        text = cast.identity.assign(filled[0].upper() + filled[1:], group)
        if text not in seen:
            break
    else:
        raise DataError(f"sentences of label {content.y} must suffice for rows that differ; they do not; fewer rows?")
    seen.add(text)
    known = {"gender": None, "race": None, "twin": None, "twin_race": None}
    twin = {cast.attribute: group, TWINS[cast.attribute]: cast.identity.swap(text)}
    about = {"text": text, "y": content.y, "source": content.source}
    return about | {"template": "+".join(filter(None, (frames[frame], content.template)))} | known | twin


def excerpt(text: str, *, words: tuple[int, int], generator: np.random.Generator) -> str:
    """Return a run of words of random length and place, quotes and stops at its ends taken off."""
    split = text.split()
    length = int(generator.integers(words[0], words[1] + 1))
    begin = int(generator.integers(max(len(split) - length, 0) + 1))
    return " ".join(split[begin : begin + length]).strip(" \"'.,;:!?()-*")


def deal_units(
    units: Sequence[tuple[str, list[Content]]], *, shares: Mapping[str, float], seed: int
) -> dict[str, list[Content]]:
    """Deal units, each the contents that must stay together, to splits by rank, equal sentences only once.

    Args:
        units: A key that no other unit has, and its contents.
        shares: Share of each split; they sum to 1.
        seed: Of the ranks.

    Returns:
        The contents by split, in random but fixed order.
    """
    dealt: dict[str, list[Content]] = {split: [] for split in shares}
    seen: set[str] = set()
    ordered = sorted(units, key=lambda unit: rank(unit[0], seed=seed))
    bounds = np.cumsum([round(share * len(ordered)) for share in shares.values()][:-1])
    for split, part in zip(shares, np.split(np.arange(len(ordered)), bounds), strict=True):
        for content in (content for place in part for content in ordered[place][1]):
            if content.text.lower() not in seen:
                seen.add(content.text.lower())
                dealt[split].append(content)
    return {
        split: sorted(contents, key=lambda content: rank(content.text, seed=seed)) for split, contents in dealt.items()
    }


def interleaved(first: Sequence[Content], second: Sequence[Content], *, share: float, rows: int) -> list[Content]:
    """Return contents for `rows` rows of each label, every so many from `second`, each as often as its turn comes.

    Args:
        first: Both labels.
        second: Both labels; where either has none of a label, the other fills in.
        share: Of `second`, in [0, 1], also among the first few.
        rows: Of each label.
    """
    mixed: list[Content] = []
    for y in (0, 1):
        own = [[one for one in contents if one.y == y] for contents in (first, second)]
        turns = np.diff(np.floor(share * np.arange(rows + 1))).astype(int).tolist()
        used = [0, 0]
        for turn in turns:
            there = turn if own[turn] else 1 - turn
            mixed.append(own[there][used[there] % len(own[there])])
            used[there] += 1
    return mixed
