"""Speech's corruption benchmark: every waveform shift at five severities."""

from collections.abc import Callable

import torch
from torch import Tensor

from gauntlet.errors import ArgumentError
from gauntlet.shifts.arguments import check_severity
from gauntlet.shifts.waveform_arguments import Shifted, draw
from gauntlet.shifts.waveform_codec import mp3, mu_law, opus
from gauntlet.shifts.waveform_drop import time_drop
from gauntlet.shifts.waveform_level import clipping, gain
from gauntlet.shifts.waveform_noise import babble, noise
from gauntlet.shifts.waveform_room import reverb
from gauntlet.shifts.waveform_spectrum import band_reject
from gauntlet.shifts.waveform_vocoder import pitch, speed, tempo

WAVEFORM_C = "1"
"""Version of the severities: figures on different versions do not compare."""

WAVEFORM_SHIFTS = {
    shift.__name__: shift
    for shift in (
        pitch,
        speed,
        tempo,
        noise,
        babble,
        band_reject,
        time_drop,
        reverb,
        mu_law,
        mp3,
        opus,
        clipping,
        gain,
    )
}

Draw = Callable[[int, int, torch.Generator], Tensor]
"""(level 0 to 4, utterances, generator) -> one amount an utterance."""


def _fixed(*levels: float) -> Draw:
    return lambda level, count, generator: torch.full((count,), levels[level])


def _between(low: float, high: float) -> Draw:
    return lambda level, count, generator: draw(low, high, count=count, generator=generator)


def _up_or_down(*levels: float) -> Draw:
    return lambda level, count, generator: levels[level] * _signs(count, generator)


def _times_or_over(*levels: float) -> Draw:
    return lambda level, count, generator: levels[level] ** _signs(count, generator)


def _signs(count: int, generator: torch.Generator) -> Tensor:
    return draw(-1, 1, count=count, generator=generator).ge(0).mul(2.0).sub(1)


SEVERITIES: dict[str, dict[str, Draw]] = {
    "pitch": {"cents": _up_or_down(100, 200, 350, 500, 700)},
    "speed": {"factor": _times_or_over(1.1, 1.2, 1.35, 1.5, 1.75)},
    "tempo": {"factor": _times_or_over(1.15, 1.3, 1.5, 1.75, 2.0)},
    "noise": {"snr_db": _fixed(20, 15, 10, 5, 0), "colour": _between(0, 1)},
    "babble": {"snr_db": _fixed(15, 10, 5, 0, -5)},
    "band_reject": {"centre_hz": _between(500, 2500), "width_hz": _fixed(250, 500, 800, 1100, 1500)},
    "time_drop": {"drop_s": _fixed(0.05, 0.1, 0.15, 0.2, 0.3), "every_s": _fixed(*[1.0] * 5)},
    "reverb": {"t60_s": _fixed(0.3, 0.5, 0.8, 1.2, 2.0)},
    "mu_law": {"bits": _fixed(8, 6, 4, 3, 2)},
    "mp3": {"kbit_s": _fixed(40, 32, 24, 16, 8)},
    "opus": {"kbit_s": _fixed(16, 12, 9, 7.5, 6)},
    "clipping": {"headroom_db": _fixed(6, 3, 0, -6, -12)},
    "gain": {"gain_db": _fixed(-20, -35, -45, -52, -58)},
}
"""What each shift does from severity 1 (hardly heard) to 5 (hard to follow), version WAVEFORM_C."""


def draw_amounts(name: str, *, severity: int, count: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Draw what a shift does at a severity.

    Args:
        name: one of WAVEFORM_SHIFTS.
        severity: 1 to 5.
        count: utterances, B.
        generator: source of all randomness.

    Returns:
        The shift's own arguments: name of the amount -> float32 [B] on the CPU.

    Raises:
        ArgumentError: an unknown shift or severity.
    """
    level = check_severity(severity)
    if name not in SEVERITIES:
        raise ArgumentError(f"the waveform shift must be one of {', '.join(SEVERITIES)} (misspelt?); got {name!r}")
    return {amount: drawn(level, count, generator) for amount, drawn in SEVERITIES[name].items()}


def corrupt(waveform: Tensor, lengths: Tensor, *, name: str, severity: int, generator: torch.Generator) -> Shifted:
    """Corrupt a batch as Speech-C does.

    Args:
        waveform: float32 B x T in [-1, 1], zero beyond each length.
        lengths: int64 B, samples.
        name: one of WAVEFORM_SHIFTS.
        severity: 1 to 5.
        generator: source of all randomness.

    Returns:
        The batch; speed and tempo change lengths and T.

    Raises:
        ArgumentError: a wrong batch, an unknown shift or severity.

    >>> waveform, lengths = torch.rand(2, 16000), torch.tensor([16000, 9000])
    >>> shifted = corrupt(waveform, lengths, name="noise", severity=3, generator=torch.Generator().manual_seed(0))
    >>> shifted.waveform.shape, shifted.lengths.tolist()
    (torch.Size([2, 16000]), [16000, 9000])
    """
    amounts = draw_amounts(name, severity=severity, count=len(waveform), generator=generator)
    return WAVEFORM_SHIFTS[name](waveform, lengths, generator=generator, **amounts)
