"""What several recognisers hear in the same clips: a shared front runs once, each body after it; PGD on both."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from gauntlet.attacks.features import feature_pgd, feature_scale, snr_db, waveform_pgd
from gauntlet.models.ctc import equal_fronts
from gauntlet.models.recognizer import Features, Recognizer, Transcriber
from gauntlet.resampling import SAMPLE_RATE_HZ
from gauntlet.waveforms import Waveforms, padded


class Clip(Protocol):
    """What is played: the utterance's id, float32 [T] at 16 kHz, and the text said in it."""

    id: str
    waveform: np.ndarray
    text: str


@dataclass(frozen=True)
class Heard:
    """What was said, and what each recogniser made of it, clip by clip.

    Attributes:
        sentences: Texts; clips that share one are drawn together in a bootstrap.
        references: By recogniser: the texts, or the phonemes for one that writes phonemes.
        hypotheses: By recogniser.
        snr_db: By recogniser, of waveforms under attack.
        left_out: Clips that were not attacked, because CTC cannot write their texts: too few frames, an unknown symbol.
    """

    sentences: list[str] = field(default_factory=list)
    references: dict[str, list[str]] = field(default_factory=dict)
    hypotheses: dict[str, list[str]] = field(default_factory=dict)
    snr_db: dict[str, list[float]] = field(default_factory=dict)
    left_out: int = 0

    def __add__(self, other: "Heard") -> "Heard":
        return Heard(
            self.sentences + other.sentences,
            _joined(self.references, other.references),
            _joined(self.hypotheses, other.hypotheses),
            _joined(self.snr_db, other.snr_db),
            self.left_out + other.left_out,
        )


def _joined(one: Mapping[str, list], other: Mapping[str, list]) -> dict[str, list]:
    return {name: one.get(name, []) + other.get(name, []) for name in {**one, **other}}


@dataclass(frozen=True)
class Radius:
    """A radius, in whatever unit the attack takes, and the steps to reach it."""

    eps: float
    steps: int

    @property
    def alpha(self) -> float:
        """A step: all of them together could cross the ball and a quarter more (Madry et al., 2018)."""
        return 2.5 * self.eps / self.steps


