"""A few pictures of each set in its authors' layout; torchvision is the oracle of the transforms."""

import json

import numpy as np
import pytest
from PIL import Image, ImageOps
from torchvision import transforms

from gauntlet.errors import ArgumentError, DataError
from gauntlet.metrics.corruptions import ALEXNET_ERROR
from gauntlet.readers.imagenet_ood import (
    OOD_SETS,
    read_imagenet_200,
    read_imagenet_c,
    read_objectnet,
    read_real,
    read_subset,
    read_v2,
    read_viewpoints,
)

WNIDS = ["n01440764", "n01443537", "n01484850", "n01491361", "n01494475", "n01496331"]
BICUBIC = transforms.InterpolationMode.BICUBIC


def paint(path, size=(30, 20)):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(len(str(path))).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(noise).save(path, **({"quality": 90} if path.suffix != ".png" else {}))
    return path


def logits(*answers, runner_up=None):
    """Rows whose largest output is the answer, and whose second is runner_up."""
    rows = np.zeros((len(answers), len(WNIDS)))
    rows[np.arange(len(answers)), answers] = 2
    if runner_up is not None:
        rows[:, runner_up] = 1
    return rows


@pytest.fixture
def by_wnid(tmp_path):
    for number, wnid in enumerate((WNIDS[0], WNIDS[2], WNIDS[2]), 1):
        paint(tmp_path / "set" / wnid / f"ILSVRC2012_val_{number:08d}.JPEG")
    return tmp_path / "set"


@pytest.fixture
def objectnet(tmp_path):
    folder = tmp_path / "objectnet-1.0"
    for name in ("air_freshener", "alarm_clock", "banana"):
        paint(folder / "images" / name / "0a1b.png", (300, 280))
    maps = {
        "objectnet_to_imagenet_1k.json": {"Alarm clock": "analog clock; digital clock", "Banana": "banana"},
        "folder_to_objectnet_label.json": {
            "air_freshener": "Air freshener",
            "alarm_clock": "Alarm clock",
            "banana": "Banana",
        },
        "pytorch_to_imagenet_2012_id.json": {"0": 2, "1": 0, "2": 1, "3": 3, "4": 5, "5": 4},
    }
    (folder / "mappings").mkdir()
    for name, table in maps.items():
        (folder / "mappings" / name).write_text(json.dumps(table))
    names = ["analog clock", "kit fox", "banana", "digital clock", "tench", "goldfish"]
    (folder / "mappings" / "imagenet_to_label_2012_v2").write_text("\n".join(names) + "\n")
    return folder


@pytest.mark.parametrize("name", ["imagenet_sketch", "imagenet_stylized"])
def test_wnid_folders(by_wnid, name):
    found = OOD_SETS[name](by_wnid, wnids=WNIDS)
    assert list(found.right) == [{0}, {2}, {2}]
    assert found.judge(logits(0, 2, 1)).tolist() == [True, True, False]
    assert found.judge(logits(2), places=[1]).tolist() == [True]


def test_the_usual_transform_is_torchvisions(tmp_path):
    usual = transforms.Compose([transforms.Resize(256, interpolation=BICUBIC), transforms.CenterCrop(224)])
    for size in ((300, 400), (431, 227), (200, 200), (257, 255)):
        path = paint(tmp_path / f"{size[0]}" / WNIDS[0] / "a.png", size)
        found = OOD_SETS["imagenet_sketch"](path.parent.parent, wnids=WNIDS)
        assert (found.x[0] == np.asarray(usual(Image.open(path)))).all()


def test_objectnets_transform_cuts_the_frame_and_keeps_the_rest(objectnet):
    image = ImageOps.crop(Image.open(objectnet / "images" / "banana" / "0a1b.png"), border=2)
    usual = transforms.Compose([transforms.Resize(224, interpolation=BICUBIC), transforms.CenterCrop(224)])
    assert (read_objectnet(objectnet, wnids=WNIDS).x[1] == np.asarray(usual(image))).all()


def test_stylized_and_c_are_taken_as_they_are(by_wnid):
    found = OOD_SETS["imagenet_stylized"](by_wnid, wnids=WNIDS)
    assert found.x[0].shape == (20, 30, 3)
    larger = OOD_SETS["imagenet_stylized"](by_wnid, wnids=WNIDS, size_px=48)
    assert larger.x[np.arange(3)].shape == (3, 48, 48, 3)


