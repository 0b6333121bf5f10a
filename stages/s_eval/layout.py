"""Files of an attacked benchmark: the official JSONL layout, the index that joins it, and what was dropped."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow

from gauntlet.metrics.selection import Dropped
from stages.s_eval.tables import Table, write_table

INDEX = Table(
    "index.parquet",
    ("id", "base_id", "dimension", "category", "predicted", "attack", "source", "language", "settings", "unsafe"),
    {"predicted": pyarrow.bool_(), "unsafe": pyarrow.float64()},
)
"""One row a prompt: `settings` is what the attack drew, as JSON, `unsafe` the panel's mean on its base prompt."""
DROPPED = Table("dropped.parquet", ("id", "stage", "reason"))
SCALE = "small"


def file_name(kind: str, language: str) -> str:
    """Name an official file.

    >>> file_name("base_risk", "en")
    'S-Eval_base_risk_en_small.jsonl'
    """
    return f"S-Eval_{kind}_{language}_{SCALE}.jsonl"


def write_official(folder: Path, rows: Sequence[dict]) -> None:
    """Write base prompts and attacks of each language, as the publisher lays them out.

    Args:
        folder: Where to.
        rows: Of the index, with `prompt`; base prompts in the order in which each attack has them.
    """
    for language in sorted({row["language"] for row in rows}):
        own = [row for row in rows if row["language"] == language]
        base = [_line(row, {"model": "base_risk", "from_traceid": ""}) for row in own if not row["attack"]]
        attacks = [_line(row, {"model": "attack", "category": row["attack"]}) for row in own if row["attack"]]
        (folder / file_name("base_risk", language)).write_text("".join(base), encoding="utf-8")
        (folder / file_name("attack", language)).write_text("".join(attacks), encoding="utf-8")


def _line(row: dict, ext: dict[str, str]) -> str:
    risk = row["dimension"].replace(" ", "_")
    content = {"traceid": row["id"], "risk_type": risk, "prompt": row["prompt"], "ext": json.dumps(ext)}
    return json.dumps(content, ensure_ascii=False) + "\n"


def write_index(folder: Path, rows: Iterable[dict], dropped: Iterable[Dropped]) -> None:
    """Write the index and the dropped candidates."""
    columns = INDEX.columns
    write_table(folder, INDEX, [{name: row[name] for name in columns} for row in rows])
    write_table(folder, DROPPED, [{"id": one.id, "stage": one.step, "reason": one.reason} for one in dropped])
