"""Simulated rooms die away in the time that is asked for, echo where the walls are, and keep level and length."""

import math

import pytest
import torch

from gauntlet.shifts.waveform_room import AHEAD, Rooms, reverb, room_responses


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def schroeder_s(response):
    """Measure T60 from the fall between -5 and -35 dB of the energy that is still to come."""
    left = response[AHEAD:].double().square().flip(0).cumsum(0).flip(0)
    fallen_db = 10 * torch.log10(left / left[0])
    begin, end = (int((fallen_db < level).nonzero()[0]) for level in (-5, -35))
    return 2 * (end - begin) / 16000


@pytest.mark.parametrize("t60_s", [0.2, 0.3, 0.5, 0.8, 1.2, 2.0])
def test_the_energy_dies_away_in_time(t60_s):
    responses = room_responses(torch.full((12,), t60_s), generator=generator())
    measured = torch.tensor([schroeder_s(response) for response in responses])
    assert (measured / t60_s - 1).abs().max() < 0.15
    assert measured.mean() / t60_s == pytest.approx(1, abs=0.05)


def test_the_direct_sound_comes_first_and_at_full_level():
    responses = room_responses(torch.full((8,), 0.4), generator=generator())
    assert responses[:, AHEAD] == pytest.approx([1.0] * 8, abs=0.25)
    assert (responses[:, :AHEAD].abs().amax(1) < responses[:, AHEAD]).all()


def test_the_floor_echoes_where_the_floor_is():
    """Speaker and microphone in known places: the first echoes arrive when geometry says so."""
    rooms = Rooms(smallest=(40.0, 40.0, 40.0), largest=(40.0, 40.0, 40.0), near=(0.5, 0.5, 0.05), far=(0.5, 0.5, 0.05))
    response = room_responses(torch.tensor([3.0]), rooms=rooms, generator=generator(5))[0]
    speaker = (0.05 + 0.9 * torch.rand(3, 1, 3, generator=generator(5))[2, 0]) * 40
    microphone = torch.tensor([20.0, 20.0, 2.0])
    direct = math.dist(speaker.tolist(), microphone.tolist())
    below = math.dist([*speaker.tolist()[:2], -float(speaker[2])], microphone.tolist())
    late = (below - direct) / 343 * 16000
    window = response[AHEAD + 8 : AHEAD + 700].abs()
    assert int(window.argmax()) + 8 == pytest.approx(late, abs=1)
    assert 0.5 * direct / below < float(window.max()) <= 1.05 * direct / below


def test_tail_and_echoes_meet_at_one_level():
    responses = room_responses(torch.full((64,), 1.0), generator=generator())
    seam = AHEAD + 800
    before, after = (responses[:, part].square().mean() for part in (slice(seam - 240, seam), slice(seam, seam + 240)))
    assert float(10 * torch.log10(after / before)) == pytest.approx(-0.9, abs=0.7)


def test_level_length_and_start_are_kept():
    lengths = torch.tensor([16000, 9000])
    waveform = torch.zeros(2, 16000)
    for row, length in zip(waveform, lengths.tolist(), strict=True):
        row[2000:length] = 0.02 * torch.randn(length - 2000, generator=generator(1))
    shifted = reverb(waveform, lengths, t60_s=torch.tensor([0.3, 0.8]), generator=generator())
    assert torch.equal(shifted.lengths, lengths)
    assert shifted.waveform.square().sum(1) == pytest.approx(waveform.square().sum(1).tolist(), rel=1e-4)
    assert not shifted.waveform[1, 9000:].any()
    before = shifted.waveform[:, : 2000 - AHEAD].square().mean() / shifted.waveform[:, 2000:9000].square().mean()
    assert before < 1e-4


def test_convolution_matches_the_responses():
    """An impulse gives the room's own response back, but for the level."""
    click = torch.zeros(1, 4000)
    click[0, 100] = 1e-3
    wet = reverb(click, torch.tensor([4000]), t60_s=0.2, generator=generator(2)).waveform[0]
    response = room_responses(torch.tensor([0.2]), generator=generator(2))[0]
    ours, own = wet[100 : 100 + 3000], response[AHEAD : AHEAD + 3000]
    assert torch.nn.functional.cosine_similarity(ours, own, 0) > 0.9999


def test_long_rooms_and_short_utterances_pass():
    shifted = reverb(torch.full((1, 50), 0.1), torch.tensor([50]), t60_s=3.0, generator=generator())
    assert shifted.waveform.shape == (1, 50)
    assert shifted.waveform.isfinite().all()
