import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from gauntlet.errors import ArgumentError, DataError
from gauntlet.metrics.imagenet_e import REAL_EDITS, SETTINGS
from gauntlet.readers.classification import read_images
from stages.imagenet_e import score as stage
from tests.fixtures.classification import COLOURS, ColourClassifier

SCORE = {
    "seed": 0,
    "resamples": 50,
    "batch": 2,
    "examples": 3,
    "architecture": None,
    "settings": {},
    "official": None,
    "resize_px": 40,
    "crop_px": 32,
}
WNIDS = ["n01440764", "n01443537", "n01484850"]
"""The first three classes of ImageNet stand for the three colours."""


@pytest.fixture
def folders(edited, tmp_path):
    """Copy the built settings, put the busier one in the adversarial one's place, and enter the official folder."""
    shutil.copytree(edited, tmp_path / "edited")
    adversarial = tmp_path / "adversarial"
    adversarial.mkdir()
    shutil.copy(edited / "classes.json", adversarial)
    shutil.copy(edited / "background_complex-0000.tar", adversarial / "background_adversarial-0000.tar")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.json").write_text("{}\n")
    (tmp_path / "folders.json").write_text(json.dumps({"imagenet_e": {"path": str(tmp_path / "official")}}))
    return tmp_path


@pytest.fixture
def run(folders, monkeypatch):
    """Run the stage with the classifier that knows the colours."""

    def scored(*, classes=tuple(COLOURS), **changes):
        colours = tuple(COLOURS[name] for name in classes)
        monkeypatch.setattr(
            stage, "load_model", lambda folder: (ColourClassifier(colours), SimpleNamespace(classes=list(classes)))
        )
        stage.run(
            stage.Params(**(SCORE | changes)),
            classifier="colours",
            edited=folders / "edited",
            adversarial=folders / "adversarial",
            model=folders / "model",
            folders=folders / "folders.json",
            score=folders / "colours.json",
        )
        return json.loads((folders / "colours.json").read_text())

    return scored


def test_a_score_holds_all_eleven_settings_and_their_mean(run):
    written = run()
    results = written["results"]
    assert results["original"]["top1"]["value"] == 1
    assert list(results["settings"]) == sorted(SETTINGS)
    drops = {slug: results["settings"][slug]["drop"]["value"] for slug in SETTINGS}
    assert results["mean_drop"]["value"] == pytest.approx(np.mean([drops[slug] for slug in REAL_EDITS]))
    assert results["control_drop"]["value"] == drops["inver"] == 0
    assert (written["headline"]["name"], written["headline"]["n"], written["n"]) == ("mean_drop", 5, 5)
    assert written["headline"]["value"] == results["mean_drop"]["value"]


def test_the_order_of_the_models_classes_does_not_matter(run):
    first = run()["results"]
    assert run(classes=("whale", "bus", "banana"))["results"] == first


def test_what_an_edit_loses_is_named(run, monkeypatch):
    monkeypatch.setattr(stage, "_predict", lambda network, pictures: np.zeros(len(pictures), int))
    results = run()["results"]
    assert results["original"]["correct"] == 2
    assert all(not setting["examples_lost"] and setting["lost"] == 0 for setting in results["settings"].values())


def test_settings_of_two_builds_are_refused(run, folders):
    shutil.copy(folders / "adversarial/background_adversarial-0000.tar", folders / "edited/position-0000.tar")
    lines = (folders / "edited/position-0000.tar").read_bytes().replace(b"test-000001", b"test-000009")
    (folders / "edited/position-0000.tar").write_bytes(lines)
    with pytest.raises(DataError):
        run()


def test_a_missing_setting_is_named(run, folders):
    (folders / "adversarial/background_adversarial-0000.tar").unlink()
    with pytest.raises(DataError, match="background_adversarial"):
        run()


def test_a_model_by_name_needs_the_official_folders(run):
    with pytest.raises(ArgumentError, match="needs official"):
        run(architecture="torchvision:resnet18")


def test_the_official_folders_are_read_by_a_map(run, folders, monkeypatch):
    original = read_images(folders / "edited", "original")
    for place, setting in {"val": "original", "bg20": "background_complex", "rp": "position"}.items():
        data = read_images(folders / "edited", setting)
        for number, (x, label) in enumerate(zip(data.x, original.labels, strict=True), start=1):
            path = folders / "official" / place / WNIDS[label] / f"ILSVRC2012_val_{number:08d}.JPEG"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.pad(x, ((0, 0), (8, 0), (0, 0)), mode="edge")).save(path, quality=95)
    (folders / "official/rp" / WNIDS[0] / "ILSVRC2012_val_00000001.JPEG").unlink()
    asked = []

    def build(spec, *, classes, settings):
        asked.append((spec, classes, settings))
        return ColourClassifier()

    monkeypatch.setattr(stage, "build", build)
    official = {
        "folder": "imagenet_e",
        "settings": {"original": "val", "background_complex": "bg20", "position": "rp"},
    }
    written = run(architecture="torchvision:resnet18", settings={"weights": "DEFAULT"}, official=official)
    assert asked == [("torchvision:resnet18", 1000, {"weights": "DEFAULT"})]
    assert written["results"]["left_out"] == ["ILSVRC2012_val_00000001"]
    assert written["results"]["original"]["top1"] == {"value": 1.0, "low": 1.0, "high": 1.0, "n": 4}
    assert set(written["results"]["settings"]) == {"background_complex", "position"}
    assert written["results"]["mean_drop"] is None
    assert written["headline"]["name"] == "top1"


@pytest.mark.parametrize("size", [(50, 80), (300, 200), (32, 32)])
def test_the_middle_square_is_cut(size):
    picture = np.zeros((*size, 3), np.uint8)
    picture[size[0] // 2 - 2 : size[0] // 2 + 2, size[1] // 2 - 2 : size[1] // 2 + 2] = 255
    cut = stage.middle(picture, resize_px=40, crop_px=32)
    assert cut.shape == (32, 32, 3)
    assert cut[15:18, 15:18].max() == cut.max() > 30