@pytest.mark.parametrize("width", [1, 4])
def test_v2s_folders_are_numbers_whatever_their_padding(tmp_path, width):
    for label in (0, 2, 10, 11):
        paint(tmp_path / f"{label:0{width}d}" / "1e.jpeg")
    found = read_v2(tmp_path, wnids=[*WNIDS, *"abcdef"])
    assert sorted(next(iter(right)) for right in found.right) == [0, 2, 10, 11]
    for path, right in zip(found.x.paths, found.right, strict=True):
        assert right == {int(path.parent.name)}  # sorted as text, "10" would be label 1


@pytest.mark.parametrize("name", ["imagenet_a", "imagenet_r"])
def test_only_the_subsets_outputs_are_compared(by_wnid, name):
    found = OOD_SETS[name](by_wnid, wnids=WNIDS, subset=2)
    assert found.outputs.tolist() == [0, 2]
    assert found.judge(logits(1, 1, 1, runner_up=2)).tolist() == [False, True, True]


def test_two_hundred_classes_are_the_mask(tmp_path):
    wnids = [f"n{number:08d}" for number in range(0, 3000, 3)]
    for wnid in wnids[::5]:
        paint(tmp_path / wnid / "0.jpg", (4, 4))
    assert len(read_subset(tmp_path, wnids=wnids).outputs) == 200


def test_imagenet_200_is_the_validation_set_of_rs_classes(by_wnid, tmp_path):
    paint(by_wnid / WNIDS[4] / "ILSVRC2012_val_00000009.JPEG")
    for wnid in (WNIDS[0], WNIDS[4]):
        paint(tmp_path / "r" / wnid / "art_0.jpg")
    found = read_imagenet_200(by_wnid, wnids=WNIDS, renditions=tmp_path / "r", subset=2)
    assert list(found.right) == [{0}, {4}]
    assert found.outputs.tolist() == [0, 4]


def test_real_has_several_labels_and_skips_pictures_without(by_wnid, tmp_path):
    (tmp_path / "real.json").write_text(json.dumps([[0, 5], [], [3]]))
    found = read_real(by_wnid, wnids=WNIDS, labels=tmp_path / "real.json")
    assert list(found.right) == [{0, 5}, {3}]
    assert found.left_out == {"no label in real.json": 1}
    assert [path.stem[-1] for path in found.x.paths] == ["1", "3"]
    assert found.judge(logits(5, 2)).tolist() == [True, False]


@pytest.mark.parametrize("first", [0, 1])
def test_objectnet_maps_outputs_to_its_classes(objectnet, first):
    table = objectnet / "mappings" / "pytorch_to_imagenet_2012_id.json"
    lines = {output: line + first for output, line in json.loads(table.read_text()).items()}
    table.write_text(json.dumps(lines))
    found = read_objectnet(objectnet, wnids=WNIDS)
    assert list(found.right) == [{1, 3}, {0}]  # lines 0 and 3, and 2, of the names
    assert found.left_out == {"not a class of ImageNet": 1}
    assert found.judge(logits(3, 3)).tolist() == [True, False]
    assert found.judge(logits(4, 4, runner_up=1)).tolist() == [False, False]  # what maps to nothing is wrong


def test_viewpoints_by_list(tmp_path):
    paint(tmp_path / "car" / "0.png")
    (tmp_path / "list.txt").write_text("car/0.png 3\n\ncar/0.png 1 4\n")
    found = read_viewpoints(tmp_path, wnids=WNIDS, listing=tmp_path / "list.txt")
    assert list(found.right) == [{3}, {1}]


def test_c_is_fifteen_times_five_in_the_papers_order(tmp_path):
    for name in (*ALEXNET_ERROR, "saturate"):
        for severity in range(1, 6):
            paint(tmp_path / name / str(severity) / WNIDS[severity] / "ILSVRC2012_val_00000001.JPEG", (8, 8))
    found = read_imagenet_c(tmp_path, wnids=WNIDS)
    assert list(found) == list(ALEXNET_ERROR)
    assert [list(each.right) for each in found["fog"]] == [[{1}], [{2}], [{3}], [{4}], [{5}]]
    (tmp_path / "snow" / "4").rename(tmp_path / "snow" / "four")
    with pytest.raises(DataError, match="snow/4 must exist"):
        read_imagenet_c(tmp_path, wnids=WNIDS)


def test_a_model_of_other_classes(by_wnid):
    found = OOD_SETS["imagenet_sketch"](by_wnid, wnids=WNIDS)
    with pytest.raises(ArgumentError, match=r"3 x 6, a row a picture; got \(3, 5\)"):
        found.judge(logits(0, 2, 1)[:, :5])


