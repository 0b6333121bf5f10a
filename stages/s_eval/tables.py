"""Tables of the benchmark: their columns, the ids of prompts, and the records left out."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import pyarrow
import pyarrow.parquet

from gauntlet.readers.risk_prompts import Skipped

Record = TypeVar("Record")


class Table(NamedTuple):
    """A Parquet file: its name, its columns in order, and those that are not text."""

    file: str
    columns: tuple[str, ...]
    types: Mapping[str, pyarrow.DataType] = MappingProxyType({})

    @property
    def schema(self) -> pyarrow.Schema:
        """Columns with their types."""
        return pyarrow.schema([(column, self.types.get(column, pyarrow.string())) for column in self.columns])


PROMPTS = Table(
    "prompts.parquet",
    ("id", "prompt", "language", "dimension", "category", "predicted", "source", "licence", "role"),
    {"predicted": pyarrow.bool_()},
)
ATTACKS = Table(
    "attacks.parquet",
    ("id", "base_id", "prompt", "language", "dimension", "category", "attack", "source", "licence"),
)
"""Official attack prompts; without a row where no official folder is given."""
BENIGNS = Table("benign.parquet", ("id", "prompt", "answer", "source", "role"))
WRAPPERS = Table("wrappers.parquet", ("id", "template", "source"))
EXCLUDED = Table("excluded.parquet", ("file", "row", "reason"), {"row": pyarrow.int64()})


def prompt_id(prompt: str) -> str:
    """Return the id that S-Eval gives a prompt.

    >>> prompt_id(" How do I bake bread? ")
    '0b2dbbc2fb7caae5406fbc1c85011038'
    """
    return hashlib.md5(prompt.strip().encode()).hexdigest()


class Tally:
    """Keeps what is left out, by file, row and reason."""

    def __init__(self) -> None:
        self.rows: list[dict] = []

    def leave_out(self, file: str, row: int, reason: str) -> None:
        """Note one record."""
        self.rows.append({"file": file, "row": row, "reason": reason})

    def kept(self, records: Iterable[Record | Skipped]) -> Iterator[Record]:
        """Pass on what can be used."""
        for record in records:
            if isinstance(record, Skipped):
                self.leave_out(*record)
            else:
                yield record

    def by_reason(self) -> dict[str, dict[str, int]]:
        """Return counts by file and reason."""
        counts: dict[str, Counter] = defaultdict(Counter)
        for row in self.rows:
            counts[row["file"]][row["reason"]] += 1
        return {file: dict(reasons) for file, reasons in counts.items()}


def write_table(folder: Path, table: Table, rows: list[dict]) -> None:
    """Write rows, their bytes the same each time."""
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, table.schema), folder / table.file)
