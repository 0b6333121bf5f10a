"""Which pictures a stage is given: the split asked for, from the place that the layout names."""

import json

import numpy as np
import pytest
from PIL import Image

from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.classification import read_images
from gauntlet.readers.labelled import Labelled
from stages.labelled import Data, read, some
from tests.fixtures.classification import write_images
from tests.gauntlet.readers.test_digits import write_digits


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Write objects32, a tar of digits too few to split, and folders.json with an official folder of pictures."""
    folder = tmp_path_factory.mktemp("places")
    for seed, split in enumerate(("train", "test")):
        write_images(folder / "objects32", split=split, count=6, seed=seed, side_px=16)
    write_digits(folder / "digits.tar", [[0] * 785] * 3)
    picture = read_images(folder / "objects32", "test").x[0]
    for split in ("train", "val"):
        for number in range(9):
            place = folder / "official" / split / f"n0000000{number % 3}" / f"{split}{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.roll(picture, number, axis=0)).save(place)
    (folder / "folders.json").write_text(json.dumps({"mine": {"path": str(folder / "official")}}))
    return {"images": folder / "objects32", "digits": folder / "digits.tar", "folders": folder / "folders.json"}


@pytest.mark.parametrize("split", ["train", "test"])
def test_objects_are_those_built_here(places, split):
    found, built = read(Data(layout="objects"), split, **places), read_images(places["images"], split)
    assert np.array_equal(found.x, built.x)
    assert np.array_equal(found.labels, built.labels)
    assert found.class_names == built.class_names


def test_digits_come_from_their_tar(places):
    with pytest.raises(DataError, match=r"digits\.tar: must hold more than 1500 digits; got 3"):
        read(Data(layout="digits"), "test", **places)


def test_an_official_data_set_comes_from_the_folder_of_its_name(places):
    data = Data(layout="imagenet", folder="mine", held_out=2)
    counts = {split: len(read(data, split, **places)) for split in ("train", "val", "test")}
    assert counts == {"train": 7, "val": 2, "test": 9}
    first, other = (read(Data(**(dict(data) | {"seed": seed})), "val", **places) for seed in (0, 1))
    assert first.x.paths != other.x.paths


@pytest.mark.parametrize(
    ("data", "kind", "line"),
    [
        ({"layout": "objects", "folder": "mine"}, ArgumentError, "data.folder must be null for objects and digits"),
        ({"layout": "imagenet"}, ArgumentError, "else a name of raw.folder; got None with the layout imagenet"),
        ({"layout": "digits", "held_out": 3}, ArgumentError, "data.held_out must be null for digits, split already"),
        ({"layout": "cifar10", "folder": "other"}, DataError, "must hold 'other'; it has mine"),
        ({"layout": "imagenet", "folder": "mine", "held_out": 9}, ArgumentError, "within the training split; got 9"),
    ],
)
def test_what_does_not_go_together_is_one_line(places, data, kind, line):
    with pytest.raises(kind) as caught:
        read(Data(**data), "train", **places)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("layout", "folder", "name"),
    [
        ("objects", None, "objects32"),
        ("digits", None, "digits"),
        ("imagenet", "imagenet_100", "imagenet_100"),
    ],
)
def test_reports_call_a_folder_by_its_name(layout, folder, name):
    assert Data(layout=layout, folder=folder).name == name


def numbered(count: int, *, classes: int) -> Labelled:
    labels = np.sort(np.arange(count) % classes)
    return Labelled(np.arange(count).reshape(-1, 1, 1, 1), labels, [str(number) for number in range(classes)])


@pytest.mark.parametrize("count", [None, 12, 13])
def test_all_of_them_are_all_of_them(count):
    pictures = numbered(12, classes=3)
    assert some(pictures, count, seed=0) is pictures


def test_some_of_sorted_pictures_hold_every_class_in_its_share():
    pictures = numbered(60, classes=4)
    drawn = {seed: some(pictures, 20, seed=seed) for seed in (0, 1)}
    for few in drawn.values():
        places = few.x[:, 0, 0, 0]
        assert np.bincount(few.labels).tolist() == [5, 5, 5, 5]
        assert (np.diff(places) > 0).all()
        assert np.array_equal(few.labels, pictures.labels[places])
    assert not np.array_equal(drawn[0].x, drawn[1].x)
    assert np.array_equal(some(pictures, 20, seed=1).x, drawn[1].x)
