"""Reverberation of simulated rooms: early echoes by the image method, then a diffuse tail."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from gauntlet.resampling import SAMPLE_RATE_HZ
from gauntlet.shifts.waveform_arguments import Shifted, check_waveform, column, per_utterance, power, settled, silenced
from gauntlet.shifts.waveform_spectrum import good_size

SPEED_M_S = 343.0
EARLY_S = 0.05
"""Where the echoes have become so dense that noise with their decay stands for them."""

RUMBLE_HZ = 120.0
"""Below it the early echoes fade out: the images, all of one sign, add up to a push that no room gives."""

FINE = 4
"""Steps of a sample to which an echo's arrival is kept before the band is limited."""

AHEAD = 32
"""Samples before the direct sound that its band-limited pulse rings in."""


class Rooms(NamedTuple):
    """Bounds that rooms are drawn from, in metres: WAPAT's by default.

    Attributes:
        smallest: length, width, height.
        largest: length, width, height.
        near: the microphone's place, as shares of the room, at least.
        far: and at most.
    """

    smallest: tuple[float, float, float] = (3.0, 3.0, 2.5)
    largest: tuple[float, float, float] = (4.0, 5.0, 3.0)
    near: tuple[float, float, float] = (0.1, 0.1, 0.1)
    far: tuple[float, float, float] = (0.9, 0.9, 0.5)

    def orders(self) -> tuple[int, ...]:
        """Count along each axis the images that can arrive within EARLY_S of the direct sound."""
        reach = EARLY_S * SPEED_M_S + 0.95 * math.dist(self.largest, (0, 0, 0))
        return tuple(1 + math.ceil(reach / (2 * side)) for side in self.smallest)


ROOMS = Rooms()


def reverb(
    waveform: Tensor, lengths: Tensor, *, t60_s: float | Tensor, rooms: Rooms = ROOMS, generator: torch.Generator
) -> Shifted:
    """Let speech sound in a room: a shoebox, speaker and microphone at random places in it.

    Args:
        waveform: float32 B x T in [-1, 1], zero beyond each length.
        lengths: int64 B, samples.
        t60_s: time in which the echoes fall by 60 dB, seconds in [0.05, 5], one number or [B].
        rooms: what the rooms are drawn from, one an utterance.
        generator: source of all randomness.

    Returns:
        The batch, lengths as they were: what would sound on after the end is cut. The direct sound is not delayed and
        an utterance keeps its power, unless its peak would leave [-1, 1].

    Raises:
        ArgumentError: a wrong batch or reverberation time.

    Source: Allen and Berkley, Image method, JASA 1979; tail as in Diaz-Guerra et al., gpuRIR, 2021, which WAPAT calls.
    There each wall's reflection is drawn as well as T60; here all walls share the one that belongs to T60.
    """
    check_waveform(waveform, lengths)
    amounts = per_utterance(t60_s, len(waveform), name="t60_s", low=0.05, high=5)
    response = room_responses(amounts, rooms=rooms, generator=generator, device=waveform.device)
    samples = waveform.shape[1]
    size = good_size(samples + min(response.shape[1], samples))
    spectrum = torch.fft.rfft(waveform, size).mul_(torch.fft.rfft(response[:, : samples + AHEAD], size))
    wet = silenced(torch.fft.irfft(spectrum, size)[:, AHEAD : AHEAD + samples].contiguous(), lengths)
    scale = (power(waveform, lengths) / power(wet, lengths).clamp_(min=1e-30)).sqrt_()
    return settled(wet.mul_(scale[:, None]), lengths)


