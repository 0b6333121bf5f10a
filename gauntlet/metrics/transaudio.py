"""What an attack on one word has reached: is the edit heard, is the whole target, and how loud is the change."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gauntlet.errors import ArgumentError

MOST_DB = 100.0
"""What stands for the SNR of no change at all, which has none."""


class Heard(NamedTuple):
    """Whether a hypothesis holds the edit at its place (`word`), and whether it is the target to the word (`exact`)."""

    word: bool
    exact: bool


def heard(reference: str, target: str, *, hypothesis: str) -> Heard:
    """Say whether a hypothesis holds the edit that makes the target of the reference.

    An inserted word or a replacement is heard where every best alignment with the target, by edits of whole words,
    has it in its slot. A deletion is heard where a best alignment with the reference leaves the word's slot empty, and
    not filled by another word, while a word beside it is heard: in silence nothing was deleted. Other mistakes count
    on neither side.

    Args:
        reference: What was said.
        target: What should be heard: the reference with one word deleted, inserted or substituted.
        hypothesis: What was heard; all normalised.

    Raises:
        ArgumentError: The texts are not one word apart.

    Source: TransAudio's definitions of success, as far as its code shows them; its scorer is not released. Deletion
    is stricter here: a word that is merely garbled has not gone.

    >>> heard("press one now", "press now", hypothesis="press won now")
    Heard(word=False, exact=False)
    """
    said, wanted, found = reference.split(), target.split(), hypothesis.split()
    if _distance(said, wanted) != 1:
        raise ArgumentError(f"target must be one word away from the reference; got {target!r} for {reference!r}")
    pairs = zip(said, wanted, strict=False)
    place = next((at for at, (one, two) in enumerate(pairs) if one != two), min(len(said), len(wanted)))
    if len(wanted) >= len(said):
        return Heard(_holds(found, wanted, place), found == wanted)
    gone = _distance(found, wanted) < _distance(found, said)
    beside = any(_holds(found, wanted, at) for at in (place - 1, place) if 0 <= at < len(wanted))
    return Heard(gone and beside, found == wanted)


def _holds(found: list[str], words: list[str], place: int) -> bool:
    """Say whether every best alignment matches the word at a place: without it the texts would be further apart."""
    return _distance(found, words) < _distance(found, [*words[:place], "", *words[place + 1 :]])


def _distance(one: Sequence[str], two: Sequence[str]) -> int:
    row = list(range(len(two) + 1))
    for count, word in enumerate(one, 1):
        before, row[0] = row[0], count
        for place, other in enumerate(two, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (word != other))
    return row[-1]


def snr_db(clean: np.ndarray, attacked: np.ndarray) -> float:
    """Return the signal-to-noise ratio of an attacked waveform.

    Args:
        clean: float [T].
        attacked: float [T].

    Returns:
        10 log10(|clean|^2 / |attacked - clean|^2), at most MOST_DB.

    Raises:
        ArgumentError: Unequal shapes, or silence for the clean waveform.
    """
    if clean.shape != attacked.shape:
        raise ArgumentError(f"both waveforms must be of one length; got {clean.shape} and {attacked.shape}; inserted?")
    signal = float(np.square(clean, dtype=np.float64).sum())
    noise = float(np.square(attacked.astype(np.float64) - clean).sum())
    if not signal:
        raise ArgumentError("the clean waveform must not be silent: no ratio can be taken")
    return min(MOST_DB, 10 * float(np.log10(signal / noise))) if noise else MOST_DB
