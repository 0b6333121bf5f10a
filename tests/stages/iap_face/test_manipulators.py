"""iap_face.manipulators on toy faces: folders that the reader takes, the same bytes again, a run taken up, refusals."""

import json

import pytest
import torch
from pydantic import ValidationError

from gauntlet.errors import ArgumentError, DataError
from gauntlet.models.critics import StarGanCritic
from gauntlet.models.stargan import StarGan, StarGanShape
from gauntlet.readers.faces import Faces
from gauntlet.readers.manipulators import FEATURES, read_face_features, read_manipulators
from gauntlet.training.manipulators import face_rows
from stages.iap_face import manipulators
from stages.iap_face.manipulators import Params, edit_distance, run
from stages.machine import Machine

NAMES = ("black_hair", "glasses")
NONE = {"paired": 0.0, "region": 0.0, "reconstruction": 0.0, "adversarial": 0.0, "labels": 0.0}
PARAMS = {
    "seed": 0,
    "epochs": 1,
    "batch": 4,
    "lr": 0.01,
    "weight_decay": 0.0,
    "network": {"width": 2, "blocks": 1, "kernel": 3, "norm": "batch"},
    "weights": NONE | {"paired": 1.0, "region": 1.0},
    "critic": None,
    "half": True,
    "measured": 2,
    "published": None,
}
CRITIC = {"width": 2, "layers": 2, "lr": 0.001, "turns": 1}


def toys(_, split, *, paired=True):
    count = {"train": 8, "val": 3}[split]
    generator = torch.Generator().manual_seed(count)
    x = torch.randint(256, (count, 3, 8, 8), dtype=torch.uint8, generator=generator)
    edits = {"black_hair": x // 4, "glasses": 255 - x} if paired else None
    labels = torch.rand(count, 2, generator=generator) < 0.5
    return Faces(x, labels, NAMES, edits, tuple(f"{split}-{n}" for n in range(count)))


@pytest.fixture(autouse=True)
def toy_faces(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stages.checkpoint.machine", lambda: Machine("cpu", 1, 1))
    monkeypatch.setattr(manipulators, "machine", lambda: Machine("cpu", 1, 1))
    monkeypatch.setattr(manipulators, "read_faces", toys)
    (tmp_path / "faces").mkdir()
    return tmp_path


def train(folder, name, **changes):
    model = folder / "models" / name
    inputs = {"faces": folder / "faces", "folders": folder / "folders.json"}
    run(Params(**PARAMS | changes), manipulator=name, model=model, **inputs)
    return model


def test_every_variant_is_read_back(toy_faces):
    train(toy_faces, "stargan")
    train(toy_faces, "attention")
    train(toy_faces, "attgan", network={"width": 2, "layers": 2})
    features = train(toy_faces, FEATURES, network={"width": 2, "depth": 2})
    found = read_manipulators(toy_faces / "models")
    assert list(found) == ["attention", "attgan", "stargan"]
    assert all(each.attributes == NAMES for each in found.values())
    assert read_face_features(features).attributes == NAMES
    history = json.loads((features / "history.json").read_text())
    assert list(history[0]) == ["epoch", "loss", "val_accuracy", "val_accuracy_edited"]
    assert not list((toy_faces / ".checkpoints").rglob("*.pt"))


def test_the_same_bytes_again(toy_faces):
    one = {path.name: path.read_bytes() for path in train(toy_faces, "stargan").iterdir()}
    (toy_faces / "models").rename(toy_faces / "before")
    assert one == {path.name: path.read_bytes() for path in train(toy_faces, "stargan").iterdir()}


def test_a_run_taken_up_gives_the_same_bytes(toy_faces, monkeypatch):
    whole = (train(toy_faces, "stargan", epochs=2) / "model.safetensors").read_bytes()
    (toy_faces / "models").rename(toy_faces / "before")
    measured = []

    def stop(network, rows):
        measured.append(1)
        if len(measured) == 2:
            raise KeyboardInterrupt
        return edit_distance(network, rows)

    with monkeypatch.context() as patch:
        patch.setattr(manipulators, "edit_distance", stop)
        with pytest.raises(KeyboardInterrupt):
            train(toy_faces, "stargan", epochs=2)
    assert (train(toy_faces, "stargan", epochs=2) / "model.safetensors").read_bytes() == whole


def test_faces_without_truth_need_a_critic(toy_faces, monkeypatch):
    monkeypatch.setattr(manipulators, "read_faces", lambda folder, split: toys(folder, split, paired=False))
    with pytest.raises(ArgumentError, match="needs the truth of its edits"):
        train(toy_faces, "stargan")
    weights = NONE | {"adversarial": 1.0, "labels": 1.0, "reconstruction": 10.0}
    folder = train(toy_faces, "stargan", weights=weights, critic=CRITIC)
    assert list(json.loads((folder / "history.json").read_text())[0]) == ["epoch", "loss"]


def test_a_published_one_is_taken_as_it_is(toy_faces):
    (toy_faces / "theirs").mkdir()
    (toy_faces / "folders.json").write_text(json.dumps({"theirs": {"path": str(toy_faces / "theirs")}}))
    with pytest.raises(DataError, match=r"must hold <n>-G.ckpt"):
        train(toy_faces, "stargan", published="theirs")
    torch.save(StarGan(StarGanShape(5, width=2, blocks=1)).state_dict(), toy_faces / "theirs" / "7-G.ckpt")
    torch.save(StarGanCritic(5, size_px=16, width=2, layers=2).state_dict(), toy_faces / "theirs" / "7-D.ckpt")
    folder = train(toy_faces, "stargan", published="theirs")
    assert sorted(path.name for path in folder.iterdir()) == ["7-D.ckpt", "7-G.ckpt"]
    assert read_manipulators(folder.parent)["stargan"].attributes[3] == "Male"


def test_the_distance_of_no_edit_is_that_of_the_picture():
    class Same(torch.nn.Module):
        def forward(self, x, code):
            return x

    faces = toys(None, "val")
    rows = face_rows(faces.x, faces.attributes, NAMES, edits=faces.edits)
    found = edit_distance(Same(), rows)
    assert found["val_region_l1"] == found["val_region_l1_unedited"] > found["val_l1"] > 0


def test_what_is_refused(toy_faces):
    with pytest.raises(ArgumentError, match=r"manipulator must be one of stargan.* got 'hisd'"):
        train(toy_faces, "hisd")
    with pytest.raises(ArgumentError, match="network must hold settings of attgan; got width, blocks"):
        train(toy_faces, "attgan", network={"width": 2, "blocks": 1})
    with pytest.raises(ArgumentError, match="weights must name each of paired, region"):
        train(toy_faces, "stargan", weights={"pairs": 1.0})
    for wrong in ({"lr": 0}, {"measured": 0}, {"critic": {"width": 2}}, {"depth": 2}):
        with pytest.raises(ValidationError):
            Params(**PARAMS | wrong)
