from pathlib import Path

import pytest

from gauntlet.errors import DataError
from stages.summary import transaudio_pairs
from stages.summary.listening import LETTERS, find_players
from stages.summary.players import Players
from tests.fixtures.speech_scores import write_speech_c_samples, write_speech_samples


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "attacked").mkdir()
    write_speech_samples(tmp_path / "built/speech/samples")
    return tmp_path


def find(data: Path, *, rows: int = 24) -> dict[str, Players]:
    return {shown.name: shown for shown in find_players(data / "built", data / "attacked", data / "scores", rows=rows)}


def test_a_sentence_is_heard_in_each_voice_and_people_stand_abreast(data: Path):
    speech = find(data)["speech"]
    assert [tuple(clip.label for clip in row.clips) for row in speech.rows] == [
        ("All operators are busy now", "All lines are busy now"),
        *[("espeak en-gb", "espeak en-us")] * 3,
    ]
    assert [row.caption for row in speech.rows[:2]] == ["prompts", "Turn on the light, please."]
    assert speech.left_out == 0


def test_rows_are_limited_and_the_others_counted(data: Path):
    speech = find(data, rows=2)["speech"]
    assert (len(speech.rows), speech.left_out) == (2, 2)


def test_the_shortest_utterance_is_heard_in_every_corruption_the_clean_one_first(data: Path):
    write_speech_c_samples(data / "built/speech_c/samples")
    shown = find(data)["speech_c"]
    labels = [clip.label.replace("\u202f", " ") for row in shown.rows for clip in row.clips]
    assert labels[:4] == ["clean", "clipping: headroom −3 dB", "noise: colour 0.3, SNR 10 dB", "pitch: cents −350"]
    assert len(labels) == 1 + 3 * 3
    assert list(dict.fromkeys(row.caption for row in shown.rows)) == ["Severity 3", "Severity 5", "Severity 1"]
    assert shown.rows[0].clips[0].seconds == pytest.approx(1.2)


def test_the_page_grows_by_less_than_four_megabytes():
    assert sum(LETTERS.values()) + transaudio_pairs.LETTERS < 4_000_000


def test_where_nothing_was_built_there_is_nothing_to_hear(tmp_path: Path):
    assert find_players(*(tmp_path / name for name in ("built", "attacked", "scores")), rows=4) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("espeak_en-gb-0.flac\t", "../secret.flac\t", "must list files beside the list"),
        ("espeak_en-gb-0.flac\t", "gone.flac\t", r"gone\.flac must be a whole FLAC file"),
        ("\t", " ", "line 2 must have file, text, domain, raw_text; file is missing; no tabs"),
        ("turn on the light please", "", "line 2 must have .*; text is missing"),
    ],
)
def test_a_damaged_list_is_named(data: Path, old: str, new: str, said: str):
    file = data / "built/speech/samples/transcripts.tsv"
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(DataError, match=said):
        find(data)
