"""Seconds of an update of each method that trains recognisers, and their ratios to plain training's.

Run as `python -m benchmarks.wapat_cost`; prints one Markdown table and exits with 1 if WAPAT costs more than three
times a plain update. All methods get the same batches and run the frozen front themselves: nothing is remembered.
The recogniser is Whisper tiny's encoder with CTC, its weights random, which cost what trained ones do; or, with
`--start`, what wapat.pretrain wrote: a wav2vec 2.0, for one. Seconds are
processor time of one core, least of `--rounds` that take the methods in turns; augmentation is counted, its five
operations in turn, and the mean over them is what is shown.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from gauntlet.models.recognizer import Recognizer
from gauntlet.models.whisper_ctc import WhisperCtc
from gauntlet.models.whisper_encoder import EncoderShape
from gauntlet.readers.trained_recognizers import Trained, read_recognizer
from gauntlet.resampling import SAMPLE_RATE_HZ
from gauntlet.shifts.waveform_augmentation import AUGMENTATIONS
from gauntlet.training.wapat import methods
from gauntlet.training.wapat.methods import METHODS, Batch, Setting

BOUND = 3.0
WORDS = "the quick brown fox jumps over the lazy dog"
PER_OPERATION = ("wavaugment", "wapat")


def main() -> int:
    """Measure, print the table, say whether the bound holds."""
    options = _options()
    torch.set_num_threads(1)
    # bfloat16 in the adversary's passes alone is the default of the stage; the other two rows use one precision.
    rows = {
        "plain": ("plain", Setting()),
        **{name: (name, Setting(adversary_precision="bfloat16")) for name in METHODS if name != "plain"},
        "wapat, float32": ("wapat", Setting()),
        "plain, bfloat16": ("plain", Setting(precision="bfloat16")),
        "wapat, bfloat16": ("wapat", Setting(precision="bfloat16", adversary_precision="bfloat16")),
    }
    seconds = _measured(options, rows)
    print(f"{_machine()}; {options.utterances} utterances of {options.seconds:g} s a batch; ", end="")
    print(f"{options.start or f'{options.frozen_layers} of 4 layers frozen'}; {options.rounds} rounds\n")
    print("| method | s an update | ratio to plain | ratio at equal precision |")
    print("|---|---|---|---|")
    for name, spent in seconds.items():
        equal = seconds["plain, bfloat16" if rows[name][1].precision == "bfloat16" else "plain"]
        shown = "" if rows[name][1].precision != rows[name][1].adversary_precision else f"{spent / equal:.2f}"
        print(f"| {name} | {spent:.3f} | {spent / seconds['plain']:.2f} | {shown} |")
    ratio = seconds["wapat"] / seconds["plain"]
    print(f"\nWAPAT costs {ratio:.2f} times a plain update; the bound is {BOUND:g}")
    return int(ratio > BOUND)


def _measured(options: argparse.Namespace, rows: dict[str, tuple[str, Setting]]) -> dict[str, float]:
    torch.manual_seed(0)
    recognizer = _recognizer(options).train()
    weights = [weight for weight in recognizer.parameters() if weight.requires_grad]
    optimizer = torch.optim.Adam(weights, lr=1e-5, fused=True)
    batch, whole = _batch(options), methods.augment
    updates: dict[tuple[str, str], Callable[[], None]] = {}
    for name, (method, setting) in rows.items():
        for operation in AUGMENTATIONS if method in PER_OPERATION else ("",):
            updates[name, operation] = _update(recognizer, batch, optimizer, method=method, setting=setting)
    least: dict[tuple[str, str], float] = {}
    try:
        for number in range(options.rounds + 1):  # the first warms up
            for (name, operation), update in updates.items():
                if operation:
                    methods.augment = _only(operation)
                begin = time.process_time()
                update()
                spent = time.process_time() - begin
                if number:
                    least[name, operation] = min(spent, least.get((name, operation), spent))
    finally:
        methods.augment = whole
    return {name: _mean([spent for (n, _), spent in least.items() if n == name]) for name in rows}


def _recognizer(options: argparse.Namespace) -> Trained:
    if options.start:
        return read_recognizer(options.start, whisper=options.whisper)
    return WhisperCtc(EncoderShape(), frozen_layers=options.frozen_layers)


def _update(
    recognizer: Recognizer, batch: Batch, optimizer: torch.optim.Optimizer, *, method: str, setting: Setting
) -> Callable[[], None]:
    def update() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss = METHODS[method](recognizer, batch, setting, generator=torch.Generator().manual_seed(0))
        loss.value.backward()
        optimizer.step()

    return update


def _only(operation: str) -> Callable:
    def augment(waveform: torch.Tensor, lengths: torch.Tensor, *, generator: torch.Generator) -> tuple:
        return AUGMENTATIONS[operation](waveform, lengths, generator)

    return augment


def _batch(options: argparse.Namespace) -> Batch:
    """Return noise in place of speech, the last utterance three quarters as long."""
    generator = torch.Generator().manual_seed(0)
    samples = round(options.seconds * SAMPLE_RATE_HZ)
    lengths = torch.full((options.utterances,), samples)
    lengths[-1] = samples * 3 // 4
    waveform = 0.1 * torch.randn(options.utterances, samples, generator=generator).clamp(-5, 5)
    waveform[-1, lengths[-1] :] = 0
    return Batch(waveform, lengths, [WORDS[: round(12 * options.seconds)].strip()] * options.utterances)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _machine() -> str:
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "")
    return f"{cpu.partition(': ')[2] or platform.processor()}, one thread, torch {torch.__version__}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="wapat_cost.py", description=__doc__.splitlines()[0])
    parser.add_argument("--utterances", type=int, default=8, help="a batch")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each utterance, at least 1")
    parser.add_argument("--frozen-layers", type=int, default=2, help="of Whisper tiny's four")
    parser.add_argument("--start", type=Path, help="a model folder of wapat.pretrain in the random Whisper's place")
    parser.add_argument("--whisper", type=Path, default=Path("data/models/whisper_tiny_en"), help="that it stands on")
    parser.add_argument("--rounds", type=int, default=3, help="of which the least time counts")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
