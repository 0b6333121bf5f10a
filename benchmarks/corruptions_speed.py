"""Time the fifteen corruptions against imagecorruptions, by turns in one process.

Run as `python benchmarks/corruptions_speed.py [--rounds 30] [--severity 3]`; prints one Markdown table. Both sides get
the same 224 x 224 picture and one thread. Processor time stands in brackets: on a busy machine it is the fairer
of the two. The first call of each side is left out: tables are made there, and theirs compiles. The last column says
how far apart the pictures are: for what is not random the largest difference of a value, else both mean
differences from the picture that went in, over the same calls. Elastic and frost are not the same operation on
both sides: ImageNet-C's affine map is missing there, and its photographs of ice here.
"""

import argparse
import os
import platform
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from imagecorruptions import corrupt  # noqa: E402

from benchmarks.shifts_speed import timed  # noqa: E402
from gauntlet.shifts.corruptions import CORRUPTIONS  # noqa: E402
from gauntlet.shifts.fields import plasma  # noqa: E402

SIDE = 224


def picture() -> np.ndarray:
    """Make a picture with smooth and rough parts: uint8 224 x 224 x 3."""
    generator = np.random.default_rng(0)
    clouds = [plasma(SIDE, SIDE, generator=generator, octaves=7, decay=0.7) for _ in "rgb"]
    return np.uint8(np.stack(clouds, 2) * 255)


def row(name: str, x: np.ndarray, *, severity: int, rounds: int) -> str:
    """Time one corruption on both sides by turns and write its row."""
    times, apart = {"ours": [], "theirs": []}, {"ours": [], "theirs": []}
    largest = 0
    for turn in range(rounds + 1):
        generator, out = np.random.default_rng(turn), {}

        def ours(out: dict = out, generator: np.random.Generator = generator) -> None:
            out["ours"] = CORRUPTIONS[name](x, severity=severity, generator=generator)

        def theirs(out: dict = out) -> None:
            out["theirs"] = corrupt(x, severity=severity, corruption_name=name)

        for side, call in (("ours", ours), ("theirs", theirs)):
            times[side].append(timed(call))
            apart[side].append(np.abs(out[side].astype(int) - x).mean())
        largest = max(largest, np.abs(out["ours"].astype(int) - out["theirs"]).max())
    (wall, cpu), (other_wall, other_cpu) = (np.median(times[side][1:], axis=0) for side in ("ours", "theirs"))
    means = f"mean {np.mean(apart['ours']):.1f} / {np.mean(apart['theirs']):.1f}"
    return (
        f"| {name} | {wall:.2f} ({cpu:.2f}) | {other_wall:.2f} ({other_cpu:.2f}) "
        f"| {other_wall / wall:.1f} ({other_cpu / cpu:.1f}) "
        f"| {means if CORRUPTIONS[name].random else f'at most {largest}'} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--severity", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    cv2.setNumThreads(1)
    np.random.seed(0)  # imagecorruptions draws from the global generator
    x, processor = picture(), platform.processor() or platform.machine()
    print(f"{SIDE} x {SIDE}, severity {options.severity}, medians of n = {options.rounds} calls by turns, 1 thread,")
    print(f"{processor}; imagecorruptions-imaug {version('imagecorruptions-imaug')}, opencv {cv2.__version__}\n")
    print("| corruption | ours, ms (cpu) | imagecorruptions, ms (cpu) | times faster (cpu) | apart, of 255 |")
    print("|---|---|---|---|---|")
    for name in CORRUPTIONS:
        print(row(name, x, severity=options.severity, rounds=options.rounds), flush=True)


if __name__ == "__main__":
    main()
