"""From what victims heard to how often an edit reaches them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gauntlet.metrics.intervals import Interval, mean_interval, wilson
from gauntlet.metrics.recognition import character_errors, error_rate
from gauntlet.metrics.transaudio import Heard, heard
from stages.transaudio.clips import Record

NOTHING_KNOWN = Interval(0.0, 0.0, 1.0, 0)
"""The rate of a victim that has no clip to be misled on."""


@dataclass(frozen=True)
class Table:
    """What each victim heard in one setting: texts by victim and by version of the clip, in the records' order."""

    setting: str
    records: Sequence[Record]
    texts: Mapping[str, Mapping[str, Sequence[str]]]

    def places(self, kind: str) -> list[int]:
        """Return the records of a kind."""
        return [place for place, each in enumerate(self.records) if each.kind == kind]

    @property
    def kinds(self) -> list[str]:
        """The kinds of edits, in the records' order."""
        return list(dict.fromkeys(each.kind for each in self.records))

    def outcome(self, place: int, victim: str, made: str) -> Heard:
        """Say what a victim heard of the edit in a version of a clip."""
        record = self.records[place]
        return heard(record.text, record.target_text, hypothesis=self.texts[victim][made][place])

    def open(self, kind: str, victim: str) -> list[int]:
        """Return the records in which the victim does not hear the edit before the attack."""
        return [place for place in self.places(kind) if not self.outcome(place, victim, "clean").word]


def success(table: Table, kind: str, victim: str, *, made: str, resamples: int, seed: int) -> dict[str, Interval]:
    """Return how often a victim hears an edit, and the target, in clips where it did not before; and CER to it."""
    outcomes = [table.outcome(place, victim, made) for place in table.open(kind, victim)]
    places = table.places(kind)
    targets = [table.records[place].target_text for place in places]
    errors = character_errors(targets, [table.texts[victim][made][place] for place in places])
    return {
        "word": _rate([each.word for each in outcomes]),
        "exact": _rate([each.exact for each in outcomes]),
        "cer_to_target": error_rate(errors, resamples=resamples, generator=np.random.default_rng(seed)),
    }


def _rate(outcomes: Sequence[bool]) -> Interval:
    return wilson(sum(outcomes), len(outcomes)) if outcomes else NOTHING_KNOWN


def transfer(table: Table, unseen: Sequence[str], *, resamples: int, seed: int) -> Interval:
    """Return the mean over clips of the share of unseen victims that hear the edit, of those that did not before."""
    shares = []
    for place in range(len(table.records)):
        fresh = [victim for victim in unseen if not table.outcome(place, victim, "clean").word]
        if fresh:
            shares.append(np.mean([table.outcome(place, victim, "attacked").word for victim in fresh]))
    if not shares:
        return NOTHING_KNOWN
    return mean_interval(np.array(shares)[:, None], resamples=resamples, generator=np.random.default_rng(seed))[0]
