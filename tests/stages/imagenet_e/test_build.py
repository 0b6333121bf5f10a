import json
import tarfile

import numpy as np
import pandas as pd
import pytest

from gauntlet.errors import DataError
from gauntlet.readers.classification import read_images
from gauntlet.readers.imagenet_e import read_backdrops
from stages.imagenet_e import build as stage
from stages.imagenet_e.build import BUILT


def test_every_setting_has_the_same_keys_and_labels(edited):
    original = read_images(edited, "original")
    assert len(BUILT) == 10
    assert len(original.keys) == 5
    for slug in BUILT:
        data = read_images(edited, slug)
        assert data.keys == original.keys
        assert np.array_equal(data.labels, original.labels)
    assert read_backdrops(edited, original.keys).shape == original.x.shape


def test_object_pixels_are_exact_where_the_object_stays(edited):
    original = read_images(edited, "original")
    for slug in ("inver", "background_smooth", "background_complex", "background_random"):
        data = read_images(edited, slug)
        assert np.array_equal(data.masks, original.masks)
        assert np.array_equal(data.x[data.masks], original.x[original.masks])


def test_the_manifest_says_what_was_done(edited):
    manifest = pd.read_parquet(edited / "manifest.parquet")
    assert manifest.groupby("setting").size().eq(5).all()
    assert manifest["usable"].all()
    rows = manifest.set_index("setting")
    assert rows.loc["size_0.05", "rate"].sub(0.05).abs().le(0.0151).all()
    assert rows.loc["direction", "angle_deg"].between(-45, 45).all()
    assert rows.loc["direction", "angle_deg"].nunique() == 5
    assert (rows.loc["background_smooth", "lambda"] == -20).all()
    assert (rows.loc["inver", "lambda"] == 0).all()
    assert set(rows["licence"]) == {"MIT"}
    assert rows.loc["position", "name"].iloc[0] == "rp"
    smooth, busy = (rows.loc[f"background_{kind}", "complexity"].to_numpy() for kind in ("smooth", "complex"))
    assert (smooth < busy).all()
    with tarfile.open(edited / "direction-0000.tar") as shard:
        record = json.load(shard.extractfile("test-000000.json"))
    assert {"label", "seed", "angle_deg", "left_px", "lambda", "steps"} <= set(record)


def test_the_gallery_shows_each_edit_beside_the_original(edited):
    gallery = json.loads((edited / "samples" / "gallery.json").read_text())
    assert [image["label"] for image in gallery["rows"][0]["images"]][:3] == ["original", "Inver", "-20"]
    assert len(gallery["rows"]) == 2
    assert len(list((edited / "samples").glob("*.png"))) == 22


def test_two_builds_are_equal_and_another_seed_is_not(build, edited, tmp_path):
    again = build(tmp_path / "again", samples=0, images=5)
    other = build(tmp_path / "other", samples=0, seed=1)
    for slug in BUILT:
        name = f"{slug}-0000.tar"
        assert (again / name).read_bytes() == (edited / name).read_bytes()
    assert (other / "position-0000.tar").read_bytes() != (edited / "position-0000.tar").read_bytes()


def test_an_unusable_picture_is_named_and_in_no_setting(build, tmp_path, monkeypatch):
    arrange = stage.SETTINGS["position"].arrange
    asked = []

    def fail_once(x, mask, generator):
        asked.append(x)
        return None if len(asked) == 3 else arrange(x, mask, generator)

    setting = stage.SETTINGS["position"].__class__(fail_once)
    monkeypatch.setitem(stage.SETTINGS, "position", setting)
    built = build(tmp_path / "edited")
    manifest = pd.read_parquet(built / "manifest.parquet")
    assert manifest.query("not usable")[["key", "setting"]].to_numpy().tolist() == [["test-000002", "position"]]
    assert all(len(read_images(built, slug).keys) == 4 for slug in ("original", *BUILT))
    monkeypatch.setitem(stage.SETTINGS, "position", setting.__class__(lambda x, mask, generator: None))
    with pytest.raises(DataError, match="usable"):
        build(tmp_path / "none")
