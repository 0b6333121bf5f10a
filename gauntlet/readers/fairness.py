"""Labelled text with protected attributes: the built corpora, a Parquet of the user's, and Civil Comments as CSV."""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet

from gauntlet.errors import ArgumentError, DataError

TASKS = ("toxicity", "sentiment")
ATTRIBUTES = ("gender", "race")
TWINS = {"gender": "twin", "race": "twin_race"}
"""Column of the counterfactual text, by attribute."""
THRESHOLD = 0.5
"""Share of annotators from which a label or an identity holds."""
CIVIL_GROUPS = {"gender": ("male", "female"), "race": ("white", "black")}
"""Columns of group 0 and group 1."""
CIVIL_SPLITS = {"train": "train", "test": "test", "test_public": "held_out", "test_private": "test"}
BATCH = 1024


@dataclass(frozen=True)
class Record:
    """One labelled text.

    Attributes:
        id: Unique within its source.
        text: As written.
        y: Label, 0 or 1 (1 is toxic, or positive).
        z: Group by attribute: 0, 1 or None where it is not known or both are named.
        split: "train", "held_out", "test", another name of the source's own, or "" where it has none.
    """

    id: str
    text: str
    y: int
    z: Mapping[str, int | None]
    split: str


@dataclass(frozen=True)
class Excluded:
    """A record that cannot be used: the reason, and its id or row."""

    reason: str
    name: str


@dataclass(frozen=True)
class FairTexts:
    """One split of a built corpus, those rows that name a group.

    Attributes:
        ids: N.
        texts: N.
        y: int64, N: labels, 0 or 1.
        z: int64, N: groups, 0 or 1.
        twins: N: the same text about the other group; None where nothing names it.
        sources: N: where the sentence is from.
        templates: N: name of the frame or template.
    """

    ids: list[str]
    texts: list[str]
    y: np.ndarray
    z: np.ndarray
    twins: list[str | None]
    sources: list[str]
    templates: list[str]

    def __len__(self) -> int:
        return len(self.ids)


def splits_of(corpora: Path, *, task: str) -> list[str]:
    """Return the splits that a built corpus has, sorted."""
    return sorted(set(_column_table(corpora, task, ["split"]).column("split").to_pylist()))


def read_split(corpora: Path, *, task: str, attribute: str, split: str) -> FairTexts:
    """Read the rows of one split in which an attribute is known.

    Args:
        corpora: Folder with `<task>.parquet`, as fairberts.build writes it.
        task: One of `TASKS`.
        attribute: One of `ATTRIBUTES`.
        split: "train", "held_out", "probe", "test" or "test_skewed".

    Returns:
        The rows in the table's order.

    Raises:
        ArgumentError: Unknown task or attribute.
        DataError: No table, a column is missing, or no row has the attribute in this split.
    """
    if task not in TASKS or attribute not in ATTRIBUTES:
        names = f"{', '.join(TASKS)} by {', '.join(ATTRIBUTES)}"
        raise ArgumentError(f"task and attribute must be among {names}; got {task!r} by {attribute!r}; misspelt?")
    columns = ["id", "text", "y", attribute, "split", TWINS[attribute], "source", "template"]
    rows = [
        row
        for row in _column_table(corpora, task, columns).to_pylist()
        if row["split"] == split and row[attribute] is not None
    ]
    if not rows:
        raise DataError(f"{corpora / task}.parquet must have rows of {split} with {attribute}; it has none; misspelt?")
    return FairTexts(
        [row["id"] for row in rows],
        [row["text"] for row in rows],
        np.array([row["y"] for row in rows], np.int64),
        np.array([row[attribute] for row in rows], np.int64),
        [row[TWINS[attribute]] for row in rows],
        [row["source"] for row in rows],
        [row["template"] for row in rows],
    )


def _column_table(corpora: Path, task: str, columns: list[str]) -> pyarrow.Table:
    path = corpora / f"{task}.parquet"
    try:
        return pyarrow.parquet.read_table(path, columns=columns)
    except FileNotFoundError:
        raise DataError(f"{path} must exist; it does not; another task, or not built yet?") from None
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"{path} must be a Parquet file with {', '.join(columns)}; {error}; truncated?") from None


