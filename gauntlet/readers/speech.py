"""Speech: utterances of the corpora that `speech.build` writes, and sound files as waveforms of 16 kHz."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SAMPLE_RATE = 16_000


@dataclass(frozen=True)
class Utterance:
    """One utterance: `waveform` is float32 [T] in [-1, 1] at 16 kHz, `text` normalised, `phonemes` IPA."""

    id: str
    waveform: np.ndarray
    text: str
    domain: str
    split: str
    speaker: str
    phonemes: tuple[str, ...]


@dataclass(frozen=True)
class Corpus:
    """Utterances in the manifest's order."""

    utterances: tuple[Utterance, ...]


def read_corpus(
    folder: Path,
    *,
    domains: Sequence[str] | None = None,
    split: str,
    limit: int | None = None,
    seed: int = 0,
) -> Corpus:
    """Read a split; `limit` utterances of each domain, drawn by `seed`; `domains` None means all."""
    raise NotImplementedError


def read_waveform(source: Path | bytes, *, where: str | None = None) -> np.ndarray:
    """Read a sound file as float32 mono [T] at 16 kHz."""
    raise NotImplementedError
