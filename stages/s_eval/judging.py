"""What there is to judge, the answers of all victims and the held-out labels, and every judge's verdicts on it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet

from gauntlet.errors import DataError
from gauntlet.judges.verdict import ERROR, Judge, Pair, Verdict, error
from gauntlet.metrics.s_eval import Judged
from gauntlet.readers.s_eval import read_s_eval
from stages.s_eval.layout import SCALE

HELD_OUT = "held_out"
_TEMPERATURE = re.compile(r"t([0-9.]+)-")


class Reply(NamedTuple):
    """One answer of a victim, with the base prompt that a judge sees beside it.

    Attributes:
        pair: To be judged; its id names victim, decode and prompt.
        row: As in answers.parquet.
    """

    pair: Pair
    row: Mapping[str, object]

    @property
    def lost(self) -> str:
        """Why there is nothing to judge; "" where there is."""
        finish = str(self.row["finish"])
        return str(self.row["error"] or finish) if finish in ("error", "empty") else ""

    @property
    def filtered(self) -> bool:
        """Whether the provider withheld the answer."""
        return self.row["finish"] == "filtered"

    def judged(self, verdict: Verdict) -> Judged:
        """For the metrics."""
        row = self.row
        return Judged(
            id=row["id"],
            base_id=row["base_id"],
            attack=row["attack"],
            dimension=row["dimension"],
            category=row["category"],
            tag=verdict.tag,
            language=row["language"],
            decode=row["decode"],
        )


def read_base_prompts(attacked: Path) -> dict[str, str]:
    """Return the text of every base prompt by id.

    Raises:
        DataError: The folder holds no index or lacks a file.
    """
    index = pyarrow.parquet.read_table(attacked / "index.parquet", columns=["attack", "language"]).to_pylist()
    found = {}
    for language in sorted({row["language"] for row in index if not row["attack"]}):
        rows = read_s_eval(attacked, kind="base_risk", language=language, scale=SCALE)
        found |= {prompt.id: prompt.prompt for prompt in rows.prompts}
    return found


def read_replies(answers: Path, victim: str, *, prompts: Mapping[str, str]) -> list[Reply]:
    """Read what one victim said.

    Args:
        answers: Folder of all victims.
        victim: Name of its folder.
        prompts: Base prompts by id.

    Raises:
        DataError: There are no answers, or one belongs to no base prompt.
    """
    file = answers / victim / "answers.parquet"
    rows = pyarrow.parquet.read_table(file).to_pylist() if file.exists() else []
    if not rows:
        raise DataError(f"{file} must hold answers; it holds none; was {victim} asked?")
    if lost := [row["base_id"] for row in rows if row["base_id"] not in prompts]:
        raise DataError(f"{file}: every base_id must be of a base prompt; {lost[0]} is not; answers to other prompts?")
    return [
        Reply(Pair(f"{victim}/{row['decode']}/{row['id']}", prompts[row["base_id"]], row["response"]), row)
        for row in rows
    ]


def read_labelled(records: Path) -> list[dict]:
    """Read the held-out records of known answers; each gets a `pair`."""
    file = records / "critique.parquet"
    rows = [row for row in pyarrow.parquet.read_table(file).to_pylist() if row["split"] == HELD_OUT]
    if not rows:
        raise DataError(f"{file} must hold records of split {HELD_OUT}; it holds none; too few records made?")
    return [
        row | {"pair": Pair(f"{HELD_OUT}/{place}", row["prompt"], row["response"])} for place, row in enumerate(rows)
    ]


def verdicts_of(
    judge: Judge, replies: Iterable[Reply], labelled: Sequence[dict], *, filtered_is_safe: bool
) -> dict[str, Verdict]:
    """Let one judge judge all; answers that never came are errors, and it does not see them.

    Args:
        judge: Any.
        replies: Of all victims.
        labelled: Of `read_labelled`.
        filtered_is_safe: Whether an answer that its provider withheld counts as safe; else as an error.

    Returns:
        A verdict for each pair by its id.
    """
    found, pairs = {}, [row["pair"] for row in labelled]
    for reply in replies:
        id = reply.pair.id
        if reply.lost:
            found[id] = error(id, reply.lost)
        elif reply.filtered:
            found[id] = Verdict(id, "safe", 1.0, "filtered") if filtered_is_safe else error(id, "filtered")
        else:
            pairs.append(reply.pair)
    return found | {verdict.id: verdict for verdict in judge.judge(pairs)}


def main_decode(replies: Sequence[Reply]) -> str:
    """Return the decode that most answers have: that of the attacks; among equals, the greedy and shorter one."""
    counts: dict[str, int] = {}
    for reply in replies:
        counts[str(reply.row["decode"])] = counts.get(str(reply.row["decode"]), 0) + 1
    return min(counts, key=lambda decode: (-counts[decode], temperature_of(decode), len(decode), decode))


def temperature_of(decode: str) -> float:
    """Return the temperature in a decode's key.

    >>> temperature_of("greedy-64"), temperature_of("t0.7-p1-64-s0")
    (0.0, 0.7)
    """
    found = _TEMPERATURE.match(decode)
    return float(found[1]) if found else 0.0


def troubles(replies: Iterable[Reply]) -> dict[str, int]:
    """Count the answers that did not end of themselves: by the error, or cut, withheld, empty."""
    ends = [str(reply.row["error"] or reply.row["finish"]) for reply in replies if reply.row["finish"] != "stop"]
    return {end: ends.count(end) for end in sorted(set(ends))}


def lost_by_reason(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Count the verdicts that did not come by reason."""
    reasons = [verdict.explanation or "unknown" for verdict in verdicts if verdict.tag == ERROR]
    return {reason: reasons.count(reason) for reason in sorted(set(reasons))}
