"""Held-out splits, lazily decoded files and the transform of ImageNet, torchvision as the oracle."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.labelled import CentreCrop, Files, Labelled, RandomCrop, balanced_order, hold_out


def smooth(width: int, height: int, *, seed: int = 0) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture
def files(tmp_path):
    paths = []
    for number, size in enumerate([(40, 30), (30, 55), (64, 64)]):
        paths.append(tmp_path / f"{number}.png")
        smooth(*size, seed=number).save(paths[-1])
    return paths


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(0, 9))
def test_each_prefix_holds_every_class_in_its_share(sizes, seed):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    order = balanced_order(labels, seed=seed)
    assert sorted(order) == list(range(len(labels)))
    for count in range(len(labels) + 1):
        held = np.bincount(labels[order[:count]], minlength=len(sizes))
        assert (np.abs(held - count * np.array(sizes) / len(labels)) < len(sizes)).all()


def test_equal_classes_are_held_out_equally():
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(4), 25))
    train = Labelled(np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1), labels, list("abcd"))
    left, held = hold_out(train, 20, seed=3)
    assert np.bincount(held.labels).tolist() == [5, 5, 5, 5]
    assert sorted([*left.x.ravel(), *held.x.ravel()]) == list(range(100))
    assert (held.labels == labels[held.x.ravel()]).all()
    other = hold_out(train, 20, seed=4)[1]
    assert other.x.ravel().tolist() != held.x.ravel().tolist()


@pytest.mark.parametrize("count", [0, 3, 4])
def test_a_held_out_split_leaves_something_to_train_on(count):
    train = Labelled(np.zeros((3, 1, 1, 1), np.uint8), np.zeros(3, np.int64), ["a"])
    with pytest.raises(ArgumentError, match=rf"held_out must lie in 1\.\.2.*got {count}"):
        hold_out(train, count, seed=0)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(50, 40), (33, 47), (20, 20), (101, 64)])
def test_the_centre_crop_is_torchvisions(size, interpolation):
    image = smooth(*size)
    theirs = v2.Compose(
        [v2.Resize(32, interpolation=v2.InterpolationMode(interpolation), antialias=True), v2.CenterCrop(28)]
    )
    ours = CentreCrop(32, 28, interpolation)(image)
    assert (np.asarray(ours) == np.asarray(theirs(image))).all()


def test_files_are_decoded_when_asked_for(files):
    lazy = Files(files, CentreCrop(24, 24))
    assert lazy[1].shape == (24, 24, 3)
    assert (lazy[np.array([2, 0])] == np.stack([lazy[2], lazy[0]])).all()


def test_a_loader_and_the_tensors_give_the_same(files):
    split = Labelled(Files(files, CentreCrop(24, 24)), np.array([0, 1, 0]), ["a", "b"])
    x, y = split.tensors()
    assert (x.dtype, x.shape, x.is_contiguous()) == (torch.uint8, (3, 3, 24, 24), True)
    loaded = list(DataLoader(split, batch_size=2))
    assert torch.equal(torch.cat([batch[0] for batch in loaded]), x)
    assert torch.cat([batch[1] for batch in loaded]).tolist() == y.tolist() == [0, 1, 0]
    assert torch.cat([batch[2] for batch in loaded]).tolist() == [0, 1, 2]
    assert torch.equal(split.take(np.array([2, 1])).tensors().x, x[[2, 1]])
    assert torch.equal(split.tensors(np.array([1])).x, x[1:2])


def test_grey_and_transparent_files_become_rgb(tmp_path):
    Image.new("L", (4, 4), 7).save(tmp_path / "grey.png")
    Image.new("CMYK", (4, 4)).save(tmp_path / "print.jpg")
    found = Files([tmp_path / "grey.png", tmp_path / "print.jpg"])[np.arange(2)]
    assert found.shape == (2, 4, 4, 3)
    assert (found[0] == 7).all()


def test_bad_files_are_named(files):
    with pytest.raises(DataError, match=r"1\.png must be of the others' size .*a transform forgotten"):
        Files(files)[np.arange(3)]
    files[0].write_bytes(files[0].read_bytes()[:50])
    with pytest.raises(DataError, match=r"0\.png must be a whole image"):
        Files(files)[0]
    files[2].unlink()
    with pytest.raises(DataError, match=r"2\.png must exist"):
        Files(files)[2]


def test_what_would_become_another_picture_is_refused(tmp_path, monkeypatch):
    deep, moving, huge = (tmp_path / name for name in ("deep.png", "moving.webp", "huge.png"))
    Image.fromarray(np.full((4, 4), 40_000, np.uint16)).save(deep)
    Image.new("RGB", (4, 4)).save(moving, save_all=True, append_images=[Image.new("RGB", (4, 4), "red")])
    Image.new("RGB", (40, 40)).save(huge)
    with pytest.raises(DataError, match=r"^\S*deep\.png must have 8 bits a colour; it has more \(I;16\)"):
        Files([deep])[0]
    with pytest.raises(DataError, match=r"^\S*moving\.webp must be one picture; it is animated \(2 frames\)"):
        Files([moving])[0]
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match=r"huge\.png must be of a size that fits in memory; .*1600 pixels"):
        Files([huge])[0]


@pytest.mark.parametrize(("settings", "part"), [((20, 24), "crop_px"), ((24, 24, "nearest"), "bilinear, bicubic")])
def test_a_bad_transform_is_named(settings, part):
    with pytest.raises(ArgumentError, match=part):
        CentreCrop(*settings)


def test_a_random_crop_depends_on_seed_and_place_alone(files):
    split = Labelled(Files([files[2]] * 8), np.zeros(8, np.int64), ["a"])
    first = split.transformed(RandomCrop(16, seed=1)).tensors().x
    assert first.shape == (8, 3, 16, 16)
    assert torch.equal(first[5], split.transformed(RandomCrop(16, seed=1))[5][0])
    assert len({bytes(picture.numpy()) for picture in first}) == 8
    assert not torch.equal(first, split.transformed(RandomCrop(16, seed=2)).tensors().x)


def test_a_random_crop_keeps_its_area_and_ratio():
    """On a picture whose value is its own place, the part can be read off its corners."""
    ramp = np.zeros((100, 200, 3), np.uint8)
    ramp[..., 0], ramp[..., 1] = np.arange(200), np.arange(100)[:, None]
    image = Image.fromarray(ramp)
    mirrored = 0
    for place in range(200):
        part = np.asarray(RandomCrop(50, least=0.2)(image, place)).astype(int)
        width, height = abs(part[25, -1, 0] - part[25, 0, 0]), part[-1, 25, 1] - part[0, 25, 1]
        mirrored += part[25, 0, 0] > part[25, -1, 0]
        assert (width + 3) * (height + 3) > 0.18 * 20000
        assert 0.7 < (width + 3) / (height + 3) < 1.45
    assert 70 < mirrored < 130


def test_pictures_in_memory_take_no_transform():
    with pytest.raises(ArgumentError, match="only pictures in files"):
        Labelled(np.zeros((1, 2, 2, 3), np.uint8), np.zeros(1, np.int64), ["a"]).transformed(None)
