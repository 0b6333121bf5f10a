"""Which utterances are attacked: those that the first surrogate hears best, so that an edit shows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from gauntlet.attacks.transaudio import EDITS, Edit, Setting, Start, begin
from gauntlet.attacks.transaudio.start import Speak
from gauntlet.errors import ArgumentError
from gauntlet.metrics.recognition import character_errors
from gauntlet.models.recognizer import Recognizer
from gauntlet.readers.speech import Utterance
from gauntlet.resampling import SAMPLE_RATE_HZ
from gauntlet.waveforms import Waveforms, padded
from stages.machine import machine


@dataclass(frozen=True)
class Candidate:
    """An utterance and what is to be heard in it."""

    utterance: Utterance
    edit: Edit


@dataclass(frozen=True)
class Chosen:
    """Candidates by kind of edit, and how many utterances were left out, by kind and reason."""

    candidates: Mapping[str, Sequence[Candidate]]
    left_out: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Choice:
    """How to choose.

    Attributes:
        kinds: Of edits.
        count: Utterances a kind.
        longest_s: Longer ones are left out.
        words: What `insert` and `substitute` put in: their keyword arguments by kind.
        batch: Utterances at a time.
    """

    kinds: Sequence[str]
    count: int
    longest_s: float
    words: Mapping[str, Mapping[str, object]]
    batch: int


def waveforms(utterances: Sequence[Utterance]) -> Waveforms:
    """Return utterances on the device, zero-padded."""
    return padded([torch.from_numpy(each.waveform).to(machine().device) for each in utterances])


def started(surrogate: Recognizer, candidates: Sequence[Candidate], *, speak: Speak, setting: Setting) -> Start:
    """Find where the attack on each starts from."""
    return begin(
        surrogate,
        waveforms([each.utterance for each in candidates]),
        texts=[each.utterance.text for each in candidates],
        edits=[each.edit for each in candidates],
        speak=speak,
        setting=setting,
    )


def chosen(
    surrogate: Recognizer, utterances: Sequence[Utterance], *, choice: Choice, speak: Speak, setting: Setting
) -> Chosen:
    """Choose utterances for each kind of edit, the best heard first.

    Args:
        surrogate: The first one.
        utterances: To choose from.
        choice: How.
        speak: Says a word.
        setting: Any of the attack's.
    """
    short = [each for each in utterances if len(each.waveform) <= choice.longest_s * SAMPLE_RATE_HZ]
    ranked = _ranked(surrogate, short, batch=choice.batch)
    counts = Counter(
        {"too long": len(utterances) - len(short), "text longer than its frames": len(short) - len(ranked)}
    )
    found, left_out = {}, {}
    for kind in choice.kinds:
        reasons, kept = counts.copy(), []
        edited = _edited(ranked, kind, words=choice.words.get(kind, {}))
        reasons["no word to edit"] += len(ranked) - len(edited)
        while edited and len(kept) < choice.count:
            some, edited = edited[: choice.count - len(kept)], edited[choice.count - len(kept) :]
            fits = started(surrogate, some, speak=speak, setting=setting).fits.tolist()
            kept += [each for each, fit in zip(some, fits, strict=True) if fit]
            reasons["target longer than its frames"] += fits.count(False)
        found[kind] = kept
        left_out[kind] = {reason: count for reason, count in sorted(reasons.items()) if count}
    return Chosen(found, left_out)


def _ranked(surrogate: Recognizer, utterances: Sequence[Utterance], *, batch: int) -> list[Utterance]:
    """Return utterances by the share of characters that is misheard; without those that no path could write."""
    rows = []
    for place in range(0, len(utterances), batch):
        some = utterances[place : place + batch]
        texts = [each.text for each in some]
        with torch.no_grad():
            features = surrogate.features(*waveforms(some))
            heard = surrogate.text_from(surrogate.from_features(features), features.frames)
        errors = character_errors(texts, heard)
        fits = surrogate.fits(texts, features.frames).tolist()
        rates = (errors.wrong / errors.words).tolist()
        rows += [(rate, each.id, each) for rate, fit, each in zip(rates, fits, some, strict=True) if fit]
    return [each for _, _, each in sorted(rows, key=lambda row: row[:2])]


def _edited(utterances: Sequence[Utterance], kind: str, *, words: Mapping[str, object]) -> list[Candidate]:
    """Edit transcripts; one in which the rule finds nothing to edit is passed over."""
    found = []
    for each in utterances:
        if len(each.text.split()) > 1:
            try:
                found.append(Candidate(each, EDITS[kind](each.text, **words)))
            except ArgumentError:
                continue
    return found