class Ears:
    """Recognisers in evaluation mode, those with equal fronts together.

    Args:
        recognizers: By name, at least one.
        phonemes: What those that write phonemes should write, by the utterance's id, spaces between.
        batch_s: Seconds of sound at a time, padding included.
        device: Where the recognisers are.
        precision: "float32", or "bfloat16" for all their passes through autocast.
    """

    def __init__(
        self,
        recognizers: Mapping[str, Recognizer],
        *,
        phonemes: Mapping[str, str],
        batch_s: float,
        device: str,
        precision: str = "float32",
    ) -> None:
        self.recognizers = dict(recognizers)
        self.phonemes, self.batch_s, self.device, self.precision = phonemes, batch_s, device, precision
        self.fronts: list[list[str]] = []
        for name, recognizer in self.recognizers.items():
            alike = [names for names in self.fronts if equal_fronts(self.recognizers[names[0]], recognizer)]
            if alike:
                alike[0].append(name)
            else:
                self.fronts.append([name])

    def hear(self, clips: Sequence[Clip]) -> Heard:
        """Transcribe clips as they are."""
        heard = Heard()
        for batch in batches(clips, batch_s=self.batch_s):
            written: dict[str, list[str]] = {}
            with torch.inference_mode(), self._lowered():
                for names, features in self._features(*joined(batch, device=self.device)):
                    written |= {name: self._read(name, features) for name in names}
            heard += self._heard(batch, written)
        return heard

    def under_feature_pgd(self, clips: Sequence[Clip], radius: Radius, *, seed: int) -> Heard:
        """Transcribe one batch of clips whose features are attacked, with eps in deviations of the features."""
        clips, left_out = self._that_fit(clips)
        if not clips:
            return Heard(left_out=left_out)
        written = {}
        with self._lowered():
            for names, features in self._features(*joined(clips, device=self.device)):
                scale = feature_scale(features)
                for name in names:
                    delta = feature_pgd(
                        self.recognizers[name],
                        features,
                        self.said(name, clips),
                        eps=radius.eps * scale,
                        alpha=radius.alpha * scale,
                        steps=radius.steps,
                        generator=torch.Generator().manual_seed(seed),
                    )
                    written[name] = self._read(name, features.of(features.values + delta))
        return self._heard(clips, written) + Heard(left_out=left_out)

    def under_waveform_pgd(self, clips: Sequence[Clip], radius: Radius, *, seed: int) -> Heard:
        """Transcribe one batch of clips that are attacked themselves, with eps on [-1, 1]."""
        clips, left_out = self._that_fit(clips)
        if not clips:
            return Heard(left_out=left_out)
        written, ratios = {}, {}
        waveform, lengths = joined(clips, device=self.device)
        for name, recognizer in self.recognizers.items():
            with self._lowered():
                delta = waveform_pgd(
                    recognizer,
                    waveform,
                    lengths,
                    texts=self.said(name, clips),
                    eps=radius.eps,
                    alpha=radius.alpha,
                    steps=radius.steps,
                    generator=torch.Generator().manual_seed(seed),
                )
                written[name] = recognizer.transcribe(waveform + delta, lengths)
            ratios[name] = snr_db(waveform, waveform + delta).tolist()
        return self._heard(clips, written) + Heard(snr_db=ratios, left_out=left_out)

    def said(self, name: str, clips: Sequence[Clip]) -> list[str]:
        """Return what a recogniser should write."""
        if self.recognizers[name].alphabet.by_letter:
            return [clip.text for clip in clips]
        return [self.phonemes[clip.id] for clip in clips]

    def _heard(self, clips: Sequence[Clip], written: dict[str, list[str]]) -> Heard:
        return Heard([clip.text for clip in clips], {name: self.said(name, clips) for name in written}, written)

    def _lowered(self) -> torch.autocast:
        kind = torch.device(self.device).type
        return torch.autocast(kind, torch.bfloat16, enabled=self.precision == "bfloat16")

    def _features(self, waveform: Tensor, lengths: Tensor) -> Iterator[tuple[list[str], Features]]:
        for names in self.fronts:
            with torch.no_grad():
                features = self.recognizers[names[0]].features(waveform, lengths)
            yield names, features.of(features.values.float())

    @torch.no_grad()
    def _read(self, name: str, features: Features) -> list[str]:
        recognizer = self.recognizers[name]
        return recognizer.text_from(recognizer.from_features(features), features.frames)

    def _that_fit(self, clips: Sequence[Clip]) -> tuple[list[Clip], int]:
        """Return the clips whose texts all recognisers could write, and the number of the others."""
        kept = [clip for clip in clips if all(self._knows(name, clip) for name in self.recognizers)]
        if kept:
            fit = torch.ones(len(kept), dtype=torch.bool)
            for names, features in self._features(*joined(kept, device=self.device)):
                for name in names:
                    fit &= self.recognizers[name].fits(self.said(name, kept), features.frames).cpu()
            kept = [clip for clip, fits in zip(kept, fit.tolist(), strict=True) if fits]
        return kept, len(clips) - len(kept)

    def _knows(self, name: str, clip: Clip) -> bool:
        """Say whether a recogniser has every symbol of a clip: a phoneme of a test voice may be in no training line."""
        alphabet, (text,) = self.recognizers[name].alphabet, self.said(name, [clip])
        parts = text if alphabet.by_letter else text.split()
        return bool(parts) and set(alphabet.symbols).issuperset(parts)


def heard_by(name: str, transcriber: Transcriber, clips: Sequence[Clip], *, batch_s: float, device: str) -> Heard:
    """Transcribe clips with a recogniser that has no front of its own."""
    heard = Heard()
    for batch in batches(clips, batch_s=batch_s):
        texts = [clip.text for clip in batch]
        heard += Heard(texts, {name: texts}, {name: transcriber.transcribe(*joined(batch, device=device))})
    return heard


def batches(clips: Sequence[Clip], *, batch_s: float) -> list[list[Clip]]:
    """Sort clips by length and cut them into batches of at most so many seconds with padding, one clip at least."""
    found: list[list[Clip]] = []
    for clip in sorted(clips, key=lambda clip: (len(clip.waveform), clip.id)):
        if found and len(clip.waveform) * (len(found[-1]) + 1) <= batch_s * SAMPLE_RATE_HZ:
            found[-1].append(clip)
        else:
            found.append([clip])
    return found


def joined(clips: Sequence[Clip], *, device: str) -> Waveforms:
    """Put clips side by side on the device."""
    return padded([torch.from_numpy(np.ascontiguousarray(clip.waveform, np.float32)).to(device) for clip in clips])
