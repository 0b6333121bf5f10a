"""Train recognisers by several methods from one start, seed by seed: word error rates on clean speech and beyond it.

Run as `python -m benchmarks.wapat_training --methods plain,wapat --seeds 0,1,2`; prints Markdown tables and ends with 1
unless the last method beats the first: a lower mean over unseen domains and corruptions, and on clean speech no loss
beyond one standard error of the difference over seeds. Every method has the same start, updates, batches, schedule and
no selection of an epoch; all recognisers then hear the same test clips. The settings are those of
`gauntlet.training.wapat.methods.Setting`; seconds an update are without the front where its features of the utterances
are remembered. Clean speech is that of the domains that the training speech is from.
"""

import argparse
import json
import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from torch import nn

from gauntlet.metrics.recognition import character_errors, word_errors
from gauntlet.readers.speech import read_corpus
from gauntlet.readers.speech_c import Row, read_clips, read_rows
from gauntlet.readers.trained_recognizers import read_recognizer
from gauntlet.training.wapat.loop import start_recognizer, train_recognizer
from gauntlet.training.wapat.methods import METHODS, Setting
from gauntlet.training.wapat.speech import Speech, fitting
from stages.wapat.hearing import Ears, Heard

ROOT = Path(__file__).resolve().parent.parent
RATES = ("clean", "clean CER", "domains", "corruptions", "beyond")
"""Of each run; "domains" are the unseen ones, "beyond" is the mean of domains and corruptions."""


class Run(NamedTuple):
    """One method with one seed: seconds an update, and error rates by the names in RATES."""

    method: str
    seed: int
    update_s: float
    rates: dict[str, float]


class Difference(NamedTuple):
    """A mean over seeds of differences, taken seed by seed, and its standard error; nan with one seed."""

    value: float
    error: float


def speech_of(chosen: argparse.Namespace) -> Speech:
    """Read the training speech; what the frozen front makes of it is remembered for all runs."""
    utterances = read_corpus(chosen.speech, split="train", limit=chosen.train).utterances
    recognizer = read_recognizer(chosen.start, whisper=chosen.whisper).to(chosen.device)
    fits = fitting(recognizer, utterances)
    kept = [utterance for utterance, fit in zip(utterances, fits, strict=True) if fit]
    speech = Speech(kept, batch_s=chosen.batch_s, device=chosen.device)
    speech.remember(recognizer)
    return speech


def trained(chosen: argparse.Namespace, speech: Speech, *, method: str, seed: int) -> tuple[nn.Module, float]:
    """Train one recogniser; return it and its seconds an update."""
    recognizer = read_recognizer(chosen.start, whisper=chosen.whisper).to(chosen.device)
    updates = chosen.epochs * len(speech.slots)
    state = start_recognizer(
        recognizer, lr=chosen.lr, weight_decay=0.0, steps=updates, generator=torch.Generator().manual_seed(seed)
    )
    clock = time.process_time if chosen.device == "cpu" else time.perf_counter
    begin = clock()
    for _ in train_recognizer(state, speech, method=method, setting=Setting(**chosen.setting), epochs=chosen.epochs):
        pass  # the last record waits for the device
    return recognizer.eval().requires_grad_(False), (clock() - begin) / updates


def heard(chosen: argparse.Namespace, recognizers: Mapping[str, nn.Module]) -> dict[str, dict[str, Heard]]:
    """Let all recognisers hear the test clips: groups by name, for "clean", "domains" and "corruptions"."""
    ears = Ears(recognizers, phonemes={}, batch_s=chosen.batch_s, device=chosen.device)
    seen = set(read_corpus(chosen.speech, split="train", limit=1).domains)
    test = read_corpus(chosen.speech, split="test", limit=chosen.utterances)
    found: dict[str, dict[str, Heard]] = {"clean": {}, "domains": {}, "corruptions": {}}
    for domain in test.domains:
        clips = [one for one in test.utterances if one.domain == domain]
        found["clean" if domain in seen else "domains"][domain] = ears.hear(clips)
    groups: dict[str, list[Row]] = {}
    for row in read_rows(chosen.speech_c, limit=chosen.corrupted):
        groups.setdefault(f"{row.shift} {row.severity}", []).append(row)
    for name, rows in groups.items():
        found["corruptions"][name] = ears.hear(read_clips(chosen.speech_c, rows))
    return found


def rates(found: Mapping[str, Mapping[str, Heard]], name: str) -> dict[str, float]:
    """Return one recogniser's error rates, by the names in RATES."""
    pooled = sum(found["clean"].values(), Heard())
    texts = pooled.references[name], pooled.hypotheses[name]
    means = {
        kind: float(np.mean([word_errors(h.references[name], h.hypotheses[name]).rate for h in found[kind].values()]))
        for kind in ("domains", "corruptions")
    }
    clean = {"clean": word_errors(*texts).rate, "clean CER": character_errors(*texts).rate}
    return clean | means | {"beyond": (means["domains"] + means["corruptions"]) / 2}


