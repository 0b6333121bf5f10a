"""Measure the word error rate of the converted Whisper on the human test prompts, and PocketSphinx beside it.

Run as `python benchmarks/whisper_wer.py [--utterances 60]` once `speech-build` and `speech-convert` are done; prints
one Markdown table and ends with 1 if Whisper misses its target, 5 %. Whisper hears its 30 s twice: with most of the
silence after an utterance thinned out, as the stages use it, and whole, as it was trained. PocketSphinx has its general
language model, or one of the train sentences and their words. Processor time, one core; intervals of 95 % by bootstrap
over utterances.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from gauntlet.bigrams import arpa
from gauntlet.metrics.recognition import error_rate, word_errors
from gauntlet.models.black_box import BlackBox, Domain, PocketSphinx
from gauntlet.readers.pronunciations import read_pronunciations
from gauntlet.readers.recognizers import read_whisper
from gauntlet.readers.speech import Utterance, read_corpus

ROOT = Path(__file__).resolve().parent.parent
TARGET = 0.05
BATCH = 8


def domain(folder: Path, corpora: Path) -> Domain:
    """Write what PocketSphinx is told of the train split."""
    texts = sorted({one.text for one in read_corpus(corpora, split="train").utterances})
    told = Domain(folder / "train.arpa", folder / "train.dict")
    told.dictionary.write_text(read_pronunciations({word for text in texts for word in text.split()}))
    known = {line.partition(" ")[0] for line in told.dictionary.read_text().splitlines()}
    told.language_model.write_text(arpa(text for text in texts if known.issuperset(text.split())))
    return told


def transcribe(recognizer: BlackBox, utterances: list[Utterance]) -> tuple[list[str], float]:
    """Return what a recogniser hears, and the processor seconds it takes."""
    begun, texts = time.process_time(), []
    for first in range(0, len(utterances), BATCH):
        rows = [torch.from_numpy(one.waveform) for one in utterances[first : first + BATCH]]
        lengths = torch.tensor([len(row) for row in rows])
        texts += recognizer.transcribe(torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), lengths)
    return texts, time.process_time() - begun


def measure(name: str, recognizer: BlackBox, utterances: list[Utterance]) -> float:
    """Print a row of the table; return the word error rate."""
    texts, seconds = transcribe(recognizer, utterances)
    errors = word_errors([one.text for one in utterances], texts)
    wer = error_rate(errors, resamples=1000, generator=np.random.default_rng(0))
    spoken_s = sum(len(one.waveform) for one in utterances) / 16_000
    shown = f"{wer.value:.1%} | {wer.low:.1%} to {wer.high:.1%} | {wer.n}"
    print(f"| {name} | {shown} | {seconds / len(utterances):.2f} | {spoken_s / seconds:.1f} |", flush=True)
    return wer.value


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=60)
    parser.add_argument("--corpora", type=Path, default=ROOT / "data/built/speech")
    parser.add_argument("--whisper", type=Path, default=ROOT / "data/models/whisper_tiny_en")
    options = parser.parse_args()
    torch.set_num_threads(1)
    corpus = read_corpus(options.corpora, domains=["prompts"], split="test", limit=options.utterances)
    utterances = sorted(corpus.utterances, key=lambda one: len(one.waveform))
    print("| recogniser | WER | interval | utterances | s an utterance | x real time |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        rows: dict[str, Callable[[], BlackBox]] = {
            "Whisper tiny.en, silence thinned": lambda: read_whisper(options.whisper),
            "Whisper tiny.en, all 30 s": lambda: read_whisper(options.whisper, stride=1),
            "PocketSphinx, general": PocketSphinx,
            "PocketSphinx, train sentences": lambda: PocketSphinx(domain(Path(folder), options.corpora)),
        }
        wers = {name: measure(name, build(), utterances) for name, build in rows.items()}
    sys.exit(max(wer for name, wer in wers.items() if name.startswith("Whisper")) > TARGET)


if __name__ == "__main__":
    main()
