"""Training through the stage: resumed to the same bits, chosen on held-out pictures, never a look at the test ones."""

import json
import shutil
from dataclasses import fields

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from gauntlet.metrics.overfitting import HeldOut
from gauntlet.readers.classification import read_images
from gauntlet.readers.models import load_model
from gauntlet.training.fgsm_law import METHODS
from stages.fgsm_law import train as stage
from tests.fixtures.classification import write_images
from tests.stages.fgsm_law.conftest import COUNTS, SIDE_PX

FILES = ["history.json", "last.safetensors", "model.json", "model.safetensors"]


def contents(folder):
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def history(folder):
    return json.loads((folder / "history.json").read_text())


class Told:
    """Stands in for `held_out`: tells the numbers of each epoch and remembers what it was given."""

    def __init__(self, clean, pgd_10, fgsm=None, linearity=0.9):
        self.numbers, self.linearity = list(zip(clean, fgsm or pgd_10, pgd_10, strict=True)), linearity
        self.given, self.weights = [], []

    def __call__(self, model, x, y, **_):
        self.given.append((x, y))
        self.weights.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        return HeldOut(*self.numbers[len(self.given) - 1], linearity=self.linearity, n=len(x))


@pytest.fixture
def told(monkeypatch):
    def patched(**numbers):
        monkeypatch.setattr(stage, "held_out", Told(**numbers))
        return stage.held_out

    return patched


@pytest.mark.parametrize(
    ("killed_in", "calls", "records"),
    [("held_out", 1, 0), ("held_out", 2, 1), ("held_out", 3, 2), ("_write", 1, 3)],
    ids=["first epoch", "second epoch", "last epoch", "while writing"],
)
def test_killed_and_started_again_ends_with_the_same_bits(door, trained, monkeypatch, killed_in, calls, records):
    straight = trained(door.root / "straight")
    door.params()
    whole, left = getattr(stage, killed_in), [calls]

    def deadly(*args, **settings):
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return whole(*args, **settings)

    monkeypatch.setattr(stage, killed_in, deadly)
    code, lines = door.train()
    assert code == 130
    assert lines[-1] == "fgsm_law.train: interrupted; earlier outputs stay as they were"
    assert not list(door.model.parent.iterdir())
    assert len(list(door.root.glob(".checkpoints/fgsm_law-train@x/*/state.pt"))) == (records > 0)
    code, lines = door.train()
    assert code == 0
    assert lines[0].startswith("resuming from .checkpoints/fgsm_law-train@x/") == (records > 0)
    assert [line.split(",")[0] for line in lines if line.startswith("epoch")] == [
        f"epoch {epoch}" for epoch in range(records + 1, 4)
    ]
    assert list(contents(door.model)) == FILES
    assert contents(door.model) == contents(straight)
    assert not list(door.root.glob(".checkpoints/fgsm_law-train@x/*"))


KEPT = [
    {"method": "fgsm_mep", "averaging": {"rule": "ema", "settings": {"decay": 0.9}}},
    {"method": "free", "settings": {"replays": 2}, "clip_norm": 1.0},
    {"method": "fgsm", "speed": {"channels_last": True}, "augmentation": {"mixup": 1.0, "cutout_px": 4}},
    {"method": "pgd_at", "settings": {"steps": 2}, "workers": 0, "schedule": "multistep", "turns": [0.4, 0.8]},
]


@pytest.mark.parametrize("change", KEPT, ids=lambda change: change["method"])
def test_so_does_whatever_is_kept_between_epochs(trained, monkeypatch, tmp_path, change):
    straight, save = trained(tmp_path / "straight" / "x", **change), stage.Checkpoint.save

    def save_and_die(self, state):
        save(self, state)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(stage.Checkpoint, "save", save_and_die)
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path / "x", **change)
    assert contents(trained(tmp_path / "x", **change)) == contents(straight)


def test_another_seed_ends_elsewhere_and_is_no_resumption(trained, tmp_path):
    first, other = trained(tmp_path / "x"), trained(tmp_path / "y", seed=1)
    assert contents(first)["model.safetensors"] != contents(other)["model.safetensors"]


def test_the_epoch_is_chosen_by_pgd_on_held_out_pictures(trained, told, tmp_path):
    seen = told(clean=[0.9, 0.2, 0.3, 0.4], pgd_10=[0.1, 0.3, 0.3, 0.2])
    model = trained(tmp_path / "x", epochs=4)
    for name, epoch in (("model", 3), ("last", 4)):
        weights = load_file(model / f"{name}.safetensors")
        assert weights.keys() == seen.weights[epoch - 1].keys()
        assert all(torch.equal(weights[key], value) for key, value in seen.weights[epoch - 1].items())
    assert any((seen.weights[2][key] != value).any() for key, value in seen.weights[3].items())
    assert json.loads((model / "model.json").read_text())["best_epoch"] == 3
    assert [record["pgd_10"] for record in history(model)] == [0.1, 0.3, 0.3, 0.2]