def difference(runs: Sequence[Run], methods: tuple[str, str], rate: str) -> Difference:
    """Return how much the second method's rate lies above the first's."""
    by = {(run.method, run.seed): run.rates[rate] for run in runs}
    apart = [by[methods[1], seed] - by[methods[0], seed] for seed in sorted({run.seed for run in runs})]
    error = np.std(apart, ddof=1) / len(apart) ** 0.5 if len(apart) > 1 else np.nan
    return Difference(float(np.mean(apart)), float(error))


def better(runs: Sequence[Run], methods: tuple[str, str]) -> bool:
    """Say whether the second method is better beyond clean speech at no loss on it."""
    beyond, clean = (difference(runs, methods, rate) for rate in ("beyond", "clean"))
    return beyond.value < 0 and (clean.value <= 0 or clean.value <= clean.error)


def tables(runs: Sequence[Run], methods: Sequence[str]) -> str:
    """Return two Markdown tables: means and deviations over seeds, and differences to the first method."""
    lines = [f"| method | {' | '.join(RATES)} | s an update |", "|---|" + "--:|" * (len(RATES) + 1)]
    for method in methods:
        own = [run for run in runs if run.method == method]
        several = [[run.rates[rate] for run in own] for rate in RATES]
        cells = [f"{100 * np.mean(one):.2f} ± {100 * np.std(one, ddof=len(one) > 1):.2f}" for one in several]
        lines.append(f"| {method} | {' | '.join(cells)} | {np.mean([run.update_s for run in own]):.2f} |")
    lines += ["", f"| less {methods[0]} | {' | '.join(RATES)} |", "|---|" + "--:|" * len(RATES)]
    for method in methods[1:]:
        apart = [difference(runs, (methods[0], method), rate) for rate in RATES]
        lines.append(f"| {method} | {' | '.join(f'{100 * d.value:+.2f} ± {100 * d.error:.2f}' for d in apart)} |")
    return "\n".join(lines)


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default="plain,wapat", help=", ".join(METHODS))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument("--batch-s", type=float, default=24.0, help="seconds of sound a batch")
    parser.add_argument(
        "--setting", type=json.loads, default={}, help='of the methods: {"eps": 0.2, "clean_share": 0.5}'
    )
    parser.add_argument("--train", type=int, help="training utterances a domain; default: all")
    parser.add_argument("--utterances", type=int, help="test utterances a domain; default: all")
    parser.add_argument("--corrupted", type=int, help="clips at each shift and severity; default: all")
    parser.add_argument("--speech", type=Path, default=ROOT / "data/built/speech")
    parser.add_argument("--speech-c", type=Path, default=ROOT / "data/built/speech_c")
    parser.add_argument("--whisper", type=Path, default=ROOT / "data/models/whisper_tiny_en")
    parser.add_argument("--start", type=Path, default=ROOT / "data/models/wapat_start", help="from wapat.pretrain")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, help="where the record goes")
    return parser.parse_args()


def main() -> int:
    """Train, listen, print; 1 if the last method does not beat the first."""
    chosen = options()
    torch.set_num_threads(1)
    methods, seeds = chosen.methods.split(","), [int(seed) for seed in chosen.seeds.split(",")]
    if unknown := [method for method in methods if method not in METHODS]:
        raise SystemExit(f"--methods must be of {', '.join(METHODS)}; got {unknown[0]}")
    command = " ".join(["python -m benchmarks.wapat_training", shlex.join(sys.argv[1:])])
    speech = speech_of(chosen)
    print(f"{command}\n{len(speech)} training utterances, torch {torch.__version__}, {chosen.device}", flush=True)
    recognizers, update_s = {}, {}
    for seed in seeds:
        for method in methods:
            name = f"{method} {seed}"
            recognizers[name], update_s[name] = trained(chosen, speech, method=method, seed=seed)
            print(f"{method}, seed {seed}: {update_s[name]:.2f} s an update", file=sys.stderr, flush=True)
    found = heard(chosen, recognizers)
    runs = [
        Run(method, seed, update_s[f"{method} {seed}"], rates(found, f"{method} {seed}"))
        for method in methods
        for seed in seeds
    ]
    clips = {kind: sum(len(each.sentences) for each in groups.values()) for kind, groups in found.items()}
    print(", ".join(f"{kind}: {count} clips" for kind, count in clips.items()))
    print(
        f"WER in %, mean ± deviation over {len(seeds)} seeds; differences ± standard error\n\n{tables(runs, methods)}"
    )
    won = better(runs, (methods[0], methods[-1]))
    print(f"\n{methods[-1]} {'beats' if won else 'does not beat'} {methods[0]}")
    if chosen.json:
        chosen.json.write_text(json.dumps({"command": command, "clips": clips, "runs": [r._asdict() for r in runs]}))
    return 0 if won else 1


if __name__ == "__main__":
    sys.exit(main())
