"""Errors of speech recognition: counts of each utterance, WER and CER, and the mean over domains or corruptions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from gauntlet.errors import ArgumentError
from gauntlet.metrics.intervals import Interval, percentile_interval

ESB_OUT_OF_DOMAIN = (
    "chime4",
    "common_voice",
    "voxpopuli",
    "tedlium",
    "gigaspeech",
    "spgispeech",
    "earnings22",
    "ami",
)
"""The eight sets of the WAPAT paper's ESB score: LibriSpeech, which its recognisers are trained on, is left out."""


@dataclass(frozen=True)
class Errors:
    """What an alignment of least edits finds in each utterance, int64 [N] each.

    Attributes:
        hits: Words of the reference that the hypothesis has.
        substitutions: Words that it has wrong.
        deletions: Words that it lacks.
        insertions: Words that it adds.
    """

    hits: np.ndarray
    substitutions: np.ndarray
    deletions: np.ndarray
    insertions: np.ndarray

    def __len__(self) -> int:
        return len(self.hits)

    @property
    def words(self) -> np.ndarray:
        """Words of each reference; its characters, where characters were counted."""
        return self.hits + self.substitutions + self.deletions

    @property
    def wrong(self) -> np.ndarray:
        """Edits of each utterance."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Edits over words of all utterances together: at least 0, and above 1 where much is inserted."""
        return float(self.wrong.sum() / self.words.sum())

    def take(self, which: np.ndarray) -> Self:
        """Return some of the utterances, by indices or bool [N]."""
        return type(self)(*(part[which] for part in (self.hits, self.substitutions, self.deletions, self.insertions)))


def word_errors(references: Sequence[str], hypotheses: Sequence[str]) -> Errors:
    """Count the word errors of each utterance.

    Args:
        references: What was said, normalised, each of at least one word.
        hypotheses: What was heard, normalised alike; may be empty.

    Returns:
        The counts, in the order of the utterances.

    Raises:
        ArgumentError: No utterance, another number of hypotheses, or a reference without a word.

    Source: Levenshtein's distance by jiwer. Where alignments tie, how edits split into kinds is jiwer's choice.

    >>> word_errors(["the cat sat"], ["the cat sat down"]).rate
    0.3333333333333333
    """
    from jiwer import process_words

    _check(references, hypotheses)
    return _counted(process_words(list(references), list(hypotheses)).alignments)


def character_errors(references: Sequence[str], hypotheses: Sequence[str]) -> Errors:
    """Count the character errors of each utterance; the space between words is a character.

    Args:
        references: What was said, normalised, each of at least one word.
        hypotheses: What was heard, normalised alike; may be empty.

    Returns:
        The counts, in the order of the utterances.

    Raises:
        ArgumentError: As `word_errors`.

    >>> character_errors(["cat"], ["cut"]).rate
    0.3333333333333333
    """
    from jiwer import process_characters

    _check(references, hypotheses)
    return _counted(process_characters(list(references), list(hypotheses)).alignments)


def error_rate(errors: Errors, *, resamples: int, generator: np.random.Generator) -> Interval:
    """Return WER (or CER) with its percentile-bootstrap interval of 95 % over utterances.

    Args:
        errors: At least one utterance.
        resamples: At least 1.
        generator: Draws the utterances.

    Returns:
        Edits over words, both summed over the draw; n counts utterances.

    Raises:
        ArgumentError: Fewer than one resample.

    Source: Bisani and Ney, ICASSP 2004.
    """
    return mean_over({"all": errors}, resamples=resamples, generator=generator)


def mean_over(
    groups: Mapping[str, Errors],
    *,
    resamples: int,
    generator: np.random.Generator,
    units: Mapping[str, Sequence[str]] | None = None,
) -> Interval:
    """Return the mean of the groups' error rates, each group counting alike, with a joint interval of 95 %.

    Args:
        groups: Domains or corruptions by name, at least one.
        resamples: At least 1.
        generator: Draws the utterances.
        units: What is drawn for each group's utterances, such as the sentences: two that share a unit, in one group or
            in two, are drawn together, as the same clips under several corruptions must be. None draws each group's
            utterances by themselves.

    Returns:
        The mean; n counts utterances of all groups.

    Raises:
        ArgumentError: No group, fewer than one resample, or a unit too few or too many.
    """
    if not groups or resamples < 1:
        raise ArgumentError(f"groups and resamples must number at least 1; got {len(groups)} and {resamples}")
    if units is None:
        rates = [_rates(each, _drawn(len(each), resamples, generator)) for each in groups.values()]
    else:
        rates = _rates_together(groups, units, _Draw(resamples, generator))
    value = float(np.mean([each.rate for each in groups.values()]))
    return percentile_interval(value, np.mean(rates, axis=0), n=sum(map(len, groups.values())))


def mean_of_eight(wer: Mapping[str, float]) -> float:
    """Return the WAPAT paper's ESB score: the plain mean of the eight sets that no recogniser was trained on.

    Args:
        wer: Of each set; others than the eight, such as LibriSpeech, are left out.

    Returns:
        The mean, in the unit of the rates.

    Raises:
        ArgumentError: One of the eight is missing.

    Source: WAPAT, Interspeech 2023. Of the paper's printed scores only WAPAT's own equals the mean of its row.
    """
    if lacking := [name for name in ESB_OUT_OF_DOMAIN if name not in wer]:
        raise ArgumentError(f"wer must have the eight sets {', '.join(ESB_OUT_OF_DOMAIN)}; lacks {lacking[0]}")
    return float(np.mean([wer[name] for name in ESB_OUT_OF_DOMAIN]))


@dataclass(frozen=True)
class _Draw:
    resamples: int
    generator: np.random.Generator


def _check(references: Sequence[str], hypotheses: Sequence[str]) -> None:
    if not references or len(references) != len(hypotheses):
        raise ArgumentError(
            f"there must be a hypothesis for each reference, and one at least; "
            f"got {len(hypotheses)} for {len(references)}"
        )
    for place, text in enumerate(references):
        if not text.strip():
            raise ArgumentError(f"a reference must have a word; got {text!r} at {place}; a sound without speech?")


def _counted(alignments: list) -> Errors:
    counts = np.zeros((len(alignments), 4), np.int64)
    kinds = {"equal": 0, "substitute": 1, "delete": 2, "insert": 3}
    for row, chunks in zip(counts, alignments, strict=True):
        for chunk in chunks:
            read, heard = chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx
            row[kinds[chunk.type]] += max(read, heard)
    return Errors(*counts.T)


def _drawn(count: int, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """Return how often each of `count` units is drawn, R x count."""
    return generator.multinomial(count, np.full(count, 1 / count), size=resamples)


def _rates(errors: Errors, weights: np.ndarray) -> np.ndarray:
    """Return the rate on each resample, [R]; NaN where it drew no word of this group."""
    words = (weights @ errors.words).astype(float)
    return weights @ errors.wrong / np.where(words > 0, words, np.nan)


def _rates_together(groups: Mapping[str, Errors], units: Mapping[str, Sequence[str]], draw: _Draw) -> list[np.ndarray]:
    for name, errors in groups.items():
        if len(units[name]) != len(errors):
            raise ArgumentError(f"{name} must have a unit for each utterance; got {len(units[name])}, {len(errors)}")
    names = {unit: place for place, unit in enumerate(dict.fromkeys(u for name in groups for u in units[name]))}
    weights = _drawn(len(names), draw.resamples, draw.generator)
    return [_rates(errors, weights[:, [names[unit] for unit in units[name]]]) for name, errors in groups.items()]
