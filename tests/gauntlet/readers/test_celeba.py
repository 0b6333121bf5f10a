"""CelebA's layout: columns, partition, crop."""

import pytest

from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.celeba import read_celeba
from tests.fixtures.celeba import ROWS, write_celeba


@pytest.fixture
def celeba(tmp_path):
    return write_celeba(tmp_path / "celeba")


def test_attributes_crop_and_the_official_bounds(celeba):
    faces = read_celeba(celeba, "train", size_px=64)
    assert faces.keys == ("000001.jpg", "000002.jpg")
    assert faces.edits is None
    assert faces.names == ("black_hair", "blond_hair", "brown_hair", "glasses", "beard")
    assert faces.attributes.tolist() == [[True, False, False, True, False], [False, False, True, False, True]]
    assert faces.x.shape == (2, 3, 64, 64)
    red, _, blue = faces.x[0].float().mean((1, 2)) / 255
    assert red > 0.98
    assert blue < 0.02
    assert read_celeba(celeba, "val", size_px=32).keys == ("162771.jpg",)
    assert read_celeba(celeba, "test", size_px=32).keys == ("182638.jpg",)
    assert read_celeba(celeba, "train", size_px=32, count=1).keys == ("000001.jpg",)


def test_the_partition_file_decides_where_it_is_there(celeba):
    (celeba / "Eval").mkdir()
    text = "\n".join(f"{name} {split}" for name, split in zip(ROWS, (2, 0, 2, 1), strict=True))
    (celeba / "Eval" / "list_eval_partition.txt").write_text(text)
    assert read_celeba(celeba, "test", size_px=32).keys == ("000001.jpg", "162771.jpg")


def swap(file, old, new):
    """Change a text file."""
    file.write_text(file.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda at: (at / "list_attr_celeba.txt").unlink(), r"list_attr_celeba\.txt must exist; it does not"),
        (lambda at: swap(at / "list_attr_celeba.txt", "Eyeglasses", "Glasses"), "must name Eyeglasses"),
        (lambda at: swap(at / "list_attr_celeba.txt", "-1 1 -1 -1 1 1 1", "-1 1 0"), "line 3: must be a picture and 7"),
        (lambda at: (at / "img_align_celeba" / "000002.jpg").unlink(), r"000002\.jpg must exist"),
        (lambda at: (at / "img_align_celeba" / "000001.jpg").write_bytes(b"x"), r"000001\.jpg must be a whole image"),
        (
            lambda at: (at / "list_eval_partition.txt").write_text("000001.jpg 3\n"),
            "line 1: must be a picture and 0",
        ),
        (lambda at: (at / "list_eval_partition.txt").write_text("000001.jpg 1\n"), "must list pictures of split train"),
    ],
)
def test_bad_files_are_named(celeba, change, words):
    change(celeba)
    with pytest.raises(DataError, match=words):
        read_celeba(celeba, "train", size_px=32)


def test_bad_arguments(celeba):
    with pytest.raises(ArgumentError, match="size_px and count must be at least 1; got 0 and None"):
        read_celeba(celeba, "train", size_px=0)
    with pytest.raises(ArgumentError, match="split must be one of"):
        read_celeba(celeba, "trian", size_px=32)
