"""Splices: lengths, joints, bits that stay, and the gradient against finite differences."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gauntlet.attacks.transaudio.splice import fitted, high_passed, levelled, splice, trimmed
from gauntlet.errors import ArgumentError
from gauntlet.waveforms import Waveforms, padded


def noise(*sizes: int, seed: int = 0) -> Waveforms:
    generator = torch.Generator().manual_seed(seed)
    return padded([0.2 * torch.randn(size, generator=generator) for size in sizes])


def places(*values: int) -> torch.Tensor:
    return torch.tensor(values)


def test_a_clip_in_place_of_its_own_samples_changes_no_bit():
    utterances = noise(2000, 1500)
    clips = padded([utterances.waveform[0, 300:900], utterances.waveform[1, :1500]])
    joined = splice(utterances, clips, begins=places(300, 0), ends=places(900, 1500))
    assert torch.equal(joined.waveform, utterances.waveform)
    assert torch.equal(joined.lengths, utterances.lengths)


@settings(max_examples=30, deadline=None)
@given(begin=st.integers(0, 1200), size=st.integers(1, 800), inserted=st.booleans(), fade_s=st.sampled_from([0, 0.015]))
def test_lengths_and_what_lies_outside_the_clip(begin, size, inserted, fade_s):
    utterances, clips = noise(2000), noise(size, seed=1)
    end = begin if inserted else begin + size
    joined = splice(utterances, clips, begins=places(begin), ends=places(end), fade_s=fade_s)
    was, now = utterances.waveform[0], joined.waveform[0]
    assert int(joined.lengths) == len(now) == 2000 + inserted * size
    assert torch.equal(now[:begin], was[:begin])
    assert torch.equal(now[begin + size :], was[end:])
    faded = min(240, size // 2 + 1) if fade_s else 0
    inner = slice(faded, size - faded)
    torch.testing.assert_close(now[begin : begin + size][inner], clips.waveform[0][inner])


@pytest.mark.parametrize("inserted", [True, False])
def test_the_joints_do_not_click(inserted):
    time = torch.arange(4000) / 16_000
    utterances = padded([0.5 * torch.sin(2 * math.pi * 100 * time)])
    clips = padded([0.5 * torch.cos(2 * math.pi * 100 * time[:1000])])
    begin = 1337
    joined = splice(utterances, clips, begins=places(begin), ends=places(begin + (not inserted) * 1000))
    hard = splice(utterances, clips, begins=places(begin), ends=places(begin + (not inserted) * 1000), fade_s=0)
    steepest = 0.5 * 2 * math.pi * 100 / 16_000
    assert float(joined.waveform.diff().abs().max()) < 1.5 * steepest
    assert float(hard.waveform.diff().abs().max()) > 5 * steepest


@pytest.mark.parametrize("inserted", [True, False])
def test_the_gradient_is_that_of_finite_differences(inserted):
    utterances = [part.double() for part in padded([torch.linspace(-1, 1, 40), torch.linspace(1, 0, 31)])]
    clips = [part.double() for part in padded([torch.linspace(0, 1, 9), torch.linspace(0, -1, 12)])]
    begins = places(5, 11)
    ends = begins if inserted else begins + places(9, 12)

    def joined(waveform: torch.Tensor, clip: torch.Tensor) -> torch.Tensor:
        own = Waveforms(waveform, utterances[1].long()), Waveforms(clip, clips[1].long())
        return splice(*own, begins=begins, ends=ends, fade_s=3 / 16_000).waveform

    inputs = [utterances[0].requires_grad_(True), clips[0].requires_grad_(True)]
    assert torch.autograd.gradcheck(joined, inputs)


def test_rows_do_not_feel_each_other():
    utterances, clips = noise(2000, 900, 1400), noise(100, 400, 250, seed=1)
    begins, ends = places(50, 900, 200), places(150, 900, 200)
    together = splice(utterances, clips, begins=begins, ends=ends)
    for row in range(3):
        own, clip = (Waveforms(w[row : row + 1, : int(n[row])], n[row : row + 1]) for w, n in (utterances, clips))
        alone = splice(own, clip, begins=begins[row : row + 1], ends=ends[row : row + 1])
        assert torch.equal(together.waveform[row, : int(together.lengths[row])], alone.waveform[0])
        assert not together.waveform[row, int(together.lengths[row]) :].any()


@pytest.mark.parametrize(
    ("begin", "end", "message"),
    [(-1, 9, "lie in its utterance"), (1995, 2005, "lie in its utterance"), (10, 21, "length of what it replaces")],
)
def test_refused(begin, end, message):
    with pytest.raises(ArgumentError, match=message):
        splice(noise(2000), noise(10), begins=places(begin), ends=places(end))


def test_a_clip_is_fitted_filtered_and_levelled():
    time = torch.arange(8000) / 16_000
    low, high = (torch.sin(2 * math.pi * hz * time) for hz in (100, 3000))
    passed = high_passed(low + high, cutoff_hz=1000)
    torch.testing.assert_close(passed, high, atol=0.01, rtol=0)
    assert torch.equal(high_passed(low, cutoff_hz=0), low)
    assert len(fitted(low, 5000)) == 5000
    assert torch.equal(fitted(low, 8000), low)
    assert float(levelled(low, 0.1 * high).square().mean()) == pytest.approx(0.005, rel=1e-3)
    assert float(levelled(torch.eye(8000)[4000], high).abs().max()) == 1


def test_silence_is_cut_off_and_a_silent_word_refused():
    clip = torch.cat([torch.zeros(50), torch.ones(10), torch.zeros(5), torch.ones(3), torch.full((40,), 1e-4)])
    assert len(trimmed(clip)) == 18
    with pytest.raises(ArgumentError, match="silence"):
        trimmed(torch.zeros(10))