def test_plain_training_withstands_nothing_and_is_chosen_by_clean_top1(trained, told, tmp_path, card):
    told(clean=[0.4, 0.9, 0.8], pgd_10=[0.1, 0.0, 0.0])
    assert card(trained(tmp_path / "x", method="plain"))["best_epoch"] == 2


@pytest.mark.parametrize("measured", [None, 6])
def test_what_is_measured_is_the_val_split(trained, told, sources, tmp_path, measured):
    seen = told(clean=[0.5], pgd_10=[0.1])
    trained(tmp_path / "x", epochs=1, measured=measured)
    val = read_images(sources["images"], "val")
    x, y = seen.given[0]
    known = {picture.transpose(2, 0, 1).tobytes(): label for picture, label in zip(val.x, val.labels, strict=True)}
    assert [known[picture.numpy().tobytes()] for picture in x] == y.tolist()
    assert np.bincount(y).tolist() == ([2, 2, 2] if measured else [5, 5, 5])


def test_no_test_picture_is_looked_at(trained, sources, tmp_path):
    """Without test shards, and with broken or other ones, the same bits come out."""
    folders = {name: tmp_path / name for name in ("without", "broken", "others")}
    for folder in folders.values():
        shutil.copytree(sources["images"], folder)
        (folder / "test-0000.tar").unlink()
    (folders["broken"] / "test-0000.tar").write_bytes(b"no tar")
    write_images(folders["others"], split="test", count=30, seed=77, side_px=SIDE_PX)
    expected = contents(trained(tmp_path / "models" / "x"))
    for name, folder in folders.items():
        assert contents(trained(tmp_path / "models" / name, paths={"images": folder})) == expected


def test_held_out_pictures_decide_the_epoch_and_no_weight(trained, sources, tmp_path):
    images = shutil.copytree(sources["images"], tmp_path / "images")
    write_images(images, split="val", count=30, seed=77, side_px=SIDE_PX)
    first, other = trained(tmp_path / "x"), trained(tmp_path / "y", paths={"images": images})
    assert contents(first)["last.safetensors"] == contents(other)["last.safetensors"]
    assert [r["pgd_10"] for r in history(first)] != [r["pgd_10"] for r in history(other)]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_leaves_a_model_that_says_how_it_was_made(trained, tmp_path, method):
    folder = trained(tmp_path / "x", method=method, epochs=1, averaging={"rule": "none"}, measured=3)
    assert list(contents(folder)) == FILES
    model, card = load_model(folder)
    assert model(torch.rand(2, 3, SIDE_PX, SIDE_PX)).shape == (2, 3)
    assert (card.about["method"], card.about["eps"], card.about["best_epoch"]) == (method, 8 / 255, 1)
    assert card.about["data"] == {"layout": "objects", "folder": None, "held_out": None, "seed": 0}
    assert set(card.about["switches"]) == {field.name for field in fields(METHODS[method])} | {"averaging_none"}
    (record,) = history(folder)
    assert set(record) == {"epoch", "loss", "train_top1_adv", "passes", "clean", "fgsm", "pgd_10", "linearity"}
    assert card.about["passes"] == record["passes"] == (1 if method == "plain" else record["passes"])
    assert record["passes"] > (method != "plain")


def test_a_collapse_is_called_by_its_epoch(trained, told, tmp_path, card, capsys):
    told(clean=[0.6, 0.6, 0.9], fgsm=[0.5, 0.5, 0.9], pgd_10=[0.4, 0.4, 0.0], linearity=0.1)
    model = trained(tmp_path / "x", method="fgsm")
    assert card(model)["overfitting"] == {"collapsed": True, "epoch": 3, "recovered": False}
    assert card(model)["best_epoch"] == 2
    assert capsys.readouterr().out == "catastrophic overfitting in epoch 3 of 3\n"
    told(clean=[0.6, 0.6, 0.6], fgsm=[0.5, 0.5, 0.5], pgd_10=[0.4, 0.4, 0.4], linearity=0.1)
    model = trained(tmp_path / "y", method="fgsm")
    assert card(model)["overfitting"] == {"collapsed": False, "epoch": None, "recovered": False}
    assert capsys.readouterr().out == ""


def test_pictures_decoded_as_they_are_needed_train_the_same_model(trained, tmp_path):
    held, streamed = trained(tmp_path / "x"), trained(tmp_path / "y", workers=0)
    assert contents(held) == contents(streamed)


def test_the_time_of_each_epoch_stands_apart(trained, tmp_path):
    model = trained(tmp_path / "x")
    lines = (tmp_path / ".checkpoints/cost/fgsm_law-train@x.epochs.jsonl").read_text().splitlines()
    costs = [json.loads(line) for line in lines]
    assert [cost["epoch"] for cost in costs] == [1, 2, 3]
    assert all(cost["items_per_s"] == pytest.approx(COUNTS["train"] / cost["seconds"], rel=0.2) for cost in costs)
    assert all(cost["peak_memory_mib"] > 1 for cost in costs)
    assert b"seconds" not in contents(model)["history.json"]
