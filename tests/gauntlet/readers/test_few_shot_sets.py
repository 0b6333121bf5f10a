"""Every layout of the eleven sets as it stands on disk; every way in which a split file can be wrong, in one line."""

import json

import numpy as np
import pytest

from gauntlet.errors import DataError
from gauntlet.readers.few_shot import read_set
from gauntlet.readers.few_shot_sets import HELD_OUT, LAYOUTS, read_split_file
from tests.fixtures.few_shot_layouts import (
    COUNTS,
    LISTED,
    WNIDS,
    listing,
    write_aircraft,
    write_imagenet,
    write_listed,
    write_picture,
)


def test_there_are_eleven():
    assert len(LAYOUTS) == 11
    assert set(LAYOUTS) == {*LISTED, "imagenet", "fgvc_aircraft"}


@pytest.mark.parametrize("name", LISTED)
def test_a_layout_with_a_split_file(tmp_path, name):
    write_listed(tmp_path, name)
    found = read_set(tmp_path, name)
    assert found.name == name
    assert found.class_names == ["first class", "second class"]
    for split, count in COUNTS.items():
        part = getattr(found, split)
        assert part.labels.tolist() == [0] * count + [1] * count
        assert part.class_names == found.class_names
        assert part.x[np.arange(len(part))][:, 0, 0, 0].tolist() == [
            100 * label + number for number, label in enumerate(part.labels)
        ]


def test_a_set_of_ones_own_keeps_pictures_in_images(tmp_path):
    write_listed(tmp_path, "mine")
    assert len(read_set(tmp_path, "mine").train) == 6


def test_aircraft_by_its_own_lists(tmp_path):
    write_aircraft(tmp_path)
    found = read_set(tmp_path, "fgvc_aircraft")
    assert found.class_names == ["707-320", "Cessna 172"]
    assert [len(getattr(found, split)) for split in COUNTS] == [6, 4, 2]
    assert found.test.labels.tolist() == [0, 1]
    assert found.test.x[1].mean() == pytest.approx(100, abs=2)


def test_imagenets_test_is_its_validation_split(tmp_path):
    write_imagenet(tmp_path)
    found = read_set(tmp_path, "imagenet")
    assert found.class_names == ["tench", "crane", "crane"]
    assert np.bincount(found.val.labels).tolist() == [HELD_OUT] * 3
    assert np.bincount(found.train.labels).tolist() == [3] * 3
    assert all("val" in path.parts for path in found.test.x.paths)
    assert len(found.test) == 2 * len(WNIDS)
    assert not set(found.train.x.paths) & set(found.val.x.paths)
    assert all(
        WNIDS[path.parent.name] == found.class_names[label]
        for path, label in zip(found.train.x.paths, found.train.labels, strict=True)
    )


def test_imagenet_with_too_few_to_hold_out(tmp_path):
    write_imagenet(tmp_path, train=HELD_OUT)
    with pytest.raises(DataError, match="must hold over 10 pictures a class"):
        read_set(tmp_path, "imagenet")


def test_a_missing_picture_is_named_with_its_list(tmp_path):
    place = write_listed(tmp_path, "dtd")
    (place / "images/second_class/val1.png").unlink()
    with pytest.raises(DataError) as caught:
        read_set(tmp_path, "dtd")
    text = str(caught.value)
    assert "split_zhou_DescribableTextures.json, val" in text
    assert "second_class/val1.png must exist" in text
    assert "\n" not in text


def test_aircraft_that_lacks_a_picture_or_has_an_unknown_variant(tmp_path):
    place = write_aircraft(tmp_path)
    (place / "images/0000000.jpg").unlink()
    with pytest.raises(DataError, match=r"images_variant_train\.txt: .*0000000\.jpg must exist"):
        read_set(tmp_path, "fgvc_aircraft")
    (place / "images_variant_val.txt").write_text("1000000 Concorde\n")
    write_picture(place / "images/0000000.jpg", 0)
    with pytest.raises(DataError, match=r"images_variant_val\.txt, line 1: .*Concorde"):
        read_set(tmp_path, "fgvc_aircraft")
    (place / "variants.txt").unlink()
    with pytest.raises(DataError, match=r"variants\.txt must exist"):
        read_set(tmp_path, "fgvc_aircraft")


def test_a_split_file_that_is_away_or_broken(tmp_path):
    with pytest.raises(DataError, match="must be a folder"):
        read_set(tmp_path, "eurosat")
    place = write_listed(tmp_path, "eurosat")
    path = place / "split_zhou_EuroSAT.json"
    path.write_text(path.read_text()[:40])
    with pytest.raises(DataError, match="must be JSON"):
        read_set(tmp_path, "eurosat")
    path.unlink()
    with pytest.raises(DataError, match=r"split_zhou_EuroSAT\.json must exist"):
        read_set(tmp_path, "eurosat")
    with pytest.raises(DataError, match="must hold one split_zhou"):
        read_split_file(place, images="2750")


@pytest.mark.parametrize(
    ("row", "match"),
    [
        (["a/b.png", "0", "first_class"], r"train, row 0: must be \[path, label, class name\]"),
        (["a/b.png", -1, "first_class"], r"must be \[path, label, class name\]"),
        (["a/b.png", 0], r"must be \[path, label, class name\]"),
        (["", 0, "first_class"], r"must be \[path, label, class name\]"),
        (["first_class/train0.png", 1, "first_class"], "label 1 must have one name; got 'first_class' and"),
        (["first_class/train0.png", 7, "seventh"], "without a gap; the last is 7"),
    ],
)
def test_a_malformed_row(tmp_path, row, match):
    place = write_listed(tmp_path, "sun397")
    path = place / "split_zhou_SUN397.json"
    rows = json.loads(path.read_text())
    path.write_text(json.dumps({**rows, "train": [row, *rows["train"]]}))
    with pytest.raises(DataError, match=match) as caught:
        read_set(tmp_path, "sun397")
    assert "split_zhou_SUN397.json" in str(caught.value)


@pytest.mark.parametrize("content", [[], {"train": [], "test": []}, {"train": {}, "val": [], "test": []}])
def test_a_file_without_the_three_lists(tmp_path, content):
    place = write_listed(tmp_path, "ucf101")
    (place / "split_zhou_UCF101.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="must hold lists train, val and test"):
        read_set(tmp_path, "ucf101")


def test_the_order_of_rows_is_the_order_of_pictures(tmp_path):
    rows = listing()
    rows["test"] = rows["test"][::-1]
    write_listed(tmp_path, "food-101", rows=rows)
    found = read_set(tmp_path, "food-101")
    assert found.test.labels.tolist() == [1, 0]
    assert found.class_names == ["first class", "second class"]
