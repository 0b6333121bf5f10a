"""SAFE and SAFE-A against zero-shot and the baselines: top-1 by method and shots, over sets and seeds, in one run.

    python benchmarks/safe_clip_few_shot.py --shots 1 4 --seeds 0 1 2

Fits what `safe_clip.train` fits, with its parameters, and asks on the test pictures. Prints Markdown in per cent, the
mean over the sets first: accuracies, then paired differences between methods, with 95% intervals by bootstrap over
pictures and seeds.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from gauntlet.metrics.intervals import Interval
from gauntlet.metrics.safe_clip import mean_over_sets
from gauntlet.models.clip import Clip
from gauntlet.readers.few_shot import FewShotSet
from stages.safe_clip.answers import ZERO_SHOT, Answers, Fits, answers
from stages.safe_clip.features import open_clip_of, read_at, root_of
from stages.safe_clip.train import Draw, Params, fit_all, largest_draw, task_of

RIVALS = (("safe", ZERO_SHOT), ("safe", "clip_adapter"), ("safe_a", "tip_adapter_f"), ("safe_a", "safe"))
RESAMPLES = 2000


def run(few_shot: FewShotSet, params: Params, *, clip: Clip) -> Answers:
    """Fit every method on every draw of a set, and ask all of them."""
    since = time.perf_counter()
    by_shots: dict[int, list] = {shots: [] for shots in params.shots}
    for seed in params.seeds:
        draw = Draw(few_shot, seed)
        largest = largest_draw(draw, params=params, clip=clip)
        for shots in params.shots:
            task = task_of(draw, largest, shots=shots, clip=clip, short=params.short)
            by_shots[shots].append(fit_all(task, params))
    found = answers(clip, few_shot.test, fits=Fits(largest.frozen, by_shots), batch=params.batch)
    print(f"{few_shot.name}: {time.perf_counter() - since:.0f} s", file=sys.stderr, flush=True)
    return found


def right(found: Answers, method: str, shots: int) -> np.ndarray:
    """Return [seeds, N], as numbers; zero-shot's row stands for every seed and number of shots."""
    seeds = max(len(each) for each in found.right.values())
    each = next(value for key, value in found.right.items() if key == (method, shots) or method == ZERO_SHOT == key[0])
    return np.broadcast_to(each, (seeds, each.shape[1])).astype(np.float64)


def table(found: list[Answers], columns: dict[str, tuple[str, ...]], shots: list[int]) -> str:
    """Return Markdown: a row a method, or a pair of methods whose difference is shown."""
    lines = [f"| | {' | '.join(f'{k} shots' for k in shots)} |", "|---" * (len(shots) + 1) + "|"]
    for title, methods in columns.items():
        values = []
        for each in found:
            first, *others = (np.stack([right(each, method, k) for k in shots], axis=2) for method in methods)
            values.append(first - sum(others))
        cells = mean_over_sets(values, resamples=RESAMPLES, generator=np.random.default_rng(0))
        lines.append(f"| {title} | {' | '.join(map(_cell, cells))} |")
    return "\n".join(lines)


def _cell(rate: Interval) -> str:
    return f"{100 * rate.value:.1f} ({100 * rate.low:.1f} to {100 * rate.high:.1f})"


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="a file with safe_clip.train")
    parser.add_argument("--sets", type=Path, default=Path("data/built/safe_clip"))
    parser.add_argument("--clip", type=Path, default=Path("data/models/safe_clip/clip"))
    parser.add_argument("--folders", type=Path, default=Path("data/raw/folders.json"))
    given = parser.parse_args()
    section = yaml.safe_load(given.params.read_text())["safe_clip"]["train"]
    params = Params(**section | {"shots": sorted(given.shots), "seeds": given.seeds})
    clip = open_clip_of(params.official, given.clip)
    root = root_of(params.official, sets=given.sets, folders=given.folders)
    found = {name: run(read_at(root, name, clip), params, clip=clip) for name in params.sets}
    pairs = {f"{ours} - {rival}": (ours, rival) for ours, rival in RIVALS if {ours, rival} <= set(params.methods)}
    single = {method: (method,) for method in params.methods}
    print(f"\nMean over {len(found)} sets and {len(given.seeds)} seeds\n")
    print(table(list(found.values()), single | pairs, params.shots))
    for name, each in found.items():
        print(f"\n{name}\n\n{table([each], single | pairs, params.shots)}")


if __name__ == "__main__":
    main()
