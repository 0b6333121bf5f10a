"""Shifted versions of a set: their classes find their places among the source's."""

import json

import pytest

from gauntlet.errors import DataError
from gauntlet.readers.few_shot_targets import IMAGENET_TARGETS, read_target
from tests.fixtures.few_shot_layouts import WNIDS, write_class_list, write_listed, write_picture

NAMES = list(WNIDS.values())


def write_target(folder, name, keys):
    place = folder / name
    for key in keys:
        number = int(key) if key.isdecimal() else list(WNIDS).index(key)
        write_picture(place / IMAGENET_TARGETS[name] / key / "a.jpg", 80 * number)
    write_class_list(place)
    return place


@pytest.mark.parametrize("name", IMAGENET_TARGETS)
def test_pictures_go_to_the_place_of_their_class(tmp_path, name):
    keys = ["0", "1", "2"] if name == "imagenetv2" else list(WNIDS)
    write_target(tmp_path, name, keys)
    found = read_target(tmp_path, name, class_names=NAMES)
    assert found.images.class_names == NAMES
    assert found.places.tolist() == [0, 1, 2]
    assert [round(float(found.images.x[i].mean()) / 80) for i in range(3)] == found.images.labels.tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", ["imagenet-adversarial", "imagenet-rendition"])
def test_a_target_with_some_of_the_classes(tmp_path, name):
    place = write_target(tmp_path, name, list(WNIDS)[1:])
    (place / IMAGENET_TARGETS[name] / "README.txt").write_text("not a class")
    found = read_target(tmp_path, name, class_names=NAMES)
    assert found.places.tolist() == [1, 2]
    assert found.images.labels.tolist() == [0, 1]
    assert found.images.class_names == ["crane", "crane"]


def test_numbered_classes_are_no_texts(tmp_path):
    """ "10" follows "9", as CoOp reads it, and not "1"."""
    write_target(tmp_path, "imagenetv2", ["2", "0"])
    assert read_target(tmp_path, "imagenetv2", class_names=NAMES).places.tolist() == [0, 2]


def test_a_style_of_a_set_has_test_pictures_alone(tmp_path):
    rows = {"train": [], "val": [], "test": [["b/0.png", 0, "second_class"], ["a/1.png", 1, "first_class"]]}
    write_listed(tmp_path, "photos-flat", rows=rows)
    found = read_target(tmp_path, "photos-flat", class_names=["first class", "second class"])
    assert found.places.tolist() == [1, 0]
    assert found.images.labels.tolist() == [0, 1]


def test_bad_targets(tmp_path):
    with pytest.raises(DataError, match="must be a folder"):
        read_target(tmp_path, "imagenetv2", class_names=NAMES)
    place = write_target(tmp_path, "imagenet-sketch", list(WNIDS))
    with pytest.raises(DataError, match="must be the source's own list"):
        read_target(tmp_path, "imagenet-sketch", class_names=NAMES[::-1])
    (place / "classnames.txt").write_text("n01440764\n")
    with pytest.raises(DataError, match="line 1: must be a wnid and a name"):
        read_target(tmp_path, "imagenet-sketch", class_names=NAMES)
    write_listed(tmp_path, "other")
    with pytest.raises(DataError, match="'second class' is not"):
        read_target(tmp_path, "other", class_names=["first class"])
    (tmp_path / "other" / "split_zhou_Other.json").write_text(json.dumps({"train": [], "val": [], "test": []}))
    with pytest.raises(DataError, match="must have test pictures"):
        read_target(tmp_path, "other", class_names=["first class"])
