"""What every waveform shift asks of its arguments, gives back, and draws."""

from typing import NamedTuple

import torch
from torch import Tensor

from gauntlet.errors import ArgumentError


class Shifted(NamedTuple):
    """A batch after a shift.

    Attributes:
        waveform: float32 B x T in [-1, 1], zero beyond each utterance's length.
        lengths: int64 B, samples; only `speed` and `tempo` change them.
    """

    waveform: Tensor
    lengths: Tensor


def check_waveform(waveform: Tensor, lengths: Tensor) -> None:
    """Check that a batch has the shape of speech: float32 B x T beside int64 B, on one device.

    What lies beyond an utterance's length must be zero; that is not looked at, as looking takes as long as some shifts.

    Raises:
        ArgumentError: another type, shape or device, no utterance or no sample, on a CPU a length beyond the row.
    """
    if not isinstance(waveform, Tensor) or waveform.dtype != torch.float32 or waveform.ndim != 2:
        came = f"{waveform.dtype} {tuple(waveform.shape)}" if isinstance(waveform, Tensor) else type(waveform).__name__
        raise ArgumentError(f"waveform must be a float32 tensor B x T in [-1, 1] (one utterance: x[None]); got {came}")
    if not waveform.numel():
        raise ArgumentError(
            f"waveform must hold a sample at least (an empty file?); got a shape of {tuple(waveform.shape)}"
        )
    if not isinstance(lengths, Tensor) or lengths.dtype != torch.int64 or lengths.shape != waveform.shape[:1]:
        came = f"{lengths.dtype} {tuple(lengths.shape)}" if isinstance(lengths, Tensor) else type(lengths).__name__
        raise ArgumentError(
            f"lengths must be int64 [{len(waveform)}], one an utterance, in samples (not seconds); got {came}"
        )
    # On a GPU to look at them would wait for all that is under way.
    if lengths.device.type == "cpu" and not 0 <= int(lengths.min()) <= int(lengths.max()) <= waveform.shape[1]:
        got = f"{int(lengths.min())} to {int(lengths.max())}"
        raise ArgumentError(f"lengths must lie in 0..{waveform.shape[1]}, the samples of a row; got {got}")
    if lengths.device != waveform.device:
        raise ArgumentError(
            f"lengths must lie on the waveform's device, {waveform.device} (forgot .to?); got {lengths.device}"
        )


def per_utterance(value: float | Tensor, count: int, *, name: str, low: float, high: float) -> Tensor:
    """Give each utterance its amount, checked.

    Args:
        value: one number for all, or one an utterance: [B].
        count: utterances, B.
        name: of the amount, with its unit, for the message.
        low: smallest legal value.
        high: largest legal value.

    Returns:
        float64 [B] on the CPU, where reading a value keeps no device waiting.

    Raises:
        ArgumentError: another shape, a value outside [low, high] or not finite.
    """
    amounts = torch.as_tensor(value, dtype=torch.float64, device="cpu")
    if amounts.shape not in ((), (count,)):
        raise ArgumentError(f"{name} must be one number or one an utterance, [{count}]; got {tuple(amounts.shape)}")
    if not bool(((amounts >= low) & (amounts <= high)).all()):
        raise ArgumentError(f"{name} must lie in [{low:g}, {high:g}] (check the unit); got {amounts.tolist()}")
    return amounts.expand(count)


def draw(low: float, high: float, *, count: int, generator: torch.Generator) -> Tensor:
    """Draw one amount an utterance, uniform between two bounds.

    Args:
        low: lower bound.
        high: upper bound.
        count: utterances, B.
        generator: source of all randomness.

    Returns:
        float32 [B] on the CPU.
    """
    drawn = torch.rand(count, generator=generator, device=generator.device).cpu()
    return low + (high - low) * drawn


def silenced(waveform: Tensor, lengths: Tensor) -> Tensor:
    """Set the padding to zero; `waveform` changes in place."""
    if lengths.device.type == "cpu":  # a mask of the whole batch takes longer than a gain or a clip does
        for row, length in zip(waveform, lengths.tolist(), strict=True):
            row[length:] = 0
        return waveform
    return waveform.masked_fill_(torch.arange(waveform.shape[1], device=lengths.device) >= lengths[:, None], 0)


def settled(waveform: Tensor, lengths: Tensor) -> Shifted:
    """Silence the padding and scale an utterance that left [-1, 1] back into it; `waveform` changes in place."""
    peak = silenced(waveform, lengths).abs().amax(1, keepdim=True)
    return Shifted(waveform.div_(peak.clamp_(min=1)), lengths)


def power(waveform: Tensor, lengths: Tensor) -> Tensor:
    """Return the mean square of each utterance over its own samples: float32 [B]; 0 for one without samples."""
    return torch.linalg.vector_norm(waveform, dim=1).square_() / lengths.clamp(min=1)


def column(amounts: Tensor, waveform: Tensor) -> Tensor:
    """Lay amounts [B] along the batch, in the waveform's type and on its device: float32 B x 1."""
    return amounts.to(waveform.device, waveform.dtype)[:, None]
