"""Error rates with their intervals from what was heard, group by group."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import NamedTuple

import numpy as np

from gauntlet.errors import DataError
from gauntlet.metrics.recognition import Errors, character_errors, error_rate, mean_over, word_errors
from gauntlet.transcripts import NORMALIZER
from stages.wapat.hearing import Heard


class Group(NamedTuple):
    """Clips that have one rate.

    Attributes:
        kind: "domain", "reference", "corruption", "feature_pgd" or "waveform_pgd".
        name: Of the domain or shift.
        place: The severity, or the attack's place in the parameters.
    """

    kind: str
    name: str
    place: int = 0


class Rates:
    """Rates of several recognisers; all intervals are from the same draws, so that recognisers compare.

    Args:
        heard: What they made of each group.
        seed: Of the bootstrap.
        resamples: Of the bootstrap.
    """

    def __init__(self, heard: Mapping[Group, Heard], *, seed: int, resamples: int) -> None:
        self.heard, self.seed, self.resamples = heard, seed, resamples

    def results(
        self, name: str, *, seen: Mapping[str, bool], clean: Sequence[str], kind: str = "domain"
    ) -> dict[str, object]:
        """Return a recogniser's rates but for the attacks.

        Args:
            name: The recogniser.
            seen: The domains, and whether the training speech is from them too.
            clean: The domains whose speech counts as clean.
            kind: Of the groups: "domain", or "reference" for one that heard the domains alone.

        Returns:
            clean, domains, mean_of_domains, corruptions, mean_of_corruptions and what they depend on. The mean of the
            domains is over those unseen in training; over all where none is.
        """
        domains = {domain: Group(kind, domain) for domain in seen}
        unseen = [domain for domain in seen if not seen[domain]] or list(seen)
        corruptions = sorted(group for group in self.heard if group.kind == "corruption" and kind == "domain")
        tables: dict[str, dict[str, dict]] = {group.name: {} for group in corruptions}
        for group in corruptions:
            tables[group.name][str(group.place)] = self._rate(self._errors(name, group))
        return {
            "clean": self._clean(name, [domains[domain] for domain in clean]),
            "domains": {domain: self._rate(self._errors(name, group)) for domain, group in domains.items()},
            "mean_of_domains": self._mean(name, [domains[domain] for domain in unseen]),
            "corruptions": tables,
            "mean_of_corruptions": self._mean(name, corruptions) if corruptions else None,
            "normalizer": NORMALIZER,
            "per_domain_seen": dict(seen),
        }

    def attack(self, name: str, group: Group) -> dict[str, object]:
        """Return a recogniser's rate under an attack, on waveforms the mean SNR too, and how many were left out.

        Raises:
            DataError: All were.
        """
        heard = self.heard[group]
        if not heard.sentences:
            raise DataError(f"some text under attack must be one that CTC can write; none of {heard.left_out} is")
        ratios = [ratio for ratio in heard.snr_db.get(name, []) if math.isfinite(ratio)]
        snr = {"snr_db": float(np.mean(ratios)) if ratios else None} if group.kind == "waveform_pgd" else {}
        return {"wer": self._rate(self._errors(name, group)), "left_out": heard.left_out} | snr

    def _errors(self, name: str, group: Group) -> Errors:
        heard = self.heard[group]
        return word_errors(heard.references[name], heard.hypotheses[name])

    def _rate(self, errors: Errors) -> dict[str, float]:
        return asdict(error_rate(errors, resamples=self.resamples, generator=self._dice()))

    def _clean(self, name: str, groups: Sequence[Group]) -> dict[str, dict]:
        pooled = sum((self.heard[group] for group in groups), Heard())
        texts = pooled.references[name], pooled.hypotheses[name]
        return {"wer": self._rate(word_errors(*texts)), "cer": self._rate(character_errors(*texts))}

    def _mean(self, name: str, groups: Sequence[Group]) -> dict[str, float]:
        found = mean_over(
            {str(group): self._errors(name, group) for group in groups},
            resamples=self.resamples,
            generator=self._dice(),
            units={str(group): self.heard[group].sentences for group in groups},
        )
        return asdict(found)

    def _dice(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)
