"""Speech through a codec: mu-law telephony, MP3, Opus."""

import io
import math

import numpy as np
import torch
from torch import Tensor

from gauntlet.errors import ArgumentError
from gauntlet.resampling import SAMPLE_RATE_HZ
from gauntlet.shifts.waveform_arguments import Shifted, check_waveform, column, per_utterance, silenced

MU = 255
MP3_KBIT_S = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
"""Bit rates that MPEG-2 layer III has at 16 kHz."""

MP3_DELAY = 1105
"""Samples by which an encoder (576) and a decoder (529) delay; frames too small for LAME's tag cannot say so."""


def mu_law(
    waveform: Tensor, lengths: Tensor, *, bits: float | Tensor = 8, generator: torch.Generator | None = None
) -> Shifted:
    """Quantise on a logarithmic scale, as telephones do.

    Args:
        waveform: float32 B x T in [-1, 1], zero beyond each length.
        lengths: int64 B, samples.
        bits: of a sample, in [2, 16], one number or [B]; rounded to whole ones; 8 is G.711's.
        generator: unused: nothing here is random.

    Returns:
        The batch, lengths as they were; within an utterance silence hums at half the smallest step, as it does on
        a quantiser without a zero.

    Raises:
        ArgumentError: a wrong batch or number of bits.

    Source: ITU-T G.711's continuous law with mu = 255; the standard draws it in eight straight lines.
    """
    check_waveform(waveform, lengths)
    amounts = per_utterance(bits, len(waveform), name="bits", low=2, high=16).round()
    half = column(2 ** (amounts - 1), waveform)
    loud = waveform.abs().clamp_(max=1).mul_(MU).log1p_().mul_(half / math.log1p(MU))
    level = torch.minimum(loud.floor_(), half - 1).add_(0.5).div_(half)
    expanded = level.mul_(math.log1p(MU)).expm1_().div_(MU)
    return Shifted(silenced(expanded.copysign_(waveform), lengths), lengths)


def mp3(
    waveform: Tensor, lengths: Tensor, *, kbit_s: float | Tensor, generator: torch.Generator | None = None
) -> Shifted:
    """Encode as MP3 (LAME) and decode; on the CPU, one utterance after the other.

    Args:
        waveform: float32 B x T in [-1, 1], zero beyond each length.
        lengths: int64 B, samples.
        kbit_s: constant bit rate, kbit/s in [8, 160], one number or [B]; rounded to one of MP3_KBIT_S.
        generator: unused: nothing here is random.

    Returns:
        The batch, lengths as they were, without the codec's delay.

    Raises:
        ArgumentError: a wrong batch or rate, or soundfile is missing or its libsndfile cannot write MP3.
    """
    check_waveform(waveform, lengths)
    rates = per_utterance(kbit_s, len(waveform), name="kbit_s", low=8, high=160).tolist()
    nearest = [min(MP3_KBIT_S, key=lambda known: abs(known - rate)) for rate in rates]
    levels = [min((160 - rate) / 152, 0.99) for rate in nearest]  # libsndfile refuses to go to 8 kbit/s by name, 1.0
    return _coded(waveform, lengths, levels, container="MP3")


def opus(
    waveform: Tensor, lengths: Tensor, *, kbit_s: float | Tensor, generator: torch.Generator | None = None
) -> Shifted:
    """Encode as Opus and decode; on the CPU, one utterance after the other, about 50 times real time.

    Args:
        waveform: float32 B x T in [-1, 1], zero beyond each length.
        lengths: int64 B, samples.
        kbit_s: bit rate aimed at, kbit/s in [6, 256], one number or [B].
        generator: unused: nothing here is random.

    Returns:
        The batch, lengths as they were.

    Raises:
        ArgumentError: a wrong batch or rate, or soundfile is missing or its libsndfile cannot write Opus.
    """
    check_waveform(waveform, lengths)
    rates = per_utterance(kbit_s, len(waveform), name="kbit_s", low=6, high=256).tolist()
    return _coded(waveform, lengths, [(256 - rate) / 250 for rate in rates], container="OGG")


CONTAINERS = {"MP3": ("MPEG_LAYER_III", "CONSTANT"), "OGG": ("OPUS", None)}


def _coded(waveform: Tensor, lengths: Tensor, levels: list[float], *, container: str) -> Shifted:
    sound = waveform.detach().cpu().numpy()
    coded = np.zeros_like(sound)
    for row, new, length, level in zip(sound, coded, lengths.tolist(), levels, strict=True):
        if length:
            new[:length] = _through(row[:length], level, container)
    return Shifted(torch.from_numpy(coded).to(waveform.device).clamp_(-1, 1), lengths)


def _through(sound: np.ndarray, level: float, container: str) -> np.ndarray:
    """Encode and decode one utterance in memory."""
    try:
        import soundfile
    except ImportError:
        raise ArgumentError(f"{container} needs soundfile, which is not installed (pip install soundfile)") from None
    subtype, mode = CONTAINERS[container]
    if subtype not in soundfile.available_subtypes(container):
        version = soundfile.__libsndfile_version__
        raise ArgumentError(f"{container} needs a libsndfile that writes {subtype} (1.1 or later); got {version}")
    stream = io.BytesIO()
    with soundfile.SoundFile(
        stream, "w", SAMPLE_RATE_HZ, 1, format=container, subtype=subtype, compression_level=level, bitrate_mode=mode
    ) as file:
        file.write(sound)
    stream.seek(0)
    decoded = soundfile.read(stream, dtype="float32")[0]
    if container == "MP3" and len(decoded) >= len(sound) + MP3_DELAY:
        decoded = decoded[MP3_DELAY:]
    return np.pad(decoded[: len(sound)], (0, max(0, len(sound) - len(decoded))))
