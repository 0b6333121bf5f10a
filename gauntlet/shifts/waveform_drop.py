"""Time drop: short spans of speech go missing, as packets do on a bad line."""

import torch
from torch import Tensor

from gauntlet.resampling import SAMPLE_RATE_HZ
from gauntlet.shifts.waveform_arguments import Shifted, check_waveform, per_utterance


def time_drop(
    waveform: Tensor,
    lengths: Tensor,
    *,
    drop_s: float | Tensor = 0.05,
    every_s: float | Tensor | None = None,
    generator: torch.Generator,
) -> Shifted:
    """Silence one span of each utterance, or one in each stretch of it.

    Args:
        waveform: float32 B x T in [-1, 1], zero beyond each length.
        lengths: int64 B, samples.
        drop_s: length of a span, seconds in [0, 10], one number or [B]; WavAugment drops 0.05 s.
        every_s: length of a stretch, seconds in [0.01, 3600], one number or [B], of which the smallest serves all; each
            stretch holds one span, wherever the generator puts it. None takes the utterance for one stretch.
        generator: source of all randomness.

    Returns:
        The batch, lengths as they were.

    Raises:
        ArgumentError: a wrong batch, span or stretch.

    Source: `time_dropout` of Kharitonov et al., Data augmenting contrastive learning of speech representations in
    the time domain, SLT 2021, which the released code of WAPAT calls.
    """
    check_waveform(waveform, lengths)
    count, samples = waveform.shape
    widths = (per_utterance(drop_s, count, name="drop_s", low=0, high=10) * SAMPLE_RATE_HZ).round().long()
    stretch = samples
    if every_s is not None:
        every = per_utterance(every_s, count, name="every_s", low=0.01, high=3600)
        stretch = min(round(float(every.min()) * SAMPLE_RATE_HZ), samples)
    places = torch.rand(count, -(-samples // stretch), generator=generator, device=generator.device).cpu()
    begin = torch.arange(places.shape[1]) * stretch
    room = (lengths.cpu()[:, None] - begin).clamp(max=stretch) - widths[:, None]
    first = begin + (places * (room.clamp(min=0) + 1)).long()
    dropped = waveform.clone()
    for row, width, spans in zip(dropped, widths.tolist(), first.tolist(), strict=True):
        for span in spans:
            row[span : span + width] = 0
    return Shifted(dropped, lengths)
