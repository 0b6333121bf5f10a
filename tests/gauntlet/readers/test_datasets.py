"""Tiny ImageNet, class folders and lists in exactly their layouts, torchvision's ImageFolder as the oracle."""

import io

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import ImageFolder

from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.datasets import DATASETS, read_dataset
from gauntlet.readers.imagenet_folder import read_class_folders, read_image_list, read_imagenet
from gauntlet.readers.labelled import CentreCrop
from gauntlet.readers.tiny_imagenet import read_tiny_imagenet
from tests.fixtures.classification import write_images

WNIDS = ["n02124075", "n01443537", "n04067472"]  # as in wnids.txt: not sorted


def jpeg(value, *, size=(64, 64), mode="RGB"):
    stream = io.BytesIO()
    Image.new(mode, size, value if mode == "L" else (value, value, value)).save(stream, "JPEG", quality=100)
    return stream.getvalue()


@pytest.fixture
def tiny(tmp_path):
    """Each picture's grey value is 10 x (place of its wnid in sorted order) + its number."""
    place = tmp_path / "tiny-imagenet-200"
    for wnid in WNIDS:
        folder = place / "train" / wnid / "images"
        folder.mkdir(parents=True)
        boxes = []
        for number in range(10):
            value = 20 * sorted(WNIDS).index(wnid) + number
            (folder / f"{wnid}_{number}.JPEG").write_bytes(jpeg(value, mode="L" if number == 3 else "RGB"))
            boxes.append(f"{wnid}_{number}.JPEG\t0\t10\t63\t58\n")
        (folder.parent / f"{wnid}_boxes.txt").write_text("".join(boxes))
    (place / "val" / "images").mkdir(parents=True)
    rows = []
    for number, wnid in enumerate([WNIDS[2], WNIDS[0], WNIDS[0], WNIDS[1]]):
        (place / "val" / "images" / f"val_{number}.JPEG").write_bytes(jpeg(20 * sorted(WNIDS).index(wnid)))
        rows.append(f"val_{number}.JPEG\t{wnid}\t0\t32\t44\t62\n")
    (place / "val" / "val_annotations.txt").write_text("".join(rows))
    (place / "test" / "images").mkdir(parents=True)
    (place / "wnids.txt").write_text("\n".join(WNIDS))
    words = "n00001740\tentity\nn01443537\tgoldfish, Carassius auratus\nn02124075\tEgyptian cat\nn04067472\treel\n"
    (place / "words.txt").write_text(words)
    return tmp_path


def test_tiny_imagenet(tiny):
    test = read_tiny_imagenet(tiny, "test")
    assert test.labels.tolist() == [2, 1, 1, 0]
    assert test.class_names == ["goldfish, Carassius auratus", "Egyptian cat", "reel"]
    x, y = test.tensors()
    assert x.shape == (4, 3, 64, 64)
    assert (x.float().mean((1, 2, 3)) - 20 * y).abs().max() < 1.5
    train, val = (read_tiny_imagenet(tiny / "tiny-imagenet-200", split, held_out=6) for split in ("train", "val"))
    assert np.bincount(val.labels).tolist() == [2, 2, 2]
    values = [split.tensors().x.float().mean((1, 2, 3)) for split in (train, val)]
    numbers = [f"{20 * label + number}" for label in range(3) for number in range(10)]
    assert sorted(np.concatenate(values).round().astype(int).astype(str)) == sorted(numbers)
    assert (values[1].numpy() // 20 == val.labels).all()


@pytest.mark.parametrize(
    ("spoil", "part"),
    [
        (lambda place: (place / "wnids.txt").unlink(), r"wnids\.txt must exist"),
        (lambda place: (place / "val" / "val_annotations.txt").write_text("a.JPEG n02124075"), "line 1.*spaces for"),
        (lambda place: (place / "val" / "images" / "val_2.JPEG").unlink(), r"val_2\.JPEG must exist"),
        (lambda place: (place / "val" / "images" / "val_0.JPEG").write_bytes(jpeg(3)[:90]), "a whole image"),
    ],
)
def test_a_bad_tiny_imagenet_is_one_line(tiny, spoil, part):
    spoil(tiny / "tiny-imagenet-200")
    with pytest.raises(DataError, match=part) as caught:
        read_tiny_imagenet(tiny, "test").tensors()
    assert "\n" not in str(caught.value)


def test_a_tiny_class_without_pictures_is_named(tiny):
    for path in (tiny / "tiny-imagenet-200" / "train" / WNIDS[1] / "images").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="n01443537/images must hold pictures"):
        read_tiny_imagenet(tiny, "train", held_out=2)


