"""Recognisers of tones: two that are trained, and a voice that says their words."""

import numpy as np
import pytest

from tests.gauntlet.tiny_ctc import TinyCtc, spoken, trained_tiny_ctc


@pytest.fixture(scope="session")
def tones() -> TinyCtc:
    """Return the recogniser that is attacked."""
    return trained_tiny_ctc()


@pytest.fixture(scope="session")
def others() -> list[TinyCtc]:
    """Return recognisers of other weights: a second surrogate, and a victim that no attack sees."""
    return [trained_tiny_ctc(updates=120, seed=seed) for seed in (1, 2)]


def speak(word: str) -> np.ndarray:
    """Say a word in tones."""
    return spoken([word])[0][0].numpy()
