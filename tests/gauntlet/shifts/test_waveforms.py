"""What holds for every waveform shift and for WAPAT's augmentation; the severities get worse one after the other."""

import hashlib
import math

import pytest
import torch

from gauntlet.errors import ArgumentError
from gauntlet.shifts.waveform_augmentation import AUGMENTATIONS, augment
from gauntlet.shifts.waveforms import SEVERITIES, WAVEFORM_C, WAVEFORM_SHIFTS, corrupt, draw_amounts

LENGTHENED = {"speed", "tempo"}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def speech():
    """Make three utterances of a buzz with formants that swells like syllables, padded."""
    seconds = torch.arange(24000) / 16000
    voices = []
    for pitch_hz, samples in ((110, 24000), (180, 17000), (230, 9001)):
        buzz = sum(
            torch.cos(2 * math.pi * pitch_hz * harmonic * seconds)
            / (1 + ((pitch_hz * harmonic - 600) / 300) ** 2 + harmonic / 6)
            for harmonic in range(1, 7000 // pitch_hz)
        )
        voice = 0.05 * buzz * (1 + torch.sin(2 * math.pi * 4 * seconds)) * (seconds * 16000 < samples)
        voices.append(voice + 1e-4 * torch.randn(24000, generator=generator(1)) * (seconds * 16000 < samples))
    return torch.stack(voices), torch.tensor([24000, 17000, 9001])


def distance(shifted, waveform):
    """Measure how far apart spectrograms are, level included: mean distance of log power, in nepers."""
    levels = []
    for sound in (shifted, waveform):
        frames = torch.stft(sound, 512, 256, window=torch.hann_window(512), return_complex=True).abs().square()
        levels.append((frames + 1e-4).log())
    return float((levels[0] - levels[1]).abs().mean())


@pytest.mark.parametrize("severity", [1, 5])
@pytest.mark.parametrize("name", WAVEFORM_SHIFTS)
def test_every_shift_keeps_range_padding_and_shape(name, severity):
    waveform, lengths = speech()
    before = waveform.clone(), lengths.clone()
    shifted = corrupt(waveform, lengths, name=name, severity=severity, generator=generator())
    assert shifted.waveform.dtype == torch.float32
    assert shifted.waveform.isfinite().all()
    assert shifted.waveform.abs().max() <= 1
    assert shifted.waveform.is_contiguous()
    assert shifted.lengths.dtype == torch.int64
    for row, length in zip(shifted.waveform, shifted.lengths.tolist(), strict=True):
        assert length <= len(row)
        assert not row[length:].any()
    if name not in LENGTHENED:
        assert shifted.waveform.shape == waveform.shape
        assert torch.equal(shifted.lengths, lengths)
    assert torch.equal(waveform, before[0])
    assert torch.equal(lengths, before[1])


@pytest.mark.parametrize("name", WAVEFORM_SHIFTS)
def test_the_generator_alone_decides(name):
    first, again = (corrupt(*speech(), name=name, severity=3, generator=generator()).waveform for _ in range(2))
    assert torch.equal(first, again)


@pytest.mark.parametrize("name", sorted(set(WAVEFORM_SHIFTS) - {"noise", "babble", "time_drop", "reverb"}))
def test_padding_is_not_heard(name):
    """Not of those that draw as many numbers as there are samples."""
    waveform, lengths = speech()
    amounts = {key: value[:1] for key, value in draw_amounts(name, severity=3, count=1, generator=generator()).items()}
    shift, row, length = WAVEFORM_SHIFTS[name], waveform[2:], lengths[2:]
    short = shift(row[:, :9001].contiguous(), length, generator=generator(), **amounts)
    long = shift(row, length, generator=generator(), **amounts)
    known = int(short.lengths)
    assert torch.equal(short.lengths, long.lengths)
    assert distance(short.waveform[:, :known], long.waveform[:, :known]) < 0.05


@pytest.mark.parametrize("name", sorted(set(WAVEFORM_SHIFTS) - LENGTHENED - {"pitch"}))
def test_severities_get_worse(name):
    waveform, lengths = speech()
    apart = [
        distance(corrupt(waveform, lengths, name=name, severity=level, generator=generator()).waveform, waveform)
        for level in range(1, 6)
    ]
    assert apart == sorted(apart)
    assert apart[4] > 1.2 * apart[0] > 0


@pytest.mark.parametrize("name", ["pitch", "speed", "tempo"])
def test_severities_go_farther_both_ways(name):
    drawn = [
        next(iter(draw_amounts(name, severity=level, count=64, generator=generator()).values()))
        for level in range(1, 6)
    ]
    sizes = [row.abs() if name == "pitch" else row.log().abs() for row in drawn]
    assert all(torch.allclose(row, row[:1].expand(64)) for row in sizes)
    assert (torch.stack(sizes)[:, 0].diff() > 0).all()
    assert all(16 < int((row > (0 if name == "pitch" else 1)).sum()) < 48 for row in drawn)


def test_the_table_is_that_of_its_version():
    """Whoever changes a severity gives the table a new version: figures on different ones do not compare."""
    drawn = [
        (name, level, sorted((key, value.tolist()) for key, value in amounts.items()))
        for name in SEVERITIES
        for level in range(1, 6)
        for amounts in [draw_amounts(name, severity=level, count=2, generator=generator())]
    ]
    digest = hashlib.sha256(repr(drawn).encode()).hexdigest()[:12]
    assert {WAVEFORM_C: digest} == {"1": "d8ce1ddbf250"}


def test_tables_name_the_same_shifts():
    assert list(SEVERITIES) == list(WAVEFORM_SHIFTS)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_every_augmentation_keeps_shape_and_lengths_and_changes_each_utterance(name):
    waveform, lengths = speech()
    shifted = AUGMENTATIONS[name](waveform, lengths, generator())
    assert shifted.waveform.shape == waveform.shape
    assert torch.equal(shifted.lengths, lengths)
    assert all((one != other).any() for one, other in zip(shifted.waveform, waveform, strict=True))
    assert shifted.waveform.abs().max() <= 1


def test_each_augmentation_is_as_likely_as_the_others(monkeypatch):
    heard = []
    for name in AUGMENTATIONS:
        monkeypatch.setitem(AUGMENTATIONS, name, lambda waveform, lengths, source, name=name: heard.append(name))
    source = generator()
    for _ in range(2000):
        augment(torch.zeros(1, 1), torch.tensor([1]), generator=source)
    assert all(heard.count(name) / 2000 == pytest.approx(0.2, abs=0.04) for name in AUGMENTATIONS)


@pytest.mark.parametrize(
    ("waveform", "lengths", "said"),
    [
        (torch.zeros(5), torch.tensor([5]), "waveform must be a float32 tensor B x T"),
        (torch.zeros(1, 5, dtype=torch.float64), torch.tensor([5]), "got torch.float64"),
        (torch.zeros(1, 0), torch.tensor([0]), "must hold a sample at least"),
        (torch.zeros(2, 5), torch.tensor([5]), r"lengths must be int64 \[2\]"),
        (torch.zeros(2, 5), torch.tensor([5, 6]), r"lengths must lie in 0\.\.5, .*; got 5 to 6"),
        (torch.zeros(1, 5), torch.tensor([0.3]), "got torch.float32"),
        (torch.zeros(1, 5), [5], "got list"),
        (torch.zeros(1, 5), torch.tensor([5], device="meta"), "must lie on the waveform's device"),
    ],
)
def test_wrong_batches_are_named_by_every_shift(waveform, lengths, said):
    for name in WAVEFORM_SHIFTS:
        with pytest.raises(ArgumentError, match=said):
            corrupt(waveform, lengths, name=name, severity=1, generator=generator())


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"name": "nois"}, "must be one of pitch"), ({"severity": 0}, "from 1 to 5"), ({"severity": 6}, "from 1 to 5")],
)
def test_unknown_shifts_and_severities_are_named(changes, said):
    with pytest.raises(ArgumentError, match=said):
        corrupt(*speech(), generator=generator(), **{"name": "noise", "severity": 1, **changes})