@pytest.fixture
def imagenet(tmp_path):
    for split, count in (("train", 5), ("val", 2)):
        for place, wnid in enumerate(WNIDS):
            folder = tmp_path / split / wnid
            folder.mkdir(parents=True)
            for number in range(count):
                name = f"{wnid}_{number}.JPEG" if split == "train" else f"ILSVRC2012_val_{place}{number}.JPEG"
                (folder / name).write_bytes(jpeg(50 * place + number, size=(80 + 9 * number, 70)))
        (tmp_path / split / WNIDS[0] / ".DS_Store").write_bytes(b"")
    return tmp_path


def test_class_folders_are_torchvisions(imagenet):
    ours = read_imagenet(imagenet, "test", transform=CentreCrop(64, 56))
    theirs = ImageFolder(imagenet / "val")
    assert [(str(path), label) for path, label in zip(ours.x.paths, ours.labels, strict=True)] == theirs.samples
    assert ours.class_names == theirs.classes
    assert ours.tensors().x.shape == (6, 3, 56, 56)
    assert read_imagenet(imagenet, "test")[0][0].shape == (3, 224, 224)


def test_the_models_own_order_of_classes_wins(imagenet):
    names = ["n09999999", *WNIDS]
    split = read_class_folders(imagenet / "val", transform=None, class_names=names)
    assert [names[label] for label in split.labels] == [path.parent.name for path in split.x.paths]


def test_held_out_pictures_come_from_train(imagenet):
    train, val = (read_imagenet(imagenet, split, held_out=3) for split in ("train", "val"))
    assert np.bincount(val.labels).tolist() == [1, 1, 1]
    assert {path.parent.parent.name for path in val.x.paths} == {"train"}
    assert sorted([*train.x.paths, *val.x.paths]) == sorted((imagenet / "train").rglob("*.JPEG"))


def test_bad_class_folders_are_named(imagenet, tmp_path):
    with pytest.raises(DataError, match="one folder a class; it holds none"):
        read_class_folders(imagenet / "val" / WNIDS[0], transform=None)
    with pytest.raises(DataError, match="must be named by one of the 2 classes"):
        read_class_folders(imagenet / "val", transform=None, class_names=WNIDS[:2])
    (imagenet / "val" / "n99999999").mkdir()
    with pytest.raises(DataError, match="n99999999 must hold pictures"):
        read_imagenet(imagenet, "test")
    (tmp_path / "flat" / "val").mkdir(parents=True)
    (tmp_path / "flat" / "val" / "ILSVRC2012_val_00000001.JPEG").write_bytes(jpeg(1))
    with pytest.raises(DataError, match="not yet sorted into wnids"):
        read_imagenet(tmp_path / "flat", "test")


def test_the_list_of_ares(imagenet):
    (imagenet / "list.txt").write_text(
        f"{WNIDS[2]}/ILSVRC2012_val_20.JPEG 2 0\n{WNIDS[0]}/ILSVRC2012_val_01.JPEG 0 1\n"
    )
    images, targets = read_image_list(imagenet / "list.txt", imagenet / "val", class_names=WNIDS)
    assert images.labels.tolist() == [2, 0]
    assert targets.tolist() == [0, 1]
    assert images.tensors().x.float().mean((1, 2, 3)).numpy() == pytest.approx([100, 1], abs=1.5)


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (f"{WNIDS[0]}/ILSVRC2012_val_00.JPEG 0", "line 2: must be a path, a label and a target"),
        (f"{WNIDS[0]}/ILSVRC2012_val_00.JPEG 0 3", r"0\.\.2; got"),
        ("away.JPEG 0 1", r"away\.JPEG must exist; does the path start elsewhere"),
    ],
)
def test_a_bad_line_is_named(imagenet, line, part):
    (imagenet / "list.txt").write_text(f"{WNIDS[0]}/ILSVRC2012_val_00.JPEG 0 1\n{line}\n")
    with pytest.raises(DataError, match=part):
        read_image_list(imagenet / "list.txt", imagenet / "val", class_names=WNIDS)


def test_by_name(tiny, tmp_path):
    assert len(read_dataset("tiny_imagenet", tiny, "val", held_out=3)) == 3
    built = read_dataset("objects", write_images(tmp_path / "objects", split="val"), "val")
    assert built.class_names == ["banana", "bus", "whale"]
    assert built.tensors().x.shape == (6, 3, 64, 64)
    assert set(DATASETS) == {"objects", "digits", "cifar10", "cifar100", "tiny_imagenet", "imagenet"}


@pytest.mark.parametrize(
    ("layout", "split", "part"),
    [("cifar", "train", "layout must be one of objects"), *((each, "valid", "'valid'") for each in DATASETS)],
)
def test_an_unknown_name_lists_the_known(tmp_path, layout, split, part):
    with pytest.raises(ArgumentError, match=part):
        read_dataset(layout, tmp_path, split)
