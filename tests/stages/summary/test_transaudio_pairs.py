from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from gauntlet.errors import DataError
from stages.summary.players import Players
from stages.summary.transaudio_pairs import read_pairs
from tests.fixtures.speech_scores import VICTIMS, write_transaudio_pairs


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_transaudio_pairs(tmp_path)


def read(data: Path, *, rows: int = 24) -> Players | None:
    return read_pairs(data / "attacked/transaudio", data / "scores/transaudio", rows=rows)


def test_the_setting_that_reaches_most_is_heard_the_kinds_in_turn_the_reached_first(data: Path):
    shown = read(data)
    assert shown.title == "Attacked clips: both"
    assert [row.caption.partition(":")[0] for row in shown.rows] == ["delete", "insert", "substitute"] * 2
    reached = [sum(heard.note != "" for heard in row.heard) for row in shown.rows]
    assert reached == [2, 2, 2, 0, 0, 0]


def test_each_row_holds_three_clips_and_every_victim(data: Path):
    rows = read(data).rows
    row = rows[2]
    assert [clip.label for clip in row.clips] == ["clean", "attacked", "noise as loud"]
    assert [heard.listener for heard in row.heard] == list(VICTIMS)
    assert (
        row.caption
        == "substitute: “please enter your account number” is to be heard as “please enter your nothing number”"
    )
    assert [row.note.partition(",")[0] for row in rows[:3]] == [
        "without “account”",
        "with “not”",
        "“nothing” for “account”",
    ]
    assert row.note.replace("\u202f", " ").endswith(", SNR 14.5 dB")


@pytest.mark.parametrize(
    ("clean", "attacked", "note"),
    [
        ("please enter your account number", "please enter your number", "the whole target"),
        ("please enter your account number", "please center your number", "the word"),
        ("please enter your account number", "please enter your a count number", ""),
        ("please enter your number", "please center your number", "the word, even before"),
    ],
)
def test_the_outcome_is_said(data: Path, clean: str, attacked: str, note: str):
    file = data / "scores/transaudio/transcripts.csv"
    head = file.read_text().splitlines()[0]
    spoken, target = "please enter your account number", "please enter your number"
    file.write_text(f"{head}\nboth,delete,delete-0,plain,{spoken},{target},{clean},{attacked},{clean}\n")
    assert next(row for row in read(data).rows if row.heard).heard[0].note == note


def test_rows_are_limited_and_the_others_counted(data: Path):
    shown = read(data, rows=4)
    assert (len(shown.rows), shown.left_out) == (4, 2)


def test_without_transcripts_the_clips_are_still_heard(data: Path):
    (data / "scores/transaudio/transcripts.csv").unlink()
    assert [len(row.heard) for row in read(data).rows] == [0] * 6


def test_where_nothing_was_attacked_there_is_nothing_to_hear(tmp_path: Path):
    assert read(tmp_path) is None


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("attacked/transaudio/both/records.parquet", "no table", r"records\.parquet must be a table of attacked clips"),
        (
            "scores/transaudio/transcripts.csv",
            "setting,kind\nboth,delete\n",
            r"columns of transaudio\.score; id: Field",
        ),
        ("attacked/transaudio/both/delete-0.control.flac", "", r"delete-0\.control\.flac must be a whole FLAC file"),
    ],
)
def test_a_damaged_file_is_named(data: Path, name: str, text: str, said: str):
    (data / name).write_text(text)
    with pytest.raises(DataError, match=said):
        read(data)


@pytest.mark.parametrize(
    ("column", "said"), [("attacked", "must name files beside it"), ("word", "word: Field required")]
)
def test_a_table_of_another_kind_is_named(data: Path, column: str, said: str):
    file = data / "attacked/transaudio/both/records.parquet"
    rows = pyarrow.parquet.read_table(file).to_pylist()
    for row in rows:
        row.pop(column)
        if column == "attacked":
            row[column] = "../secret.flac"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    with pytest.raises(DataError, match=said):
        read(data)
