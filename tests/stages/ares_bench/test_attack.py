"""Every classifier in every suite: what is written, what it says, the same bytes again."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from gauntlet.readers.classification import read_images
from gauntlet.readers.models import load_model
from stages.ares_bench import attack as stage
from stages.machine import Machine
from tests.fixtures.classification import COLOURS, ColourClassifier, write_images
from tests.stages.ares_bench.conftest import ATTACK, COUNT, SHADES, write_classifier

KINDS = ["int32", "double", "large_string", "large_string"]
KEYS = {
    "clean",
    "radius/linf",
    "radius/l2",
    "steps/1",
    "steps/6",
    "attack/fgsm",
    "attack/mim",
    "low_pass/2",
    "low_pass/16",
    "defence/bit_depth/clean",
    "defence/bit_depth/robust",
    *(f"corruption/{name}/{level}" for name in ("brightness", "contrast") for level in range(1, 6)),
    *(f"transfer/mim/{source}" for source in ("one", "two", "stranger")),
}


def table(outcomes: Path) -> dict[str, dict[str, list]]:
    """Return the outcomes by model and key, in the order of the images."""
    frame = pd.read_parquet(outcomes / "outcomes.parquet")
    return {
        model: {key: part.sort_values("image")["value"].tolist() for key, part in rows.groupby("key")}
        for model, rows in frame.groupby("model")
    }


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def attack(sources, models, tmp_path):
    """Return a function that runs the stage."""

    def run(name: str = "again", *, models: Path = models, paths=None, **changes) -> Path:
        params = stage.Params.model_validate(ATTACK | changes)
        stage.run(params, models=models, **(sources | (paths or {})), outcomes=tmp_path / name)
        return tmp_path / name

    return run


def test_each_outcome_is_a_row(attacked):
    frame = pd.read_parquet(attacked / "outcomes.parquet")
    assert pq.read_schema(attacked / "outcomes.parquet").names == ["image", "value", "model", "key"]
    assert [str(kind) for kind in pq.read_schema(attacked / "outcomes.parquet").types] == KINDS
    assert set(frame["model"]) == {"one", "two", "stranger"}
    for _, rows in frame.groupby("model"):
        assert set(rows["key"]) == KEYS
        assert len(rows) == len(KEYS) * COUNT
    for _, rows in frame.groupby(["model", "key"]):
        assert sorted(rows["image"]) == list(range(COUNT))
    rates = frame[~frame["key"].str.startswith("radius/")]
    assert set(rates["value"]) == {0.0, 1.0}


def test_what_was_tried_stands_beside(attacked):
    listed = json.loads((attacked / "subjects.json").read_text())
    assert listed == {
        "discs": {
            "models": {
                "one": {"trained": {"method": "fgsm", "eps": 24 / 255}, "data": "objects32"},
                "two": {"trained": {"method": "fgsm_law", "eps": 8 / 255}, "data": "objects32"},
                "stranger": {"trained": None, "data": "objects32"},
            },
            "plan": {
                "seed": 0,
                "eps": 24 / 255,
                "budgets": {"linf": pytest.approx([0.1, 0.2, 0.3, 0.4]), "l2": [2, 4, 6, 8]},
            },
        }
    }
    problems = json.loads((attacked / "problems.json").read_text())
    assert problems.keys() == {"one", "two", "stranger"}
    for each in problems.values():
        assert each.keys() == {"", "bit_depth"}
        assert any("gradient" in line and "zero" in line for line in each["bit_depth"])
        assert not any("gradient" in line for line in each[""])


def test_clean_and_unfiltered_outcomes_are_the_models_own(attacked, models, sources):
    data = read_images(sources["images"], "test")
    x = torch.from_numpy(data.x).permute(0, 3, 1, 2).float() / 255
    found = table(attacked)
    for name in ("one", "two"):
        right = (load_model(models / name)[0](x).argmax(1).numpy() == data.labels).astype(float).tolist()
        assert found[name]["clean"] == found[name]["low_pass/16"] == right
    assert sum(found["one"]["clean"]) == COUNT


def test_a_copy_is_fooled_wholly_and_oneself_as_by_a_white_box_attack(attacked):
    found = table(attacked)
    for key, values in found["one"].items():
        assert found["stranger"][key] == values, key
    one = found["one"]
    assert one["transfer/mim/one"] == one["transfer/mim/stranger"] == one["attack/mim"]
    assert 0 <= sum(one["attack/mim"]) < COUNT
    assert sum(found["two"]["transfer/mim/two"]) <= sum(found["two"]["transfer/mim/one"])


def test_stronger_never_leaves_more(attacked):
    for values in table(attacked).values():
        right = {key: np.array(value) > 0 for key, value in values.items()}
        for weak, strong in (
            ("clean", "steps/1"),
            ("steps/1", "steps/6"),
            ("clean", "attack/mim"),
            ("clean", "radius/linf"),
            ("defence/bit_depth/clean", "defence/bit_depth/robust"),
        ):
            assert (right[weak] | ~right[strong]).all(), (weak, strong)
        for norm in ("linf", "l2"):
            assert ((np.array(values[f"radius/{norm}"]) > 0) == right["clean"]).all()


def test_each_model_is_attacked_at_the_eps_that_it_was_trained_with(attack, tmp_path):
    """Curves, frequencies and what is carried from model to model stay as they are."""
    for name, eps in (("narrow", 2 / 255), ("wide", 120 / 255)):
        write_classifier(tmp_path / "models" / name, eps=eps)
    found = table(attack(models=tmp_path / "models", variants=["wide", "narrow"], corruptions=[], defences={}))
    differ = {key for key in found["narrow"] if found["narrow"][key] != found["wide"][key]}
    assert differ == {"steps/1", "steps/6", "attack/fgsm", "attack/mim"}
    assert sum(found["wide"]["steps/6"]) == 0 < sum(found["narrow"]["steps/6"])


def test_two_workers_give_the_same_bytes_and_another_batch_the_same_outcomes(attack, attacked, monkeypatch):
    monkeypatch.setattr("stages.machine.machine", lambda: Machine("cpu", 1, 2))
    assert contents(attack()) == contents(attacked)
    one_batch = table(attack("one batch", batch=100, samples={"images": 0, "models": []}))
    for model, values in table(attacked).items():
        for key, value in values.items():
            assert one_batch[model][key] == pytest.approx(value, abs=1e-6)


def test_the_gallery_shows_what_fools_the_chosen_models(attacked):
    gallery = json.loads((attacked / "samples/gallery.json").read_text())
    assert len(gallery["rows"]) == 2
    radii = [255 * radius for radius in table(attacked)["one"]["radius/linf"]]
    for row, radius, truth in zip(gallery["rows"], radii, COLOURS, strict=False):
        assert row["caption"].startswith(f"one: {truth} becomes ")
        assert row["caption"].endswith(f" at {radius:.1f}/255")
        assert [image["label"] for image in row["images"]] == ["original", "attacked", "change x 10"]
        assert all((attacked / "samples" / image["file"]).is_file() for image in row["images"])


def test_another_test_has_its_own_pictures_and_models(attack, models, sources):
    tests = ATTACK["tests"] | {
        "official": {
            "data": {"layout": "imagenet", "folder": "mine", "held_out": 1},
            "eps": "8/255",
            "largest": {"linf": 0.2},
            "named": {"larger": {"model": "tests.stages.ares_bench.conftest:colours"}},
        },
        "nobody's": {"data": {"layout": "digits"}, "eps": 0.3, "largest": {"linf": 0.5}},
    }
    light = {"corruptions": [], "defences": {}, "step_counts": [1], "attacks": {}, "low_pass": [2], "transfer": {}}
    outcomes = attack(tests=tests, images=3, **light)
    found, listed = table(outcomes), json.loads((outcomes / "subjects.json").read_text())
    assert {name: set(each["models"]) for name, each in listed.items()} == {
        "discs": {"one", "two", "stranger"},
        "official": {"larger"},
    }
    assert listed["official"]["models"]["larger"] == {"trained": None, "data": "mine"}
    assert set(found["larger"]) == {"clean", "radius/linf", "steps/1", "low_pass/2"}
    assert all(len(values) == 3 for rows in found.values() for values in rows.values())
    assert found["larger"]["clean"] == [1, 1, 1]


def test_only_the_chosen_sources_are_carried_over(attack):
    light = {"corruptions": [], "defences": {}, "step_counts": [], "attacks": {}, "low_pass": []}
    found = table(attack(transfer_sources=["two"], **light))
    assert all({key for key in rows if key.startswith("transfer/")} == {"transfer/mim/two"} for rows in found.values())


def test_a_left_over_folder_is_not_tried(attack, tmp_path):
    """Neither is it opened, nor are images made on it carried over to the others."""
    write_classifier(tmp_path / "models/kept")
    write_classifier(tmp_path / "models/removed")
    write_classifier(tmp_path / "models/older", data=None)
    light = {"corruptions": [], "defences": {}, "step_counts": [], "attacks": {}, "low_pass": []}
    outcomes = attack(models=tmp_path / "models", variants=["kept"], **light)
    found, listed = table(outcomes), json.loads((outcomes / "subjects.json").read_text())
    assert set(found) == set(listed["discs"]["models"]) == {"kept", "stranger"}
    sources = {key for rows in found.values() for key in rows if key.startswith("transfer/")}
    assert sources == {"transfer/mim/kept", "transfer/mim/stranger"}


def test_small_pictures_are_not_corrupted(attack, tmp_path):
    write_images(tmp_path / "small", count=3, side_px=16)
    light = {"defences": {}, "step_counts": [], "attacks": {}, "low_pass": [2], "transfer": {}}
    found = table(attack(paths={"images": tmp_path / "small"}, **light))
    assert set(found["one"]) == {"clean", "radius/linf", "radius/l2", "low_pass/2"}


def test_a_named_model_may_bring_one_file_of_weights(attack, sources, tmp_path):
    (tmp_path / "weights").mkdir()
    dull = ColourClassifier(SHADES)
    save_file(dull.state_dict(), tmp_path / "weights/best.safetensors")
    (tmp_path / "weights/README").write_text("mine")
    (tmp_path / "folders.json").write_text(json.dumps({"weights": {"path": str(tmp_path / "weights")}}))
    named = {"mine": {"model": "tests.stages.ares_bench.conftest:colours", "checkpoint": "weights"}}
    test = ATTACK["tests"]["discs"] | {"named": named}
    light = {"corruptions": [], "defences": {}, "step_counts": [1], "low_pass": [2], "transfer": {}}
    found = table(attack(paths={"folders": tmp_path / "folders.json"}, tests={"discs": test}, **light))
    assert found["mine"]["radius/l2"] == found["two"]["radius/l2"] != found["one"]["radius/l2"]