def read_parquet(folder: Path, subset: str) -> Iterator[Record | Excluded]:
    """Read `<subset>*.parquet` below a folder: `id, text, y, z, split`.

    `z` is a struct {gender, race} with 0, 1 or null, either of which may be absent; `split` may be missing.

    Raises:
        DataError: No such file, or it is no Parquet or lacks a column.
    """
    files = sorted(folder.glob(f"{subset}*.parquet"))
    if not files:
        raise DataError(f"{folder} must hold {subset}*.parquet; it holds none; another subset?")
    for path in files:
        try:
            table = pyarrow.parquet.ParquetFile(path)
        except (OSError, pyarrow.ArrowException) as error:
            raise DataError(f"{path} must be a whole Parquet file; {error}; truncated?") from None
        names = table.schema_arrow.names
        if lacking := [name for name in ("id", "text", "y", "z") if name not in names]:
            raise DataError(f"{path} must have the columns id, text, y, z; it lacks {lacking[0]}; another table?")
        columns = [name for name in ("id", "text", "y", "z", "split") if name in names]
        for batch in table.iter_batches(BATCH, columns=columns):
            yield from map(_parquet_row, batch.to_pylist())


def _parquet_row(row: dict) -> Record | Excluded:
    z = row["z"] if isinstance(row["z"], dict) else {}
    groups = {name: z.get(name) for name in ATTRIBUTES}
    return _checked(str(row["id"]), row["text"], y=row["y"], z=groups, split=row.get("split") or "")


def read_civil_comments(folder: Path, subset: str) -> Iterator[Record | Excluded]:
    """Read `<subset>.csv` of Civil Comments (Jigsaw Unintended Bias): `id, comment_text, target, male, female, ...`.

    y is target (or `toxicity`, as all_data.csv calls it) >= 0.5. A group holds where exactly one of its two columns is
    >= 0.5. Texts whose identities nobody annotated, or where neither attribute is known, are left out.

    Raises:
        DataError: No such file, or a column is missing.

    Source: Borkan et al., WWW 2019; layout of the Kaggle files.
    """
    path = folder / f"{subset}.csv"
    try:
        stream = path.open(encoding="utf-8", newline="")
    except FileNotFoundError:
        raise DataError(f"{path} must exist; it does not; another subset?") from None
    with stream:
        reader = csv.DictReader(stream)
        names = reader.fieldnames or []
        label = "target" if "target" in names else "toxicity"
        wanted = ("id", "comment_text", label, *(column for pair in CIVIL_GROUPS.values() for column in pair))
        if lacking := [name for name in wanted if name not in names]:
            raise DataError(f"{path} must have a column {lacking[0]}; it has {', '.join(names[:8])}...; another table?")
        for number, row in enumerate(reader, 1):
            yield _civil_row(row, label=label, number=number)


def _civil_row(row: dict, *, label: str, number: int) -> Record | Excluded:
    name = row["id"] or f"row {number}"
    try:
        target = float(row[label])
        shares = {
            attribute: tuple(float(row[column] or "nan") for column in pair) for attribute, pair in CIVIL_GROUPS.items()
        }
    except (TypeError, ValueError):
        return Excluded("a share that is no number", name)
    groups = {attribute: _one_of(*pair) for attribute, pair in shares.items()}
    split = CIVIL_SPLITS.get(row.get("split") or "", "")
    return _checked(name, row["comment_text"], y=int(target >= THRESHOLD), z=groups, split=split)


def _one_of(zero: float, one: float) -> int | None:
    """Return the group whose column alone reaches the threshold; NaN, not annotated, never does."""
    return int(one >= THRESHOLD) if (zero >= THRESHOLD) != (one >= THRESHOLD) else None


def _checked(name: str, text: str | None, *, y: object, z: Mapping[str, int | None], split: str) -> Record | Excluded:
    if not (text or "").strip():
        return Excluded("no text", name)
    if y not in (0, 1):
        return Excluded("a label that is not 0 or 1", name)
    if any(group not in (0, 1, None) for group in z.values()):
        return Excluded("a group that is not 0, 1 or null", name)
    if all(group is None for group in z.values()):
        return Excluded("no known group", name)
    return Record(name, text, int(y), {name: None if group is None else int(group) for name, group in z.items()}, split)


READERS: dict[str, Callable[[Path, str], Iterator[Record | Excluded]]] = {
    "parquet": read_parquet,
    "civil_comments": read_civil_comments,
}
"""By the name of the layout in params.yaml."""
