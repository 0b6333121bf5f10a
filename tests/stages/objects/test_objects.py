"""From archives to scenes: joined, split, composed, and the same bytes on every run and with any number of workers."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pycocotools import mask as rle
from pycocotools.coco import COCO

from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.archives import members
from gauntlet.readers.classification import read_images
from gauntlet.readers.objects import read_backgrounds, read_objects
from stages.files import dvc_md5
from stages.machine import Machine
from stages.objects import backgrounds, build, catalogue, images, scenes
from tests.fixtures.sources import NAMES, THINGS, write_archive, write_sources, write_wallpapers

DRAWN = ("openmoji", "noto", "fxemoji", "fluent_flat", "fluent_3d")
SHARES = {"train": 0.5, "val": 0.25, "test": 0.25}
COUNTS = {"train": 6, "val": 3, "test": 4}
BUILD = build.Params(seed=0, max_side_px=40, min_side_px=8, duplicate_bits=3, shares=SHARES)
BACKGROUNDS = backgrounds.Params(
    seed=0, size_px=64, crops_per_wallpaper=3, min_width_px=150, min_contrast=0.02, shares=SHARES
)
SCENES = scenes.Params(
    seed=0,
    size_px=64,
    images=COUNTS,
    level="coarse",
    classes=["mammal", "vehicle"],
    sources=["openmoji", "noto", "fluentui-emoji", "fluent-emoji-3d"],
    objects_per_scene=(1, 3),
    scale=(0.3, 0.7),
    least_visible=0.3,
)
IMAGES = images.Params(
    seed=0,
    size_px=32,
    level="coarse",
    split="instance",
    styles=["flat", "render", "outline"],
    images=COUNTS,
    scale=(0.5, 0.9),
    classes=None,
    least_cutouts=1,
)


def make(folder: Path, raw: Path) -> dict[str, Path]:
    """Run the four stages and return their outputs."""
    names = ("objects", "backgrounds", "scenes", "images")
    made = {name: folder / name for name in names}
    sources = {name: raw / f"{name}.tar" for name in (*DRAWN, "stamps")}
    build.run(BUILD, **sources, objects=made["objects"])
    papers = {name: raw / f"{name}.tar" for name in ("gnome", "plasma")}
    backgrounds.run(BACKGROUNDS, **papers, backgrounds=made["backgrounds"])
    inputs = {"objects": made["objects"], "backgrounds": made["backgrounds"]}
    scenes.run(SCENES, **inputs, scenes=made["scenes"])
    images.run(IMAGES, size="32", **inputs, images=made["images"])
    return made


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    write_sources(folder)
    write_wallpapers(folder)
    return folder


@pytest.fixture(scope="module")
def made(raw, tmp_path_factory) -> dict[str, Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "read_names", lambda: NAMES)
        patch.setattr("stages.machine.machine", lambda: Machine("cpu", 1, 1))
        return make(tmp_path_factory.mktemp("made"), raw)


def test_two_workers_write_the_bytes_of_one(made, raw, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "read_names", lambda: NAMES)
    monkeypatch.setattr("stages.machine.machine", lambda: Machine("cpu", 1, 2))
    again = make(tmp_path, raw)
    assert {name: dvc_md5(path) for name, path in made.items()} == {name: dvc_md5(p) for name, p in again.items()}


def test_the_catalogue_joins_the_hands(raw):
    sources = {name: raw / f"{name}.tar" for name in DRAWN}
    found = list(catalogue.drawings(sources, NAMES))
    assert len({entry.key for entry in found}) == len(found) == 8 * 5 + 1  # fxemoji draws the cow alone
    cow = {entry.source + "/" + entry.style: entry for entry in found if entry.key.endswith("-1f404")}
    assert sorted(cow) == [
        "fluent-emoji-3d/render",
        "fluentui-emoji/flat",
        "fxemoji/flat",
        "noto/flat",
        "openmoji/flat",
        "openmoji/outline",
    ]
    assert cow["openmoji/flat"].drawing == cow["openmoji/outline"].drawing != cow["noto/flat"].drawing
    assert cow["fluentui-emoji/flat"].drawing == cow["fluent-emoji-3d/render"].drawing
    assert cow["noto/flat"].licence == "L-noto"
    assert {entry.category for entry in found} == {"cow", "cat", "elephant", "car", "bus", "motorcycle"}
    assert {entry.coarse for entry in found if entry.category == "car"} == {"vehicle"}
    assert {entry.category for entry in found if "1f3cd" in entry.key} == {"motorcycle"}
    photographs = list(catalogue.photographs(raw / "stamps.tar", NAMES))
    assert [(entry.category, entry.style) for entry in photographs] == [("cow", "photo"), ("cat", "photo")]


def test_a_source_that_lacks_something_is_named(raw, tmp_path):
    sources = {name: raw / f"{name}.tar" for name in DRAWN}
    sources["openmoji"] = write_archive(tmp_path / "openmoji.tar", {"a": b""})
    with pytest.raises(DataError, match=r"openmoji\.tar must hold data/openmoji\.json"):
        list(catalogue.drawings(sources, NAMES))
    names = NAMES | {"photographs": {"mammal": {"animals": {"yeti": "yeti"}}}}
    with pytest.raises(DataError, match=r"stamps\.tar must hold animals/yeti\.png"):
        list(catalogue.photographs(raw / "stamps.tar", names))


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"<svg", "openmoji: x.svg must be a drawing in SVG"),
        (b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"></svg>', "openmoji: x.svg: .*its mask is empty"),
        (b"\x89PNG", "openmoji: x.svg must be a whole image"),
    ],
)
def test_a_bad_picture_is_named(data, match):
    entry = catalogue.Entry("k", "cow", "mammal", "flat", "openmoji", "MIT", "x.svg", "d", data)
    with pytest.raises(DataError, match=match):
        build.render(entry, max_side_px=32)


def test_objects(made):
    manifest = pd.read_parquet(made["objects"] / "manifest.parquet")
    found = read_objects(made["objects"])
    assert [(each.rgba.shape[1], each.rgba.shape[0]) for each in found] == list(
        zip(manifest["width"], manifest["height"], strict=True)
    )
    for each in found:
        assert max(each.rgba.shape[:2]) <= BUILD.max_side_px
        mask = each.rgba[..., 3] >= 32
        assert mask.any(0).all() or mask.any(0)[[0, -1]].all()
        assert mask[0].any()
        assert mask[-1].any()
    assert (manifest.groupby("group")["split"].nunique() == 1).all()
    assert (manifest.groupby("category")["split_category"].nunique() == 1).all()
    assert set(manifest["split"]) == set(SHARES)
    outline = next(each for each in found if each.style == "outline")
    assert (outline.rgba[outline.rgba.shape[0] // 2, outline.rgba.shape[1] // 2] == 255).all()
    gallery = json.loads((made["objects"] / "samples/gallery.json").read_text())
    assert {row["caption"].partition(":")[0] for row in gallery["rows"]} == {"mammal", "vehicle"}


def test_linked_groups_are_joined():
    assert build._join([0, 0, 2, 3], [0, 1, 1, 3]) == [0, 0, 0, 3]


def test_backgrounds(made):
    manifest = pd.read_parquet(made["backgrounds"] / "manifest.parquet")
    assert (manifest.groupby("wallpaper")["split"].nunique() == 1).all()
    assert manifest["wallpaper"].nunique() == 12
    assert not manifest["wallpaper"].str.contains("screenshot|240x").any()
    assert set(manifest["licence"]) == {"L-gnome", "L-plasma"}
    for split in SHARES:
        found = read_backgrounds(made["backgrounds"], split)
        assert len(found) == (manifest["split"] == split).sum() > 0
        assert {each.shape for each in found} == {(64, 64, 3)}


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own
def test_scenes_are_coco(made):
    objects = pd.read_parquet(made["objects"] / "manifest.parquet").set_index("key")
    for split, count in COUNTS.items():
        coco = COCO(made["scenes"] / f"annotations/instances_{split}2017.json")
        assert len(coco.imgs) == count
        assert [category["name"] for category in coco.cats.values()] == ["mammal", "vehicle"]
        assert len({each["id"] for each in coco.anns.values()}) == len(coco.anns) >= count // 2
        for each in coco.anns.values():
            mask = coco.annToMask(each).astype(bool)
            rows, columns = np.nonzero(mask)
            assert each["bbox"] == [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
            assert each["area"] == mask.sum() == rle.area(coco.annToRLE(each))
            row = objects.loc[each["object"]]
            assert (row["split"], row["style"]) == (split, each["style"])
            assert coco.cats[each["category_id"]]["name"] == row["coarse"]
        for each in coco.imgs.values():
            with Image.open(made["scenes"] / f"{split}2017" / each["file_name"]) as image:
                assert image.size == (each["width"], each["height"]) == (64, 64)


def test_images_are_read_back(made):
    objects = pd.read_parquet(made["objects"] / "manifest.parquet").set_index("key")
    manifest = pd.read_parquet(made["images"] / "manifest.parquet")
    for split, count in COUNTS.items():
        found = read_images(made["images"], split)
        assert found.x.shape == (count, 32, 32, 3)
        assert found.class_names == ["mammal", "vehicle"]
        assert np.bincount(found.labels).tolist() == [(count + 1) // 2, count // 2]
        rows = manifest[manifest["split"] == split]
        assert rows["key"].tolist() == found.keys
        assert set(objects.loc[rows["object"], "split"]) == {split}
        assert (found.masks.mean((1, 2)) > 0.02).all()
        assert "photo" not in set(rows["style"])


def test_a_class_without_cut_outs_is_named(made):
    cutouts = read_objects(made["objects"])
    wrong = SCENES.model_copy(update={"classes": ["mammal", "mamal"]})
    with pytest.raises(ArgumentError, match="'mamal' has none in train; misspelt, or of another level than coarse"):
        scenes.pools(cutouts, made["backgrounds"], wrong)
    held = IMAGES.model_copy(update={"level": "category", "split": "category"})
    with pytest.raises(ArgumentError, match="with split: category the level must be coarse"):
        images.pools(cutouts, held)


def test_every_thing_of_the_fixture_is_used(raw):
    codes = {member.name for member in members(raw / "openmoji.tar", "color/*")}
    assert codes == {f"color/svg/{code}.svg" for code, _, _ in THINGS}
