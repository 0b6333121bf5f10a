"""TransAudio: an edit of one word, first in a clip alone, then in the whole utterance against all surrogates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from gauntlet.attacks.noise import Noise
from gauntlet.attacks.transaudio.objective import clip_slope, slope
from gauntlet.attacks.transaudio.setting import Setting
from gauntlet.attacks.transaudio.smoothing import smoothed
from gauntlet.attacks.transaudio.splice import splice
from gauntlet.attacks.transaudio.start import Start
from gauntlet.errors import ArgumentError
from gauntlet.models.recognizer import Recognizer, Transcriber, frame_mask
from gauntlet.waveforms import Waveforms

_TINY = 1e-30


@dataclass(frozen=True)
class Attacked:
    """Utterances after the attack.

    Attributes:
        utterances: Attacked, in [-1, 1].
        start: The same with the clip before any attack: the middle of the eps-ball.
        begins: int64 [B], samples: where the clip begins in both.
        sizes: int64 [B], samples of the clip.
        steps: int64 [B]: steps of stage 2 that each took.
    """

    utterances: Waveforms
    start: Waveforms
    begins: Tensor
    sizes: Tensor
    steps: Tensor


def transaudio(
    surrogates: Sequence[Transcriber], start: Start, *, setting: Setting, generator: torch.Generator
) -> Attacked:
    """Make recognisers hear an edit of one word in each utterance.

    Args:
        surrogates: In eval mode; the first is a CTC `Recognizer`. Neither modes nor weights change.
        start: From `begin`; all its utterances fit.
        setting: Budgets.
        generator: On the CPU; one number is drawn from it.

    Returns:
        The attacked utterances: none differs from the start by more than eps at a sample, none leaves [-1, 1]. Without
        steps a deletion comes back as it was, bit by bit.

    Raises:
        ArgumentError: Fewer surrogates than the setting wants; a target that does not fit.

    Source: TransAudio, ICASSP 2023 (arXiv 2303.15940), both stages with momentum (MI-FGSM, Dong et al., CVPR 2018).
    Otherwise than its release, words lie where CTC aligns them, only the joints are faded, and the change is bounded.
    """
    if len(surrogates) < setting.surrogates:
        raise ArgumentError(f"surrogates must be {setting.surrogates} recognisers or more; got {len(surrogates)}")
    if not start.fits.all():
        raise ArgumentError("each target must fit its utterance's frames; one does not; `Start.rows` drops those")
    begins, ends, sizes = start.begins, start.ends, start.clips.lengths
    clips = _local(surrogates[0], start, setting=setting)
    middle, local = (
        splice(start.utterances, each, begins=begins, ends=ends, fade_s=setting.fade_s) for each in (start.clips, clips)
    )
    if setting.release.windowed_utterance:
        window = _windows(begins, sizes, middle)
        middle, local = (Waveforms(each.waveform * window, each.lengths) for each in (middle, local))
    found = _global(surrogates[: setting.surrogates], local, middle, start=start, setting=setting, generator=generator)
    return Attacked(Waveforms(found.x, middle.lengths), middle, begins, sizes, found.steps)


def _local(surrogate: Recognizer, start: Start, *, setting: Setting) -> Waveforms:
    """Stage 1: the word, or silence in its place, on the clip alone."""
    words = ["" if edit.kind == "delete" else edit.word for edit in start.edits]
    clips = start.clips

    def downhill(x: Tensor, rows: Tensor) -> Tensor:
        own = Waveforms(x, clips.lengths[rows])
        return clip_slope(surrogate, own, words=[words[row] for row in rows.tolist()], setting=setting).gradient

    found = _climb(clips.waveform, clips, slope=downhill, steps=setting.local_steps, setting=setting)
    return Waveforms(found.x, clips.lengths)


def _global(
    surrogates: Sequence[Transcriber],
    local: Waveforms,
    middle: Waveforms,
    *,
    start: Start,
    setting: Setting,
    generator: torch.Generator,
) -> "_Climbed":
    """Stage 2: the target on the whole utterance."""
    texts = [edit.target_text for edit in start.edits]
    noise = Noise.of(middle.waveform, generator)

    def some(x: Tensor, rows: Tensor) -> tuple[Waveforms, list[str]]:
        lengths = middle.lengths[rows]
        return Waveforms(x[:, : int(lengths.max())], lengths), [texts[row] for row in rows.tolist()]

    def downhill(x: Tensor, rows: Tensor) -> Tensor:
        own, targets = some(x, rows)
        drawn = noise.normal((x.shape[1],))[rows, : own.waveform.shape[1]] if matching else own.waveform
        found = slope(surrogates, own, texts=targets, setting=setting, noise=drawn).gradient
        if setting.smoothing:
            chosen = noise.uniform((1,))[rows] < setting.smoothing
            found = torch.where(chosen, smoothed(found, released=setting.release.lopsided_smoothing), found)
        return torch.nn.functional.pad(found, (0, x.shape[1] - found.shape[1]))

    def done(x: Tensor, rows: Tensor) -> Tensor:
        own, targets = some(x, rows)
        heard = torch.ones(len(rows), dtype=torch.bool, device=x.device)
        for each in surrogates:
            said = zip(each.transcribe(*own), targets, strict=True)
            heard &= torch.tensor([hypothesis == target for hypothesis, target in said], device=x.device)
        return heard

    matching = setting.score_match == "objective"
    skipped = setting.release.insert_without_second_stage
    idle = torch.tensor([skipped and edit.kind == "insert" for edit in start.edits], device=middle.waveform.device)
    return _climb(
        local.waveform, middle, slope=downhill, steps=setting.global_steps, setting=setting, done=done, idle=idle
    )


class _Climbed(NamedTuple):
    x: Tensor
    steps: Tensor


def _climb(
    x: Tensor,
    middle: Waveforms,
    *,
    slope: Callable[[Tensor, Tensor], Tensor],
    steps: int,
    setting: Setting,
    done: Callable[[Tensor, Tensor], Tensor] | None = None,
    idle: Tensor | None = None,
) -> _Climbed:
    """Go down the slope with momentum, inside the ball around `middle`; rows that are done or idle stay."""
    reach = torch.inf if setting.release.no_ball else setting.eps
    limit = torch.inf if setting.release.no_ball else 1.0
    low, high = (middle.waveform - reach).clamp_min(-limit), (middle.waveform + reach).clamp_max(limit)
    own = frame_mask(middle.lengths, x.shape[1])
    x, taken = x.clone(), torch.zeros_like(middle.lengths)
    rows = torch.arange(len(x), device=x.device)
    rows = rows if idle is None else rows[~idle]
    momentum = torch.zeros_like(x)
    for step in range(steps):
        if done and setting.check_every and step % setting.check_every == 0 and len(rows):
            rows = rows[~done(x[rows], rows)]
        if not len(rows):
            break
        gradient = slope(x[rows], rows) * own[rows]
        raw = setting.release.raw_first_gradient and step == 0
        size = 1.0 if raw else gradient.abs().sum(1, keepdim=True).clamp_min(_TINY)
        momentum[rows] = setting.momentum * momentum[rows] + gradient / size
        moved = x[rows] - setting.alpha * momentum[rows].sign()
        x[rows] = torch.minimum(torch.maximum(moved, low[rows]), high[rows])
        taken[rows] += 1
    return _Climbed(x, taken)


def _windows(begins: Tensor, sizes: Tensor, utterances: Waveforms) -> Tensor:
    """Return the release's windows, B x T: a Hamming window each over what is left of the clip, the clip, the rest."""
    rows = torch.zeros_like(utterances.waveform)
    for row, begin, size, length in zip(
        rows, begins.tolist(), sizes.tolist(), utterances.lengths.tolist(), strict=True
    ):
        parts = [begin, size, length - begin - size]
        row[:length] = torch.cat([torch.hamming_window(part, periodic=False, device=row.device) for part in parts])
    return rows
