"""Draws of shots: what is written, taken up after a cut, and refused."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.few_shot import read_set, sample_shots
from gauntlet.training.safe_clip.methods import METHODS
from stages.machine import Machine
from stages.safe_clip import features, fitted
from stages.safe_clip import train as stage
from tests.fixtures.safe_clip import COUNTS, TinyClip, write_set, write_sets

SETTINGS = {
    "pool": {"lr": 1e-2, "epochs": {1: 2}},
    "cache": {"epochs": {1: 2}, "steps": [3, 4]},
    "adapter": {"epochs": {1: 2}, "ratios": [0.5]},
    "probe": {"strengths": [1]},
    "coop": {"epochs": {1: 2}, "context": 2},
}
PARAMS = {
    "official": None, "sets": ["squares", "tiles"], "shots": [1, 2], "seeds": [0, 1], "methods": list(METHODS),
    "short": "error", "views": 2, "least": 0.5, "batch": 8, "settings": SETTINGS,
}  # fmt: skip


@pytest.fixture
def places(tmp_path, monkeypatch) -> dict[str, Path]:
    """Stand in an empty folder with two sets and a CLIP."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stages.machine.machine", lambda: Machine("cpu", 1, 1))
    monkeypatch.setattr(features, "read_clip", lambda source, *, weights="", device="cpu": TinyClip())
    (tmp_path / "clip").mkdir()
    (tmp_path / "folders.json").write_text("{}")
    return {"sets": write_sets(tmp_path / "sets"), "clip": tmp_path / "clip", "folders": tmp_path / "folders.json"}


def train(places: dict[str, Path], models: Path, **changed) -> Path:
    models.mkdir()
    stage.run(stage.Params(**PARAMS | changed), **places, models=models)
    return models


def digest(folder: Path) -> dict[str, str]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_every_draw_is_written_the_same_again(places, tmp_path):
    models = train(places, tmp_path / "models")
    draws = {path.parent.relative_to(models).as_posix() for path in models.glob("*/*/*/chosen.json")}
    assert draws == {f"{name}/{k}/{seed}" for name in PARAMS["sets"] for k in (1, 2) for seed in (0, 1)}
    index = fitted.read_index(models)
    assert (index.sets, index.shots, index.seeds, index.methods) == (PARAMS["sets"], [1, 2], [0, 1], list(METHODS))
    assert digest(models) == digest(train(places, tmp_path / "again"))
    assert not list((tmp_path / ".checkpoints").rglob("state.pt"))


def test_what_is_read_again_answers_as_what_was_fitted(places, tmp_path):
    params, clip = stage.Params(**PARAMS), TinyClip()
    draw = stage.Draw(read_set(places["sets"], "squares"), 0)
    largest = stage.largest_draw(draw, params=params, clip=clip)
    task = stage.task_of(draw, largest, shots=2, clip=clip, short="error")
    before = stage.fit_all(task, params)
    fitted.write_fitted(tmp_path / "draw", before)
    after = fitted.read_fitted(tmp_path / "draw", list(before))
    maps, pooled = task.val.maps[0], task.val.pooled[0]
    for name, each in before.items():
        expected = each.logits(task.frozen, maps, pooled)
        torch.testing.assert_close(after[name].logits(task.frozen, maps, pooled), expected, atol=0.05, rtol=0.01)
        assert after[name].chosen == each.chosen
    assert torch.equal(after["zero_shot"].logits(task.frozen, maps, pooled), task.frozen.zero_shot(pooled))


def test_fewer_shots_take_their_rows_of_the_largest_draw(places):
    params, clip = stage.Params(**PARAMS | {"shots": [1, 3]}), TinyClip()
    few_shot = read_set(places["sets"], "squares")
    draw = stage.Draw(few_shot, 5)
    largest = stage.largest_draw(draw, params=params, clip=clip)
    task = stage.task_of(draw, largest, shots=1, clip=clip, short="error")
    drawn = sample_shots(few_shot, shots=1, seed=5)
    assert task.shots == 1
    assert task.train.labels.tolist() == few_shot.train.labels[drawn.train].tolist()
    plain = features.plain_views(clip, few_shot.val.take(drawn.val), batch=2)
    torch.testing.assert_close(task.val.maps, plain.maps)
    assert clip.seen == 3 * (3 * 2 + 3) + 3  # two views of nine shots, nine to validate on; then three again here


