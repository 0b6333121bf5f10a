"""The table of the waveform shifts says when a target is missed."""

import importlib
import warnings

import numpy as np
import pytest


@pytest.fixture
def waveform_speed():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the library that is measured against
        yield importlib.import_module("benchmarks.waveform_speed")


@pytest.mark.parametrize(
    ("row", "ours_ms", "theirs_ms", "met"),
    [("gain", 4.0, 8.0, True), ("gain", 8.0, 4.0, False), ("gain", 500.0, 900.0, False), ("opus", 500.0, None, True)],
)
def test_a_missed_target_is_told(row, ours_ms, theirs_ms, met, waveform_speed, monkeypatch):
    taken = {"ours": ours_ms, "theirs": theirs_ms}
    sides = {side: lambda side=side: side for side, time in taken.items() if time}
    monkeypatch.setattr(waveform_speed, "calls", lambda row, counterpart: sides)
    monkeypatch.setattr(waveform_speed, "timed", lambda call: (0.0, taken[call.args[0]()] * call.args[1]))
    line, said = waveform_speed.measure(row, np.abs if theirs_ms else None, rounds=2)
    assert said is met
    assert f"{ours_ms:.2f}" in line


def test_both_sides_work_on_every_shared_row(waveform_speed, tmp_path):
    others = waveform_speed.theirs(tmp_path)
    assert {"pitch", "tempo", "noise, white", "noise, coloured", "band_reject", "time_drop", "reverb"} <= set(others)
    assert {"clipping", "gain"} <= set(others) <= set(waveform_speed.OURS)
    sides = waveform_speed.calls("gain", others["gain"])
    sides["ours"]()
    assert sides["theirs"]().shape == (16, 64000)