def room_responses(
    t60_s: Tensor, *, rooms: Rooms = ROOMS, generator: torch.Generator, device: torch.device | str = "cpu"
) -> Tensor:
    """Simulate impulse responses, one room each.

    Args:
        t60_s: float [B], seconds.
        rooms: what the rooms are drawn from.
        generator: source of all randomness.
        device: of the result.

    Returns:
        float32 B x R: the direct sound of amplitude 1 at sample AHEAD, R up to the longest T60.
    """
    count = len(t60_s)
    drawn = torch.rand(3, count, 3, generator=generator, device=generator.device).to(device)
    bounds = torch.tensor(rooms, device=device)
    room = bounds[0] + (bounds[1] - bounds[0]) * drawn[0]
    microphone = (bounds[2] + (bounds[3] - bounds[2]) * drawn[1]) * room
    speaker = (0.05 + 0.9 * drawn[2]) * room
    t60 = column(t60_s, room)
    volume = room.prod(1, keepdim=True)
    surface = 2 * (room * room.roll(1, 1)).sum(1, keepdim=True)
    reflection = torch.exp(-0.5 * 24 * math.log(10) / SPEED_M_S * volume / (surface * t60))  # Eyring's formula
    direct = torch.linalg.vector_norm(speaker - microphone, dim=1, keepdim=True).clamp_(min=0.1)
    early = _early(torch.stack([room, speaker, microphone]), rooms.orders(), reflection=reflection, direct=direct)
    samples = max(AHEAD + math.ceil(float(t60_s.max()) * SAMPLE_RATE_HZ), early.shape[1])
    response = torch.randn(count, samples, generator=generator, device=generator.device).to(device)
    seconds = (torch.arange(samples, device=device) - AHEAD) / SAMPLE_RATE_HZ + direct / SPEED_M_S
    energy = 4 * math.pi * SPEED_M_S / (SAMPLE_RATE_HZ * volume)  # of the images that arrive in a sample, without loss
    level = direct * energy.sqrt_()
    response.mul_(torch.exp_(seconds.mul_(-3 * math.log(10) / t60)).mul_(level))
    tail = AHEAD + round(EARLY_S * SAMPLE_RATE_HZ)
    response[:, :tail] = 0
    response[:, : early.shape[1]] += early
    return response


def _early(places: Tensor, orders: tuple[int, ...], *, reflection: Tensor, direct: Tensor) -> Tensor:
    """Sum the images that arrive within EARLY_S of the direct sound, band-limited: float32 B x R."""
    axes = [_along(*places[..., axis], order=order, reflection=reflection) for axis, order in enumerate(orders)]
    losses, squares = zip(*axes, strict=True)
    loss = losses[0][:, :, None, None] * losses[1][:, None, :, None] * losses[2][:, None, None]
    distance = squares[0][:, :, None, None] + squares[1][:, None, :, None] + squares[2][:, None, None]
    distance = distance.flatten(1).sqrt_().clamp_(min=0.1)
    amplitude = loss.flatten(1).mul_(direct).div_(distance)
    place = (distance.sub_(direct)).mul_(FINE * SAMPLE_RATE_HZ / SPEED_M_S).round_().long()
    heard = (place >= 0) & (place < FINE * round(EARLY_S * SAMPLE_RATE_HZ))
    size = good_size(2 * AHEAD + round(EARLY_S * SAMPLE_RATE_HZ))
    fine = torch.zeros(len(direct), size * FINE, device=direct.device)
    fine.scatter_add_(1, (place + FINE * AHEAD).clamp_(0, size * FINE - 1), amplitude.mul_(heard))
    spectrum = torch.fft.rfft(fine)[:, : size // 2 + 1]
    hertz = torch.linspace(0, SAMPLE_RATE_HZ / 2, size // 2 + 1, device=direct.device)
    return torch.fft.irfft(spectrum * ((hertz - RUMBLE_HZ / 2) / (RUMBLE_HZ / 2)).clamp_(0, 1), size)


def _along(room: Tensor, speaker: Tensor, microphone: Tensor, *, order: int, reflection: Tensor) -> tuple[Tensor, ...]:
    """List the images along one axis, [B] each: what they lost, and how far off they are, squared; both B x images."""
    index = torch.arange(-order, order + 1, device=room.device)
    place = torch.stack([2 * index * room[:, None] + sign * speaker[:, None] for sign in (1, -1)], 2)
    bounces = torch.stack([2 * index.abs(), (index - 1).abs() + index.abs()], 1)
    return reflection ** bounces.flatten(), (place.flatten(1) - microphone[:, None]).square()
