"""Time drop: spans of the right length, one in each stretch, inside the utterance."""

import pytest
import torch

from gauntlet.errors import ArgumentError
from gauntlet.shifts.waveform_drop import time_drop


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def runs(row):
    """List (first, length) of the spans of zeros."""
    edges = torch.nn.functional.pad((row == 0).int(), (1, 1)).diff()
    begin, end = (edges == 1).nonzero()[:, 0], (edges == -1).nonzero()[:, 0]
    return list(zip(begin.tolist(), (end - begin).tolist(), strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_one_span_anywhere_in_the_utterance(seed):
    waveform, lengths = torch.ones(3, 8000), torch.tensor([8000, 4000, 900])
    for row, length in zip(waveform, lengths.tolist(), strict=True):
        row[length:] = 0
    dropped = time_drop(waveform, lengths, generator=generator(seed)).waveform
    for row, length in zip(dropped, lengths.tolist(), strict=True):
        assert int((row[:length] == 0).sum()) == 800
        assert len(runs(row[:length])) == 1


def test_places_cover_the_utterance():
    firsts = [
        runs(time_drop(torch.ones(1, 1000), torch.tensor([1000]), drop_s=0.05, generator=generator(seed)).waveform[0])[
            0
        ][0]
        for seed in range(300)
    ]
    assert min(firsts) < 10
    assert max(firsts) > 190
    assert sum(firsts) / 300 == pytest.approx(100, abs=12)


def test_one_span_in_each_stretch():
    dropped = time_drop(torch.ones(1, 64000), torch.tensor([64000]), drop_s=0.1, every_s=1.0, generator=generator())
    for second in dropped.waveform[0].split(16000):
        assert [length for _, length in runs(second)] == [1600]


def test_each_utterance_has_its_own_span_and_none_is_none():
    shifted = time_drop(
        torch.ones(3, 16000), torch.tensor([16000] * 3), drop_s=torch.tensor([0.0, 0.01, 0.5]), generator=generator()
    )
    assert (shifted.waveform == 0).sum(1).tolist() == [0, 160, 8000]


def test_a_span_longer_than_the_utterance_takes_it_all():
    assert not time_drop(torch.ones(1, 300), torch.tensor([300]), drop_s=1.0, generator=generator()).waveform.any()


def test_the_input_is_left_alone():
    waveform = torch.ones(1, 16000)
    for drop_s in (0.0, 0.1):
        assert time_drop(waveform, torch.tensor([16000]), drop_s=drop_s, generator=generator()).waveform is not waveform
    assert waveform.all()


def test_wrong_spans_are_named():
    for wrong, said in (({"drop_s": -1}, r"drop_s must lie in \[0, 10\]"), ({"every_s": 0}, r"every_s must lie in")):
        with pytest.raises(ArgumentError, match=said):
            time_drop(torch.ones(1, 100), torch.tensor([100]), generator=generator(), **wrong)
