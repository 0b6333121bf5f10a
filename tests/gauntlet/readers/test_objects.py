"""Cut-outs, backgrounds and classification images: what is read, and every bad input named."""

import io
import json

import numpy as np
import pandas as pd
import pytest
import webdataset
from PIL import Image

from gauntlet.errors import DataError
from gauntlet.readers.classification import read_images
from gauntlet.readers.objects import decode, read_backgrounds, read_manifest, read_objects
from tests.fixtures.classification import pictures, png, write_images
from tests.fixtures.objects import cut_out, write_backgrounds, write_objects


def encode(array: np.ndarray, form: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, form)
    return stream.getvalue()


def shard(path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    records: dict[str, dict] = {}
    for name, data in members.items():
        key, _, kind = name.partition(".")
        records.setdefault(key, {})[kind] = data
    with webdataset.TarWriter(str(path), mtime=0) as tar:
        for key, kinds in records.items():
            tar.write({"__key__": key, **kinds})


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_an_image_cut_anywhere_is_named(form):
    data = encode(np.random.default_rng(0).integers(0, 256, (24, 24, 3)).astype(np.uint8), form)
    assert decode(data, where="x").shape == (24, 24, 3)
    for length in range(0, len(data) - 16, 7):
        with pytest.raises(DataError, match=r"shard: a\.png must be a whole image; .*truncated, or not an image"):
            decode(data[:length], where="shard: a.png")


def test_cut_outs_come_in_the_order_of_the_manifest(tmp_path):
    found = read_objects(write_objects(tmp_path / "objects", each=1))
    assert [each.key for each in found] == read_manifest(tmp_path / "objects")["key"].tolist()
    assert (found[0].category, found[0].coarse, found[0].style) == ("bus", "vehicle", "photo")
    np.testing.assert_array_equal(found[0].rgba, cut_out(1, style="photo"))


def test_bad_objects(tmp_path):
    folder = write_objects(tmp_path / "objects", each=1)
    manifest = pd.read_parquet(folder / "manifest.parquet")
    shard_path = folder / "shards/objects-0000.tar"
    whole = shard_path.read_bytes()

    def refuse(match: str) -> None:
        with pytest.raises(DataError, match=match):
            read_objects(folder)

    shard_path.write_bytes(whole[:2048])
    refuse("objects-0000.tar, at .*: must be a whole tar")
    shard_path.write_bytes(whole[: len(whole) // 2 // 512 * 512])
    refuse("must be a whole tar|must hold every key")
    shard_path.unlink()
    refuse("must hold shards objects-\\*.tar; found none")
    shard_path.write_bytes(whole)
    for frame, match in [
        (pd.concat([manifest, manifest.tail(1).assign(key="lost")]), "lost is missing; a partial pull"),
        (pd.concat([manifest, manifest.tail(1)]), "each key must stand once"),
        (manifest.drop(columns="style"), "must have a column style"),
        (manifest.rename(columns={"key": "name"}), "must have a column key"),
    ]:
        frame.to_parquet(folder / "manifest.parquet", index=False)
        refuse(match)
    (folder / "manifest.parquet").write_bytes(b"PAR1 not really")
    refuse("must be a whole Parquet file")
    (folder / "manifest.parquet").unlink()
    refuse("manifest.parquet must exist; wrong folder or an unfinished build")


def test_backgrounds(tmp_path):
    folder = write_backgrounds(tmp_path / "backgrounds", count=2)
    assert [each.shape for each in read_backgrounds(folder, "test")] == [(96, 96, 3)] * 2
    with pytest.raises(DataError, match=r"must hold shards train-\*.tar"):
        read_backgrounds(folder, "train")
    shard(folder / "shards/val-0000.tar", {})
    with pytest.raises(DataError, match="must hold backgrounds of the split val; it has none"):
        read_backgrounds(folder, "val")


def test_images(tmp_path):
    found = read_images(write_images(tmp_path / "images", count=4), "test")
    x, masks, labels = pictures(4)
    np.testing.assert_array_equal(found.x, x)
    np.testing.assert_array_equal(found.masks, masks)
    np.testing.assert_array_equal(found.labels, labels)
    assert found.class_names == ["banana", "bus", "whale"]


GOOD = {
    "a.png": png(np.zeros((8, 8, 3), np.uint8)),
    "a.mask.png": png(np.full((8, 8), 255, np.uint8)),
    "a.json": json.dumps({"label": 0}).encode(),
}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"a.png": None}, "a.png must exist beside its siblings"),
        ({"a.mask.png": None}, "a.mask.png must exist beside its siblings"),
        ({"a.json": None}, "a.json must exist beside its siblings"),
        ({"a.png": GOOD["a.png"][:40]}, "a.png must be a whole image"),
        ({"a.mask.png": png(np.ones((8, 8), np.uint8))}, "a: the mask must not be empty; saved as 0/1"),
        ({"a.mask.png": png(np.full((9, 8), 255, np.uint8))}, "a: image and mask must have one size"),
        (
            {"b." + kind.partition(".")[2]: data for kind, data in GOOD.items()}
            | {"b.png": png(np.zeros((9, 9, 3), np.uint8))},
            "b.png must be of the others' size",
        ),
        ({"a.json": b'{"label": 3}'}, "a.json: label must lie in 0..1; got 3"),
        ({"a.json": b'{"label": "bus"}'}, "a.json: label must lie in 0..1; got 'bus'"),
        ({"a.json": b'{"lable": 0}'}, "a.json must be JSON with a label"),
        ({"a.json": b'{"label": 0'}, "a.json must be JSON with a label"),
        (dict.fromkeys(GOOD), "must hold images of the split test; its shards are empty"),
    ],
)
def test_bad_images(tmp_path, change, match):
    members = {name: data for name, data in (GOOD | change).items() if data is not None}
    shard(tmp_path / "test-0000.tar", members)
    (tmp_path / "classes.json").write_text('["banana", "bus"]')
    with pytest.raises(DataError, match=match):
        read_images(tmp_path, "test")


@pytest.mark.parametrize(
    ("content", "match"),
    [(None, "classes.json must exist"), ("[", "must be JSON"), ('{"a": 1}', "list of class names"), ("[1]", "list of")],
)
def test_bad_classes(tmp_path, content, match):
    write_images(tmp_path, count=1)
    path = tmp_path / "classes.json"
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(DataError, match=match):
        read_images(tmp_path, "test")
