"""Time the waveform shifts against audiomentations on one core, by turns in one process.

Run as `python benchmarks/waveform_speed.py [--rounds 9]`; prints one Markdown table and ends with 1 if a target is
missed: each shift in torch at least 150 times real time, and no shared operation slower than theirs. Both sides get 16
utterances of 4 s at 16 kHz and give a batch back, with amounts from the same ranges, drawn for each utterance; theirs
works on one utterance after the other, and its results are stacked. Processor time, as the machine may be busy; the
first call of each side is left out. MP3 and Opus are libsndfile's work, not torch's; a dash stands for what is not
installed. Rooms: ours simulates a new room for each utterance and convolves; theirs convolves with one response, as
long as ours, that was read before.
"""

import argparse
import os
import platform
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import audiomentations
import numpy as np
import soundfile
import torch

from benchmarks.shifts_speed import timed
from gauntlet.shifts.waveform_arguments import draw
from gauntlet.shifts.waveforms import WAVEFORM_SHIFTS

BATCH, SECONDS, SAMPLE_RATE_HZ = 16, 4, 16_000
T60_S = 0.5
TARGET = 150
LIBSNDFILE = {"mp3", "opus"}

OURS = {
    "pitch": ("pitch", {"cents": (-300, 300)}),
    "tempo": ("tempo", {"factor": (0.8, 1.25)}),
    "speed": ("speed", {"factor": (0.8, 1.25)}),
    "noise, white": ("noise", {"snr_db": (5, 20)}),
    "noise, coloured": ("noise", {"snr_db": (5, 20), "colour": (0.5, 2)}),
    "babble": ("babble", {"snr_db": (5, 20)}),
    "band_reject": ("band_reject", {"centre_hz": (200, 4000), "width_hz": (100, 2000)}),
    "time_drop": ("time_drop", {"drop_s": (0.04, 0.8)}),
    "reverb": ("reverb", {"t60_s": (T60_S, T60_S)}),
    "mu_law": ("mu_law", {"bits": (4, 8)}),
    "mp3": ("mp3", {"kbit_s": (16, 64)}),
    "opus": ("opus", {"kbit_s": (16, 64)}),
    "clipping": ("clipping", {"headroom_db": (-6, 9)}),
    "gain": ("gain", {"gain_db": (-12, 12)}),
}
"""Row -> shift and the range of each amount."""


def theirs(folder: Path) -> dict[str, Callable]:
    """List their counterparts; those whose packages are missing are left out."""
    generator = np.random.default_rng(0)
    fading = generator.standard_normal(round(T60_S * SAMPLE_RATE_HZ)) * 10 ** (-3 * np.linspace(0, 1, 8000))
    soundfile.write(folder / "room.wav", fading / np.abs(fading).max(), SAMPLE_RATE_HZ)
    known = {
        "pitch": audiomentations.PitchShift(-3, 3, p=1),
        "tempo": audiomentations.TimeStretch(0.8, 1.25, p=1),
        "noise, white": audiomentations.AddGaussianSNR(5, 20, p=1),
        "noise, coloured": audiomentations.AddColorNoise(5, 20, -6.02, -1.5, p=1),
        "band_reject": audiomentations.BandStopFilter(p=1),
        "time_drop": audiomentations.TimeMask(0.01, 0.2, p=1),
        "reverb": audiomentations.ApplyImpulseResponse(str(folder), p=1),
        "clipping": audiomentations.ClippingDistortion(p=1),
        "gain": audiomentations.Gain(-12, 12, p=1),
    }
    if find_spec("fast_mp3_augment"):
        known["mp3"] = audiomentations.Mp3Compression(16, 64, p=1)
    return known


def calls(row: str, counterpart: Callable | None) -> dict[str, Callable[[], object]]:
    """Make the two sides' calls on equal batches."""
    generator = torch.Generator().manual_seed(0)
    waveform = 0.1 * torch.randn(BATCH, SECONDS * SAMPLE_RATE_HZ, generator=generator)
    lengths, single = torch.full((BATCH,), SECONDS * SAMPLE_RATE_HZ), list(waveform.numpy())
    name, ranges = OURS[row]

    def ours() -> None:
        amounts = {key: draw(*bounds, count=BATCH, generator=generator) for key, bounds in ranges.items()}
        WAVEFORM_SHIFTS[name](waveform, lengths, generator=generator, **amounts)

    sides = {"ours": ours}
    if counterpart is not None:
        sides["theirs"] = lambda: np.stack([counterpart(sound, SAMPLE_RATE_HZ) for sound in single])
    return sides


def repeated(call: Callable[[], object], times: int) -> None:
    """Call so often that the clock sees something."""
    for _ in range(times):
        call()


def measure(row: str, counterpart: Callable | None, *, rounds: int) -> tuple[str, bool]:
    """Time one operation on both sides by turns: its row, and whether it meets the targets."""
    sides = calls(row, counterpart)
    times: dict[str, list[float]] = {side: [] for side in sides}
    repeats = 1
    for turn in range(rounds + 1):
        for side, call in sides.items():
            times[side].append(timed(partial(repeated, call, repeats))[1] / repeats)
        if not turn:  # 20 ms at least
            repeats = max(1, round(20 / max(times["ours"][0], 0.1)))
    ours, *other = (float(np.median(taken[1:])) for taken in times.values())
    real_time = 1000 * BATCH * SECONDS / ours
    met = (row in LIBSNDFILE or real_time >= TARGET) and all(slower >= ours for slower in other)
    theirs_ms, ratio = (f"{other[0]:.2f}", f"{other[0] / ours:.2f}") if other else ("-", "-")
    name = type(counterpart).__name__ if counterpart is not None else "-"
    return f"| {row} | {ours:.2f} | {name} | {theirs_ms} | {ratio} | {real_time:,.0f} |", met


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    np.random.seed(0)  # audiomentations draws from the global generator
    print(
        f"{BATCH} utterances of {SECONDS} s, medians of n = {options.rounds} rounds by turns, processor time, 1 thread,"
    )
    print(f"{platform.processor() or platform.machine()}; torch {torch.__version__}, ", end="")
    print(f"audiomentations {version('audiomentations')}\n")
    print("| shift | ours, ms | audiomentations | theirs, ms | times faster | x real time |")
    print("|---|---|---|---|---|---|")
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        others = theirs(Path(folder))
        for row in OURS:
            line, met = measure(row, others.get(row), rounds=options.rounds)
            print(line, flush=True)
            missed += [] if met else [row]
    if missed:
        sys.exit(f"missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
