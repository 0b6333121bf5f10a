"""Files with stable bytes, DVC's hashes, COCO files and scores."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import yaml
from PIL import Image
from pycocotools import mask as rle

from stages import Params
from stages.coco_files import annotation, write_image, write_instances
from stages.files import dvc_md5, write_gallery, write_json
from stages.machine import Machine
from stages.scores import write_score


def test_json_has_one_form(tmp_path):
    write_json(tmp_path / "new/a.json", {"b": 0.1, "a": [1, None], "ü": "é"})
    assert (tmp_path / "new/a.json").read_text() == '{\n "a": [\n  1,\n  null\n ],\n "b": 0.1,\n "ü": "é"\n}\n'
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(tmp_path / "b.json", {"x": float("nan")})


def test_hashes_are_dvcs(tmp_path):
    folder = tmp_path / "folder"
    for name in ("x.txt", "a/b/y.bin", "a/ü b.txt", "a.txt", "a-b/z", "Z/q", ".hidden/.gitignore", "empty"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode() * (name != "empty"))
    (folder / "nothing").mkdir()
    (tmp_path / "one.bin").write_bytes(os.urandom(1000))
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    no_scm = True\n")
    env = os.environ | {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(tmp_path / "site")}
    command = [sys.executable, "-m", "dvc", "add", "-q", "folder", "one.bin"]
    subprocess.run(command, cwd=tmp_path, env=env, check=True)
    for name in ("folder", "one.bin"):
        assert dvc_md5(tmp_path / name) == yaml.safe_load((tmp_path / f"{name}.dvc").read_text())["outs"][0]["md5"]


def test_a_gallery_names_its_pictures(tmp_path):
    grey = np.full((4, 5), 9, np.uint8)
    write_gallery(tmp_path / "samples", title="T", note="N", rows=[("first", {"original": grey, "a/b c": grey})])
    content = json.loads((tmp_path / "samples/gallery.json").read_text())
    assert content == {
        "title": "T",
        "note": "N",
        "rows": [
            {
                "caption": "first",
                "images": [
                    {"label": "original", "file": "0000_original.png"},
                    {"label": "a/b c", "file": "0000_a-b-c.png"},
                ],
            }
        ],
    }
    with Image.open(tmp_path / "samples/0000_a-b-c.png") as image:
        np.testing.assert_array_equal(np.asarray(image), grey)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own
def test_an_annotation_holds_its_mask(tmp_path):
    mask = np.zeros((20, 30), bool)
    mask[3:9, 5:25] = mask[12, 7] = True
    record = annotation(mask, category_id=2, object="cow")
    assert record["bbox"] == [5, 3, 20, 10]
    assert (record["area"], record["iscrowd"], record["object"]) == (121, 0, "cow")
    np.testing.assert_array_equal(rle.decode(record["segmentation"]).astype(bool), mask)
    images = [{"id": 1}, {"id": 2}, {"id": 3}]
    write_instances(tmp_path / "a.json", images, [[record], [], [record, record]], categories=[], about={})
    content = json.loads((tmp_path / "a.json").read_text())
    assert [(each["id"], each["image_id"]) for each in content["annotations"]] == [(1, 1), (2, 3), (3, 3)]


def test_images_have_one_form(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    for name in ("a.jpg", "b.jpg"):
        write_image(tmp_path / "x" / name, image)
    assert (tmp_path / "x/a.jpg").read_bytes() == (tmp_path / "x/b.jpg").read_bytes()


def test_a_score_says_what_it_was_made_from(tmp_path, monkeypatch):
    class Toy(Params):
        seed: int
        scale: tuple[float, float]

    monkeypatch.setattr("stages.scores.machine", lambda: Machine("cpu", 1, 2))
    (tmp_path / "data").mkdir()
    (tmp_path / "data/x").write_text("x")
    headline = {"name": "ap", "value": 0.5, "low": 0.4, "high": 0.6, "n": 9, "interval": "95 % bootstrap"}
    write_score(
        tmp_path / "s.json",
        method="coco_o",
        subject="fcos",
        results={"ap": 0.5},
        headline=headline,
        n=9,
        seeds=[0],
        scorer="pycocotools",
        params=Toy(seed=0, scale=(0.1, 0.2)),
        inputs={"data": tmp_path / "data", "data/x": tmp_path / "data/x"},
    )
    score = json.loads((tmp_path / "s.json").read_text())
    assert set(score) == {
        *("method", "stage", "subject", "results", "headline", "n", "seeds", "scorer"),
        *("device", "threads", "versions", "params", "inputs"),
    }
    assert score["stage"] == "coco_o-score@fcos"
    assert score["params"] == {"seed": 0, "scale": [0.1, 0.2]}
    assert score["inputs"] == {"data": dvc_md5(tmp_path / "data"), "data/x": "9dd4e461268c8034f5c8564e155c67a6"}
    assert score["inputs"]["data"].endswith(".dir")