def test_a_class_of_too_few_pictures_repeats_them_only_if_asked(places, tmp_path):
    write_set(places["sets"] / "squares", seed=0, counts=COUNTS | {"train": 1})
    with pytest.raises(DataError, match=r"squares, train: .*at least 2 pictures; 'red' has 1"):
        train(places, tmp_path / "refused")
    assert not list((tmp_path / "refused").iterdir())
    draw = stage.Draw(read_set(places["sets"], "squares"), 0)
    largest = stage.largest_draw(draw, params=stage.Params(**PARAMS | {"short": "repeat"}), clip=TinyClip())
    task = stage.task_of(draw, largest, shots=2, clip=TinyClip(), short="repeat")
    assert torch.bincount(task.train.labels).tolist() == [2, 2, 2]


def test_a_run_cut_off_is_taken_up_and_ends_the_same(places, tmp_path, monkeypatch):
    whole = digest(train(places, tmp_path / "whole"))
    fit_all, fitted_shots = stage.fit_all, []

    def cut(task, params):
        fitted_shots.append((task.shots, task.seed))
        if len(fitted_shots) == 4:
            raise KeyboardInterrupt
        return fit_all(task, params)

    monkeypatch.setattr(stage, "fit_all", cut)
    with pytest.raises(KeyboardInterrupt):
        train(places, tmp_path / "cut")
    assert digest(train(places, tmp_path / "resumed")) == whole
    assert len(fitted_shots) == 4 + 8 - 3  # eight in all, of which three were done


def test_the_seeds_of_methods_and_draws_differ(places):
    views = [
        features.random_views(TinyClip(), read_set(places["sets"], "tiles").val, count=2, least=0.5, seed=seed, batch=5)
        for seed in (0, 0, 1)
    ]
    assert torch.equal(views[0].maps, views[1].maps)
    assert not torch.allclose(views[0].maps, views[2].maps)
    assert not torch.allclose(views[0].maps[0], views[0].maps[1])


def test_a_missing_picture_is_named_before_anything_is_trained(places, tmp_path):
    (places["sets"] / "tiles" / "images" / "train-0.png").unlink()
    with pytest.raises(DataError, match=r"split_zhou_Tiles\.json.*train-0\.png"):
        train(places, tmp_path / "models")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"methods": ["safe", "clip"]}, "methods must be among zero_shot.*got 'clip'"),
        ({"methods": ["zero_shot", "safe_a"]}, "safe_a starts from the pooling of safe"),
        ({"seeds": [0, 0]}, "seeds must name each once"),
        ({"least": 0}, "least"),
        ({"settings": SETTINGS | {"pool": {"blend": "half"}}}, "blend must be one of"),
        ({"settings": SETTINGS | {"pool": {"rate": 1}}}, "rate"),
    ],
)
def test_bad_parameters(changed, message):
    with pytest.raises(ValueError, match=message):
        stage.Params(**PARAMS | changed)


@pytest.mark.parametrize(("file", "content"), [("chosen.json", "{"), ("chosen.json", None), ("safe.safetensors", "{")])
def test_a_folder_that_lacks_something_is_named(places, tmp_path, file, content):
    models = train(places, tmp_path / "models", sets=["tiles"], shots=[1], seeds=[0], methods=["zero_shot", "safe"])
    folder = models / "tiles/1/0"
    assert json.loads((folder / "chosen.json").read_text())["safe"]["alpha"] in np.arange(11) / 10
    (folder / file).unlink()
    if content:
        (folder / file).write_text(content)
    with pytest.raises(DataError, match=f"tiles/1/0/{file} must be whole"):
        fitted.read_fitted(folder, ["zero_shot", "safe"])


def test_a_folder_without_an_index_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"must hold index\.json"):
        fitted.read_index(tmp_path)
    (tmp_path / "index.json").write_text('{"sets": 1}')
    with pytest.raises((DataError, ArgumentError), match=r"index\.json: "):
        fitted.read_index(tmp_path)
