"""iap_face.train on toy faces and an editor without weights: folders, reader, the same bytes, a run taken up."""

import hashlib
import json
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from gauntlet.errors import ArgumentError
from gauntlet.readers.protectors import read_protector
from stages.iap_face import train
from stages.iap_face.train import Params, run
from stages.machine import Machine
from tests.fixtures.iap_faces import Tint, toy_faces, toy_phi

CURRICULUM = {"message": 0, "full": 0, "distortions": 0}
JPEG = {"jpeg": [50, 90]}
PARAMS = {
    "seed": 0,
    "shape": {"bits": 8, "size_px": 16, "width": 8, "blocks": 1, "band": 16},
    "held_out": ["unseen"],
    "batch": 4,
    "lr": 3e-3,
    "half": False,
    "val_faces": 4,
    "joint": {
        "epochs": 2,
        "universal_steps": 2,
        "guides": "editor",
        "setting": {"curriculum": CURRICULUM, "distortions": {"jpeg": [50, 90]}},
    },
    "message_only": {"epochs": 1, "universal_steps": 0, "guides": "none", "setting": {"disruption": 0}},
    "disruption_only": {
        "epochs": 1,
        "universal_steps": 0,
        "guides": "none",
        "setting": {"message": 0, "curriculum": CURRICULUM},
    },
}


@pytest.fixture(autouse=True)
def world(tmp_path, monkeypatch):
    """Faces of 32 px for a protector of 16; an editor that no training may call."""

    class Unseen(Tint):
        def edit(self, x, attribute):
            raise AssertionError("held out")

    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for module in ("stages.checkpoint", "stages.iap_face.train"):
        monkeypatch.setattr(f"{module}.machine", lambda: Machine("cpu", 1, 1))
    monkeypatch.setattr(train, "read_faces", lambda folder, split: SimpleNamespace(x=toy_faces(8, size_px=32)))
    monkeypatch.setattr(
        train, "read_manipulators", lambda folder, device: {"tint": Tint("tint"), "unseen": Unseen("unseen")}
    )
    monkeypatch.setattr(train, "read_face_features", lambda folder, device: toy_phi())
    monkeypatch.setattr(train, "parallel", lambda function, items, **_: [function(item) for item in items])
    return tmp_path


def made(world, name="out", **changes):
    run(Params(**PARAMS | changes), faces=world / "in", manipulators=world / "in", model=world / name)
    return world / name


def digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_three_protectors_are_written_and_read(world):
    folder = made(world)
    for each in (folder, folder / "message_only", folder / "disruption_only"):
        assert read_protector(each).bits == 8
        config = json.loads((each / "config.json").read_text())
        assert (config["manipulators"], config["held_out"]) == (["tint"], ["unseen"])
    history = json.loads((folder / "history.json").read_text())
    assert [record["epoch"] for record in history] == [1, 2]
    assert all(isinstance(value, int | float) for record in history for value in record.values())
    assert set(json.loads((folder / "validation.json").read_text())["manipulated"]) == {"tint"}
    assert not list(world.glob(".checkpoints/*/*"))


def test_the_same_parameters_give_the_same_bytes_and_another_seed_others(world):
    first = digests(made(world))
    assert digests(made(world, "again")) == first
    assert digests(made(world, "other", seed=1))["model.safetensors"] != first["model.safetensors"]


def test_a_run_that_was_broken_off_is_taken_up(world, monkeypatch):
    whole = digests(made(world))
    real = train.train_protector

    def breaks(state, *args, **how):
        for record in real(state, *args, **how):
            yield record
            if record["epoch"] == 1:
                raise KeyboardInterrupt

    monkeypatch.setattr(train, "train_protector", breaks)
    with pytest.raises(KeyboardInterrupt):
        made(world, "broken")
    monkeypatch.setattr(train, "train_protector", real)
    assert digests(made(world, "resumed")) == whole


@pytest.mark.parametrize(
    ("held_out", "says"), [(["stargun"], "held_out must be among"), (["tint", "unseen"], "must be left to train")]
)
def test_a_held_out_editor_must_exist_and_leave_another(world, held_out, says):
    with pytest.raises(ArgumentError, match=says):
        made(world, held_out=held_out)


@pytest.mark.parametrize("wrong", [{"batch": 1}, {"lr": 0}, {"val_faces": 0}, {"epochs": 3}])
def test_params_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError):
        Params(**PARAMS | wrong)
