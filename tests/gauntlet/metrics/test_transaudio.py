"""What counts as heard, against the alignments of jiwer, and the ratio of signal to noise in closed form."""

import jiwer
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gauntlet.errors import ArgumentError
from gauntlet.metrics.transaudio import MOST_DB, _distance, heard, snr_db

SAID = "press one now please"


@pytest.mark.parametrize(
    ("target", "hypothesis", "word", "exact"),
    [
        ("press now please", "press now please", True, True),
        ("press now please", "dress now please", True, False),
        ("press now please", "press won now please", False, False),
        ("press now please", SAID, False, False),
        ("press now please", "", False, False),
        ("press one not now please", "press one not now please", True, True),
        ("press one not now please", "press not now please", True, False),
        ("press one not now please", "press one knot now please", False, False),
        ("press one not now please", "not press one now please", False, False),
        ("press two now please", "press two now please", True, True),
        ("press two now please", "press two now fleas", True, False),
        ("press two now please", "press too now please", False, False),
        ("press two now please", "press now please two", False, False),
    ],
)
def test_an_edit_is_heard_in_its_slot_alone(target, hypothesis, word, exact):
    assert heard(SAID, target, hypothesis=hypothesis) == (word, exact)


@settings(deadline=None)
@given(*(st.lists(st.sampled_from("abc"), min_size=1, max_size=6) for _ in range(2)))
def test_the_distance_is_jiwers(one, two):
    found = jiwer.process_words(" ".join(one), " ".join(two))
    assert _distance(one, two) == found.substitutions + found.deletions + found.insertions


def test_texts_further_apart_are_refused():
    with pytest.raises(ArgumentError, match="one word away"):
        heard(SAID, "press now", hypothesis=SAID)


def test_the_ratio_is_exact():
    clean = np.float32([0.5, -0.5, 0.5, -0.5])
    assert snr_db(clean, clean * np.float32(1.125)) == pytest.approx(20 * np.log10(8))
    assert snr_db(clean, clean) == MOST_DB


def test_no_ratio_without_signal_or_of_unequal_lengths():
    with pytest.raises(ArgumentError, match="silent"):
        snr_db(np.zeros(3), np.ones(3))
    with pytest.raises(ArgumentError, match="one length"):
        snr_db(np.zeros(3), np.ones(4))
