"""Synthetic speech and phonemes by espeak-ng, in many voices and accents, the same samples each time."""

from typing import NamedTuple

import numpy as np


class Spoken(NamedTuple):
    """What a voice said: float32 [T] in [-1, 1] at `sample_rate`, and its phonemes in IPA."""

    waveform: np.ndarray
    sample_rate: int
    phonemes: tuple[str, ...]


def voices() -> list[str]:
    """List the voices' identifiers."""
    raise NotImplementedError


def phonemes(text: str, *, voice: str = "en-us") -> tuple[str, ...]:
    """Return the phonemes of a text."""
    raise NotImplementedError


def speak(text: str, *, voice: str = "en-us", rate_wpm: int = 165, pitch: int = 50, sample_rate: int = 22050) -> Spoken:
    """Say a text; `sample_rate` 16000 has it resampled."""
    raise NotImplementedError