@pytest.mark.parametrize(
    ("read", "says"),
    [
        (lambda at: read_v2(at, wnids=WNIDS), "a label in 0..5"),
        (lambda at: read_v2(at / "none", wnids=WNIDS), "holds none"),
        (lambda at: read_subset(at, wnids=WNIDS), "200 class folders, which are the mask; got 2"),
        (lambda at: read_subset(at.parent, wnids=WNIDS, subset=1), "set must be named by a wnid"),
        (lambda at: read_real(at, wnids=WNIDS, labels=at / "real.json"), "real.json must exist"),
        (lambda at: read_objectnet(at, wnids=WNIDS), "objectnet_to_imagenet_1k.json must exist"),
        (lambda at: read_viewpoints(at, wnids=WNIDS, listing=at / "list"), "list must exist"),
        (lambda at: read_imagenet_c(at, wnids=WNIDS), "gaussian_noise/1 must exist"),
        (lambda at: OOD_SETS["imagenet_sketch"](at.parent, wnids=WNIDS), "set must be named by one of"),
    ],
)
def test_another_layout_is_one_line(by_wnid, read, says):
    with pytest.raises(DataError, match=says) as caught:
        read(by_wnid)
    assert "\n" not in str(caught.value)


def test_v2_with_a_label_twice(tmp_path):
    paint(tmp_path / "1" / "a.jpeg")
    paint(tmp_path / "0001" / "a.jpeg")
    with pytest.raises(DataError, match="only folder of its label"):
        read_v2(tmp_path, wnids=WNIDS)


def test_imagenet_200_lacks_a_class(by_wnid, tmp_path):
    paint(tmp_path / "r" / WNIDS[5] / "art_0.jpg")
    with pytest.raises(DataError, match=f"{WNIDS[5]} must exist"):
        read_imagenet_200(by_wnid, wnids=WNIDS, renditions=tmp_path / "r", subset=1)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("[[0], [1]", "must be JSON"),
        ('{"a": 1}', "must hold a JSON list"),
        ("[[0], [1, 6], [2]]", "entry 1: must be a list of labels in 0..5"),
        ("[[0], [true], [2]]", "entry 1"),
        ("[[0], [1]]", "00000003.JPEG is beyond its 2"),
        ("[[], [], []]", "must have labels"),
    ],
)
def test_damaged_real_labels(by_wnid, tmp_path, written, says):
    (tmp_path / "real.json").write_text(written)
    with pytest.raises(DataError, match=says):
        read_real(by_wnid, wnids=WNIDS, labels=tmp_path / "real.json")


def test_real_needs_the_pictures_numbers(by_wnid, tmp_path):
    (tmp_path / "real.json").write_text("[[0], [1], [2]]")
    paint(by_wnid / WNIDS[0] / "cat.JPEG")
    with pytest.raises(DataError, match=r"cat\.JPEG must be named ILSVRC2012"):
        read_real(by_wnid, wnids=WNIDS, labels=tmp_path / "real.json")


@pytest.mark.parametrize(
    ("name", "written", "says"),
    [
        ("objectnet_to_imagenet_1k.json", "{}", "it is empty"),
        ("objectnet_to_imagenet_1k.json", '{"Chair": "throne"}', "must hold 'Chair'"),
        ("objectnet_to_imagenet_1k.json", '{"Banana": "plantain"}', "must hold 'plantain'"),
        ("folder_to_objectnet_label.json", "[]", "a JSON object"),
        ("pytorch_to_imagenet_2012_id.json", '{"0": "tench"}', "numbers to numbers"),
    ],
)
def test_damaged_maps_of_objectnet(objectnet, name, written, says):
    (objectnet / "mappings" / name).write_text(written)
    with pytest.raises(DataError, match=says):
        read_objectnet(objectnet, wnids=WNIDS)


@pytest.mark.parametrize(
    ("line", "says"),
    [("car/0.png", "a path and a label"), ("car/0.png 6", "0..5"), ("car/9.png 1", "must exist"), ("", "empty")],
)
def test_damaged_list_of_viewpoints(tmp_path, line, says):
    paint(tmp_path / "car" / "0.png")
    (tmp_path / "list.txt").write_text(line)
    with pytest.raises(DataError, match=says):
        read_viewpoints(tmp_path, wnids=WNIDS, listing=tmp_path / "list.txt")


def test_a_truncated_picture_is_named(by_wnid):
    path = by_wnid / WNIDS[0] / "ILSVRC2012_val_00000001.JPEG"
    path.write_bytes(path.read_bytes()[:300])
    found = OOD_SETS["imagenet_sketch"](by_wnid, wnids=WNIDS)
    with pytest.raises(DataError, match=r"00000001\.JPEG must be a whole image"):
        found.x[0]
