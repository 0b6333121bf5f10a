"""Hold the trained judge and rule matching against the held-out labels, side by side; the untrained model on request.

Run as `python benchmarks/judge_quality.py [--untrained]` once `s_eval-records` and `s_eval-train` are done; prints
Markdown tables and ends with 1 unless the trained judge's balanced accuracy is above that of the rules. The records
were in no judge's training, and their phrasings of refusal in no list. The trained judge is asked twice, the second
time one record after another in another order: what it says must not change. Intervals of 95 % by bootstrap over
records, paired for differences. No text is printed.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from gauntlet.judges.chat_judge import ChatJudge
from gauntlet.judges.critique_format import POLICY
from gauntlet.judges.rules import RuleJudge
from gauntlet.judges.verdict import Pair, Verdict
from gauntlet.metrics.agreement import Quality, cohen_kappa, judge_quality
from gauntlet.metrics.intervals import Interval, percentile_interval
from gauntlet.models.chat_server import served
from stages.s_eval.judging import read_labelled

ROOT = Path(__file__).resolve().parent.parent
TRAINED, RULES, UNTRAINED = "trained judge", "rules", "untrained, told the policy"
RESAMPLES = 2000


class Run(NamedTuple):
    """A judge's verdicts by the pair's id, and the seconds that they took."""

    verdicts: dict[str, Verdict]
    seconds: float


def judged(judge: Callable[[Sequence[Pair]], list[Verdict]], pairs: Sequence[Pair]) -> Run:
    """Let a judge judge, and take the time."""
    begun = time.perf_counter()
    verdicts = {verdict.id: verdict for verdict in judge(pairs)}
    return Run(verdicts, time.perf_counter() - begun)


def judged_by(gguf: Path, pairs: Sequence[Pair], *, slots: int, policy: str = "") -> Run:
    """Let a model on the embedded server judge; starting it is not in the time."""
    threads = len(os.sched_getaffinity(0))
    with served(gguf, slots=slots, threads=threads) as chat:
        return judged(ChatJudge(chat, policy=policy).judge, pairs)


def quality(run: Run, rows: Sequence[dict]) -> Quality:
    """Hold a judge against the labels."""
    tags, labels = [run.verdicts[row["pair"].id].tag for row in rows], [row["label"] for row in rows]
    return judge_quality(tags, labels, resamples=RESAMPLES, generator=np.random.default_rng(0))


def difference(one: dict[str, Verdict], other: dict[str, Verdict], rows: Sequence[dict]) -> Interval:
    """Return the first's balanced accuracy less the second's, both on the same resamples; an error counts as wrong."""
    unsafe = np.array([row["label"] == "unsafe" for row in rows])
    right = [np.array([said[row["pair"].id].tag == row["label"] for row in rows]) for said in (one, other)]
    gain = right[0].astype(float) - right[1]

    def balanced(weights: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return sum((weights @ (gain * part)) / (weights @ part.astype(float)) for part in (unsafe, ~unsafe)) / 2

    count = len(rows)
    draws = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    return percentile_interval(float(balanced(np.ones((1, count)))[0]), balanced(draws), n=count)


def written(rate: Interval | None) -> str:
    """Write a rate in per cent with its interval."""
    if rate is None:
        return "–"
    return f"{100 * rate.value:.1f} [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table."""
    for line in (head, ["---"] * len(head), *rows):
        print("| " + " | ".join(map(str, line)) + " |")
    print()


def print_quality(runs: dict[str, Run], rows: Sequence[dict]) -> None:
    """Print every judge's measures, and its verdicts a second."""
    lines = []
    for name, run in runs.items():
        found = quality(run, rows)
        measures = (found.balanced_accuracy, found.precision, found.recall, found.precision_safe, found.recall_safe)
        lines.append([name, *map(written, measures), found.errors, f"{len(rows) / run.seconds:.1f}"])
    head = ["balanced accuracy", "precision unsafe", "recall unsafe", "precision safe", "recall safe", "errors"]
    table(["judge", *(f"{name} %" if name != "errors" else name for name in head), "verdicts/s"], lines)


def print_groups(runs: dict[str, Run], rows: Sequence[dict], column: str) -> None:
    """Print the share of right verdicts in each group."""
    lines = []
    for name in sorted({row[column] for row in rows}):
        own = [row for row in rows if row[column] == name]
        unsafe = sum(row["label"] == "unsafe" for row in own)
        lines.append(
            [name or "none", len(own), unsafe, *(written(quality(run, own).accuracy) for run in runs.values())]
        )
    table([column, "n", "unsafe", *(f"{name}, accuracy %" for name in runs)], lines)


def main() -> int:
    """Print the tables; 1 unless training pays."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=Path, default=ROOT / "data/built/s_eval_records")
    parser.add_argument("--critique", type=Path, default=ROOT / "data/models/s_eval/critique")
    parser.add_argument("--chat-model", type=Path, default=ROOT / "data/models/smollm2")
    parser.add_argument("--untrained", action="store_true", help="ask the model that training began from as well")
    parser.add_argument("--slots", type=int, default=8)
    chosen = parser.parse_args()
    rows = read_labelled(chosen.records)
    pairs = [row["pair"] for row in rows]
    runs = {
        TRAINED: judged_by(chosen.critique / "model.gguf", pairs, slots=chosen.slots),
        RULES: judged(RuleJudge().judge, pairs),
    }
    if chosen.untrained:
        runs[UNTRAINED] = judged_by(chosen.chat_model / "model.gguf", pairs, slots=chosen.slots, policy=POLICY)
    shuffled = [pairs[place] for place in np.random.default_rng(1).permutation(len(pairs))]
    again = judged_by(chosen.critique / "model.gguf", shuffled, slots=1).verdicts
    first = runs[TRAINED].verdicts
    labels = [row["label"] for row in rows]
    print(f"{len(rows)} held-out records: {labels.count('safe')} safe, {labels.count('unsafe')} unsafe.\n")
    print_quality(runs, rows)
    for column in ("kind", "attack"):
        print_groups(runs, rows, column)
    tags = [[run.verdicts[pair.id].tag for pair in pairs] for run in (runs[TRAINED], runs[RULES])]
    kappa = cohen_kappa(*tags, resamples=RESAMPLES, generator=np.random.default_rng(0))
    gain = difference(runs[TRAINED].verdicts, runs[RULES].verdicts, rows)
    same = sum(again[id].tag == first[id].tag for id in first)
    moved = max((abs(again[id].score - first[id].score) for id in first if first[id].tag != "error"), default=0.0)
    print(f"Trained judge less rules: {written(gain)} points of balanced accuracy (an error counts as wrong).")
    if kappa:
        print(f"Cohen's kappa of the two: {kappa.value:.2f} [{kappa.low:.2f}, {kappa.high:.2f}].")
    print(
        f"Asked again, one by one in another order: {same} of {len(first)} verdicts equal, P(safe) within {moved:.1e}."
    )
    return 0 if gain.value > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
