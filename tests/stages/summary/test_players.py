import base64
import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from gauntlet.errors import DataError
from stages.summary.players import (
    FIRST_ROWS,
    LONGEST_S,
    PlayerRow,
    Players,
    compare,
    fitting,
    heard_by,
    player_row,
    read_sound,
)
from tests.fixtures.speech_scores import SAMPLE_RATE_HZ, speech, write_clip


def row(folder: Path, *lengths_s: float) -> PlayerRow:
    clips = [write_clip(folder / f"{place}.flac", speech(length)) for place, length in enumerate(lengths_s)]
    return player_row("said", [read_sound(clip, label=clip.stem) for clip in clips])


def decoded(uri: str) -> bytes:
    return base64.b64decode(uri.partition(",")[2])


def test_a_clip_is_embedded_as_it_was_scored(tmp_path: Path):
    clip = row(tmp_path, 1.0).clips[0]
    assert clip.uri.startswith("data:audio/flac;base64,")
    assert decoded(clip.uri) == (tmp_path / "0.flac").read_bytes()
    assert (clip.seconds, clip.cut) == (1.0, False)


def test_a_long_clip_is_cut_and_says_so(tmp_path: Path):
    clip = row(tmp_path, 9.5).clips[0]
    whole, _ = soundfile.read(tmp_path / "0.flac", dtype="int16")
    played, _ = soundfile.read(io.BytesIO(decoded(clip.uri)), dtype="int16")
    assert (clip.seconds, clip.whole_s, clip.cut) == (LONGEST_S, 9.5, True)
    np.testing.assert_array_equal(played, whole[: round(LONGEST_S * SAMPLE_RATE_HZ)])


def test_clips_of_a_row_share_the_axis_of_the_longest(tmp_path: Path):
    made = row(tmp_path, 1.0, 2.5)
    assert (made.seconds, made.top_khz) == (2.5, 8.0)
    assert made.ticks == (0.0, 1.0, 2.0)
    assert row(tmp_path, 6.2).ticks == (0.0, 2.0, 4.0, 6.0)


def test_rows_are_made_only_while_they_fit(tmp_path: Path):
    one = row(tmp_path, 0.5)
    made = []

    def rows():
        for place in range(9):
            made.append(place)
            yield one

    assert len(fitting(rows(), letters=int(3.5 * one.size), most=9)) == 3
    assert made == [0, 1, 2, 3]
    assert len(fitting(rows(), letters=9 * one.size, most=2)) == 2
    assert fitting(rows(), letters=9 * one.size, most=0) == ()


def test_first_rows_are_shown_at_once(tmp_path: Path):
    one = row(tmp_path, 0.5)
    shown = Players(name="a", place="b", title="c", note="d", rows=(one,) * 5, left_out=0)
    assert (len(shown.first), len(shown.more)) == (FIRST_ROWS, 2)


@pytest.mark.parametrize(
    ("transcript", "parts"),
    [
        ("turn on the light", [("turn on the light", "same")]),
        ("turn off the light", [("turn", "same"), ("off", "other"), ("the light", "same")]),
        ("turn on light", [("turn on", "same"), ("the", "missing"), ("light", "same")]),
        ("turn on the red light", [("turn on the", "same"), ("red", "other"), ("light", "same")]),
        ("", [("turn on the light", "missing")]),
    ],
)
def test_words_are_compared_with_what_was_said(transcript: str, parts: list[tuple[str, str]]):
    assert [(part.text, part.kind) for part in compare(transcript, "turn on the light")] == parts


def test_a_clip_that_a_listener_was_not_asked_about_has_no_transcript():
    heard = heard_by("whisper", {"clean": "a b"}, labels=("clean", "attacked"), spoken="a b")
    assert heard.transcripts[0] == compare("a b", "a b")
    assert heard.transcripts[1] is None


def test_a_damaged_clip_is_named(tmp_path: Path):
    file = write_clip(tmp_path / "a.flac", speech(0.5))
    file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(DataError, match=r"a\.flac must be a whole FLAC file; .*truncated\?"):
        read_sound(file, label="clean")
    with pytest.raises(DataError, match=r"b\.flac must be a whole FLAC file"):
        read_sound(tmp_path / "b.flac", label="clean")


@pytest.mark.parametrize(
    ("kind", "shape", "said"),
    [("WAV", (800,), "got WAV"), ("FLAC", (800, 2), "2 channels"), ("WAV", (0,), "0 samples")],
)
def test_a_clip_is_flac_of_one_channel_with_samples(tmp_path: Path, kind: str, shape: tuple[int, ...], said: str):
    file = tmp_path / "a.flac"
    soundfile.write(file, np.zeros(shape, np.float32), SAMPLE_RATE_HZ, format=kind, subtype="PCM_16")
    with pytest.raises(DataError, match=f"must be FLAC of one channel with samples in it; .*{said}"):
        read_sound(file, label="clean")
