"""Where the attack starts from: the place of the edit, and the clip that goes there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gauntlet.attacks.transaudio.alignment import Span, linear_spans, word_spans
from gauntlet.attacks.transaudio.edits import Edit
from gauntlet.attacks.transaudio.setting import Setting
from gauntlet.attacks.transaudio.splice import fitted, high_passed, levelled, trimmed
from gauntlet.errors import ArgumentError
from gauntlet.models.recognizer import Recognizer
from gauntlet.waveforms import Waveforms, padded

LEAST_CLIP = 1600
"""Samples of the shortest clip: a recogniser's front end hears nothing in less than a few frames."""

Speak = Callable[[str], np.ndarray]
"""Says a word: float32 [T] at 16 kHz."""


@dataclass(frozen=True)
class Start:
    """Utterances, their edits, and the clips before any attack.

    Attributes:
        utterances: As they were said.
        edits: One each.
        clips: The word's own samples (delete), or the spoken word, levelled (insert, substitute).
        begins: int64 [B], samples.
        ends: int64 [B], samples; equal to begins where the clip is inserted.
        fits: bool [B]: whether the first surrogate has frames enough to write the target, and the word on its clip.
    """

    utterances: Waveforms
    edits: Sequence[Edit]
    clips: Waveforms
    begins: Tensor
    ends: Tensor
    fits: Tensor

    def rows(self, rows: Tensor) -> "Start":
        """Return some of the utterances, in that order."""
        utterances, clips = (Waveforms(w[rows], n[rows]) for w, n in (self.utterances, self.clips))
        edits = [self.edits[row] for row in rows.tolist()]
        return Start(utterances, edits, clips, self.begins[rows], self.ends[rows], self.fits[rows])


def begin(
    surrogate: Recognizer,
    utterances: Waveforms,
    *,
    texts: Sequence[str],
    edits: Sequence[Edit],
    speak: Speak,
    setting: Setting,
) -> Start:
    """Find where each edit belongs and make the clip to begin with.

    Args:
        surrogate: The first one: writes letters by CTC, and tells when each word is said.
        utterances: float32 B x T in [-1, 1].
        texts: Their transcripts, normalised.
        edits: One an utterance, of any kind.
        speak: Says a word.
        setting: Its high passes and time rule count.

    Returns:
        The start. An utterance that fits not may be dropped by `Start.rows`.

    Raises:
        ArgumentError: A transcript that does not fit its utterance; a waveform outside [-1, 1]; a word that the voice
            is silent on.
    """
    if not utterances.waveform.abs().max() <= 1:
        raise ArgumentError("waveforms must lie in [-1, 1] and be numbers; got others; 16-bit integers?")
    spans = linear_spans(utterances.lengths, texts) if setting.release.linear_time else None
    spans = spans or word_spans(surrogate, *utterances, texts=texts)
    places, clips = [], []
    rows = zip(*utterances, edits, spans, strict=True)
    for waveform, length, edit, words in rows:
        waveform = waveform[: int(length)]
        place = _place(edit, words, len(waveform))
        places.append(place)
        clips.append(_clip(waveform, edit, place, speak=speak, setting=setting))
    begins, ends = torch.tensor(places, device=utterances.waveform.device).unbind(1)
    joined = padded(clips)
    return Start(utterances, edits, joined, begins, ends, _fits(surrogate, utterances, clips=joined, edits=edits))


def _place(edit: Edit, words: list[Span], samples: int) -> Span:
    if edit.kind != "insert":
        begin, end = words[edit.position]
        short = max(0, min(LEAST_CLIP, samples) - (end - begin))
        begin = max(0, min(begin - short // 2, samples - (end - begin) - short))
        return Span(begin, max(end, begin + min(LEAST_CLIP, samples)))
    before = words[edit.position - 1].end if edit.position else words[0].begin
    after = words[edit.position].begin if edit.position < len(words) else before
    middle = (before + after) // 2
    return Span(middle, middle)


def _clip(waveform: Tensor, edit: Edit, place: Span, *, speak: Speak, setting: Setting) -> Tensor:
    if edit.kind == "delete":
        return waveform[place.begin : place.end]
    spoken = trimmed(torch.as_tensor(speak(edit.word), dtype=waveform.dtype, device=waveform.device))
    size = max(LEAST_CLIP, len(spoken)) if edit.kind == "insert" else place.end - place.begin
    return levelled(high_passed(fitted(spoken, size), cutoff_hz=setting.high_pass_hz[edit.kind]), waveform)


def _fits(surrogate: Recognizer, utterances: Waveforms, *, clips: Waveforms, edits: Sequence[Edit]) -> Tensor:
    """Say which targets CTC can write; an insertion is written on the utterance without its clip at the least."""
    with torch.no_grad():
        whole = surrogate.fits([edit.target_text for edit in edits], surrogate.features(*utterances).frames)
        alone = surrogate.fits([edit.word for edit in edits], surrogate.features(*clips).frames)
    deleted = torch.tensor([edit.kind == "delete" for edit in edits])
    return whole.cpu() & (alone.cpu() | deleted)
