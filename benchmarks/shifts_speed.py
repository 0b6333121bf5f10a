"""Time the weather shifts against the same-named corruptions of imagecorruptions, by turns in one process.

Run as `python benchmarks/shifts_speed.py`; prints one Markdown table. Both sides get the same photograph-like
640 x 480 picture at severity 3 and one OpenCV thread. Processor time stands in brackets: on a busy machine it
is the fairer of the two. The first call of each side is left out of the medians and shown apart: ours grows its
bank of ice there, theirs compiles.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from imagecorruptions import corrupt  # noqa: E402

from gauntlet.shifts.fields import plasma  # noqa: E402
from gauntlet.shifts.weather import WEATHER  # noqa: E402

HEIGHT, WIDTH, SEVERITY, ROUNDS = 480, 640, 3, 60
NEEDED = 3.0


def picture() -> np.ndarray:
    """Make a picture with smooth and rough parts: uint8 480 x 640 x 3."""
    generator = np.random.default_rng(0)
    clouds = np.stack([plasma(HEIGHT, WIDTH, generator=generator, octaves=7, decay=0.7) for _ in "rgb"], 2)
    return np.uint8(clouds * 255)


def timed(call: Callable[[], np.ndarray]) -> tuple[float, float]:
    """Time one call: milliseconds on the wall and on the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu)


def versus(name: str, x: np.ndarray) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Time ours and theirs by turns, ROUNDS + 1 calls each, the first ones cold."""
    ours, theirs = [], []
    for turn in range(ROUNDS + 1):
        generator = np.random.default_rng(turn)
        ours.append(timed(lambda: WEATHER[name](x, severity=SEVERITY, generator=generator)))  # noqa: B023
        if name != "rain":
            theirs.append(timed(lambda: corrupt(x, severity=SEVERITY, corruption_name=name)))
    return ours, theirs


def main() -> int:
    """Print the table; 1 if a shift is less than NEEDED times faster."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    cv2.setNumThreads(1)
    np.random.seed(0)  # imagecorruptions draws from the global generator
    x = picture()
    processor = platform.processor() or platform.machine()
    print(f"{WIDTH} x {HEIGHT}, severity {SEVERITY}, medians of n = {ROUNDS} calls by turns, 1 thread, {processor};")
    print(f"imagecorruptions-imaug {version('imagecorruptions-imaug')}, opencv {cv2.__version__}\n")
    print(
        "| shift | ours, ms (cpu) | imagecorruptions, ms (cpu) | times faster (cpu) | first call, ours / theirs, ms |"
    )
    print("|---|---|---|---|---|")
    slow = 0
    for name in WEATHER:
        ours, theirs = versus(name, x)
        wall, cpu = np.median(ours[1:], axis=0)
        if not theirs:
            print(f"| {name} | {wall:.2f} ({cpu:.2f}) | has none | | {ours[0][0]:.0f} / |")
            continue
        other_wall, other_cpu = np.median(theirs[1:], axis=0)
        slow += other_wall / wall < NEEDED
        print(
            f"| {name} | {wall:.2f} ({cpu:.2f}) | {other_wall:.2f} ({other_cpu:.2f}) "
            f"| {other_wall / wall:.1f} ({other_cpu / cpu:.1f}) | {ours[0][0]:.0f} / {theirs[0][0]:.0f} |"
        )
    return int(slow > 0)


if __name__ == "__main__":
    sys.exit(main())
