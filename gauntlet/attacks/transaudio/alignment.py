"""Forced alignment: when each word of a known transcript is said, by the likeliest path of a CTC recogniser."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from gauntlet.errors import ArgumentError
from gauntlet.models.recognizer import Recognizer

BLANK = 0
MARGIN_FRAMES = 4
"""Most frames that a word reaches beyond its outer letters: CTC marks a letter for a frame or two of its sound."""


class Span(NamedTuple):
    """A stretch of an utterance in samples: [begin, end)."""

    begin: int
    end: int


class Spikes(NamedTuple):
    """The frames of each symbol: first and last are int64 B x N; what lies beyond a text's symbols means nothing."""

    first: Tensor
    last: Tensor


def align(log_probs: Tensor, frames: Tensor, *, targets: Tensor, sizes: Tensor) -> Spikes:
    """Find the likeliest CTC path that writes each text.

    Args:
        log_probs: B x F x C; class 0 is the blank.
        frames: int64 [B], in 1..F.
        targets: int64 B x N, classes, padded with anything.
        sizes: int64 [B], symbols of each text, in 1..N.

    Returns:
        The frames of each symbol.

    Raises:
        ArgumentError: A text needs more frames than its utterance has.

    Source: Viterbi over the states of Graves et al., ICML 2006, section 4.1, all utterances at once.
    """
    labels, skips = _states(targets.to(log_probs.device))
    frames, sizes = frames.to(log_probs.device), sizes.to(log_probs.device)
    emitted = log_probs.detach().gather(2, labels[:, None].expand(-1, log_probs.shape[1], -1))
    score = torch.full_like(emitted[:, 0], -torch.inf)
    score[:, :2] = emitted[:, 0, :2]
    steps = []
    for frame in range(1, log_probs.shape[1]):
        moves = torch.stack([score, _shifted(score, 1), _shifted(score, 2).masked_fill(~skips, -torch.inf)])
        best, step = moves.max(0)
        inside = (frame < frames)[:, None]
        # Beyond an utterance's end its path stands still.
        score = torch.where(inside, best + emitted[:, frame], score)
        steps.append(step.where(inside, torch.zeros_like(step)))
    ends = torch.stack([2 * sizes, 2 * sizes - 1], 1)
    last = score.gather(1, ends)
    if not last.amax(1).isfinite().all():
        row = int(last.amax(1).isfinite().logical_not().nonzero()[0, 0])
        raise ArgumentError(
            f"a text must fit its utterance; text {row} has {int(sizes[row])} symbols on {int(frames[row])} frames; "
            "spoken faster than the recogniser can write?"
        )
    state = ends.gather(1, last.argmax(1, keepdim=True))[:, 0]
    path = [state]
    for step in reversed(steps):
        state = state - step.gather(1, state[:, None])[:, 0]
        path.append(state)
    return _spikes(torch.stack(path[::-1], 1), frames, targets.shape[1])


def _states(targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return B x (2N + 1): the classes with blanks around each, and where the blank before may be left out."""
    labels = torch.zeros(len(targets), 2 * targets.shape[1] + 1, dtype=torch.int64, device=targets.device)
    labels[:, 1::2] = targets
    return labels, (labels != BLANK) & (labels != _shifted(labels, 2, fill=-1))


def _shifted(values: Tensor, by: int, *, fill: float = -torch.inf) -> Tensor:
    if values.shape[1] <= by:
        return torch.full_like(values, fill)
    return torch.cat([torch.full_like(values[:, :by], fill), values[:, :-by]], 1)


def _spikes(path: Tensor, frames: Tensor, symbols: int) -> Spikes:
    index = torch.arange(path.shape[1], device=path.device)
    own = (index < frames[:, None])[:, :, None]
    on = (path[:, :, None] == 2 * torch.arange(symbols, device=path.device) + 1) & own
    place = index[None, :, None]
    first = place.where(on, torch.full_like(place, path.shape[1])).amin(1)
    return Spikes(first, place.where(on, torch.full_like(place, -1)).amax(1))


def word_spans(recognizer: Recognizer, waveform: Tensor, lengths: Tensor, *, texts: Sequence[str]) -> list[list[Span]]:
    """Find when each word is said.

    Args:
        recognizer: Writes letters; in eval mode.
        waveform: float32 B x T at 16 kHz.
        lengths: int64 [B], samples.
        texts: Normalised, each with a word or more.

    Returns:
        A span for each word of each text. Between two words the border lies midway between their letters, and at
        most MARGIN_FRAMES beyond them.

    Raises:
        ArgumentError: A recogniser of phonemes; a text that does not fit.
    """
    if not recognizer.alphabet.by_letter:
        raise ArgumentError("words are aligned by letters; the recogniser writes phonemes; choose another as the first")
    with torch.no_grad():
        features = recognizer.features(waveform, lengths)
        log_probs = recognizer.from_features(features)
    targets, sizes = recognizer.alphabet.targets(texts)
    spikes = align(log_probs, features.frames, targets=targets, sizes=sizes)
    rows = zip(
        texts, spikes.first.tolist(), spikes.last.tolist(), features.frames.tolist(), lengths.tolist(), strict=True
    )
    return [_words(text, first, last, frames=frames, samples=samples) for text, first, last, frames, samples in rows]


def _words(text: str, first: list[int], last: list[int], *, frames: int, samples: int) -> list[Span]:
    letters, place = [], 0
    for word in text.split():
        letters.append((first[place], last[place + len(word) - 1] + 1))
        place += len(word) + 1
    spans = []
    for index, (begin, end) in enumerate(letters):
        before = letters[index - 1][1] if index else 0
        after = letters[index + 1][0] if index + 1 < len(letters) else frames
        begin -= min((begin - before) / 2 if index else begin - before, MARGIN_FRAMES)
        end += min((after - end) / 2 if index + 1 < len(letters) else after - end, MARGIN_FRAMES)
        spans.append(Span(round(begin * samples / frames), min(samples, round(end * samples / frames))))
    return spans


def linear_spans(lengths: Tensor, texts: Sequence[str]) -> list[list[Span]]:
    """Spread the letters of each text evenly over its utterance, as TransAudio's release does: silence is ignored.

    Args:
        lengths: int64 [B], samples.
        texts: Normalised, each with a word or more.
    """
    found = []
    for samples, text in zip(lengths.tolist(), texts, strict=True):
        place, spans = 0, []
        for word in text.split():
            ends = (place, place + len(word))
            spans.append(Span(*(round(end * samples / len(text)) for end in ends)))
            place += len(word) + 1
        found.append(spans)
    return found
