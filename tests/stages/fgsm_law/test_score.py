"""Scores of trained models: closed forms of a linear classifier, counts by hand, last beside best, bad models."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from gauntlet.metrics.intervals import wilson
from gauntlet.readers.classification import read_images
from gauntlet.readers.models import load_model
from stages.fgsm_law import score as stage
from stages.files import dvc_md5
from stages.machine import Machine
from tests.fixtures.classification import COLOURS
from tests.stages.fgsm_law.conftest import COUNTS, SCORE, SIDE_PX

N = COUNTS["test"]
CHAIN = ("clean", "fgsm", "pgd_10", "pgd_20", "pgd_50", "cw_20")


class Linear(nn.Module):
    """Banana where w.x > t, else bus; never whale. An image's least Linf radius is |w.x - t| / |w|_1."""

    def __init__(self, *, softmax: bool) -> None:
        super().__init__()
        self.w, self.t = nn.Parameter(torch.zeros(3 * SIDE_PX**2)), nn.Parameter(torch.zeros(()))
        self.softmax = softmax

    def forward(self, x: Tensor) -> Tensor:
        z = x.flatten(1) @ self.w - self.t
        logits = torch.stack([z, -z, torch.full_like(z, -20.0)], dim=1)
        return logits.softmax(1) if self.softmax else logits


def linear(*, classes: int, softmax: bool = False) -> nn.Module:
    return Linear(softmax=softmax)


@pytest.fixture
def pictures(sources) -> tuple[Tensor, Tensor]:
    data = read_images(sources["images"], "test")
    return torch.from_numpy(data.x).permute(0, 3, 1, 2).float() / 255, torch.from_numpy(data.labels)


@pytest.fixture
def weights(pictures) -> dict[str, Tensor]:
    w = torch.zeros(3, SIDE_PX, SIDE_PX)
    w[1] = 0.01 + 0.004 * torch.randn(SIDE_PX, SIDE_PX, generator=torch.Generator().manual_seed(0))
    z = pictures[0].flatten(1) @ w.flatten()
    return {"w": w.flatten(), "t": z[pictures[1] < 2].mean()}


def radii(pictures, weights) -> Tensor:
    """Return the least radius of each picture; below 0 where the classifier errs."""
    x, y = pictures
    distance = (x.flatten(1) @ weights["w"] - weights["t"]) / weights["w"].abs().sum()
    return torch.where(y == 2, -torch.inf, torch.where(y == 0, distance, -distance))


@pytest.fixture
def write(weights, tmp_path):
    """Return a function that writes a folder as fgsm_law.train would; `last` are the last epoch's weights."""

    def written(name: str, *, eps: float = 0.03, last=None, best=None, settings=None, **about) -> Path:
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        save_file(best or weights, folder / "model.safetensors")
        save_file(last or weights, folder / "last.safetensors")
        card = {
            "architecture": f"{__name__}:linear",
            "classes": list(COLOURS),
            "settings": settings or {},
            "data": {"layout": "objects", "folder": None, "held_out": None, "seed": 0},
            "method": "fgsm",
            "switches": {},
            "eps": eps,
            "seed": 4,
            "epochs": 5,
            "best_epoch": 3,
            "passes": 10.0,
            "overfitting": {"collapsed": False, "epoch": None, "recovered": False},
        }
        (folder / "model.json").write_text(json.dumps({k: v for k, v in (card | about).items() if v is not None}))
        return folder

    return written


def run(models: Path, scores: Path, *, sources: dict[str, Path], **changes) -> dict[str, dict]:
    """Score all models of a folder, unless `variants` names some."""
    everything = {"variants": [folder.name for folder in models.iterdir()]}
    stage.run(stage.Params(**(SCORE | everything | changes)), models=models, **sources, scores=scores)
    return {file.stem: json.loads(file.read_text()) for file in sorted(scores.iterdir())}


@pytest.fixture
def scored(sources, tmp_path):
    """Return a function that scores a folder of models and gives the scores by name."""
    return lambda models, *, name="scores", **changes: run(models, tmp_path / name, sources=sources, **changes)


@pytest.fixture(scope="module")
def scores(models, sources, tmp_path_factory) -> dict[str, dict]:
    """Score the three trained models once."""
    return run(models, tmp_path_factory.mktemp("scored") / "scores", sources=sources, seed=3, batch=N)


def rate(right: Tensor) -> dict:
    found = wilson(int(right.sum()), len(right))
    return {"value": found.value, "low": found.low, "high": found.high, "n": found.n}


def test_a_linear_classifier_scores_its_closed_form(pictures, weights, write, scored):
    """PGD of ten quarter steps crosses the whole ball, whatever its start; every budget is between two images."""
    least = radii(pictures, weights)
    right = least[least > 0].sort().values
    assert len(right) >= 4
    budgets = ((right[:-1] + right[1:]) / 2)[[0, len(right) // 2]].tolist()
    assert budgets[-1] < 0.09  # no pixel meets the box
    for place, eps in enumerate(budgets):
        write(f"linear{place}", eps=eps)
    found = scored(write("flat", eps=0.03).parent, autoattack={"images": None, "variants": ["linear0"]})
    for place, eps in enumerate(budgets):
        results = found[f"linear{place}"]["results"]
        assert results["clean"] == rate(least > 0)
        for name in ("pgd_10", "pgd_20", "pgd_50", "cw_20"):
            assert results[name] == rate(least > eps), name
        assert results["pgd_50"]["value"] <= results["fgsm"]["value"] <= results["clean"]["value"]
        assert results["monotone"]
    assert found["linear0"]["results"]["autoattack"] == rate(least > budgets[0])
    assert found["linear1"]["results"]["autoattack"] is None


def test_the_last_epoch_stands_beside_the_best(pictures, weights, write, scored):
    last = {"w": weights["w"], "t": weights["t"] + weights["w"].abs().sum() * radii(pictures, weights).max() / 2}
    results = scored(write("x", last=last).parent)["x"]["results"]
    assert results["clean"] == rate(radii(pictures, weights) > 0)
    assert results["last"] == {
        "clean": rate(radii(pictures, last) > 0),
        "pgd_10": rate(radii(pictures, last) > 0.03),
        "pgd_50": rate(radii(pictures, last) > 0.03),
    }
    assert results["last"]["clean"] != results["clean"]
    assert (results["best_epoch"], results["training"]["epochs"]) == (3, 5)


def test_clean_top1_of_trained_models_is_counted_by_hand(models, scores, pictures):
    x, y = pictures
    for name, written in scores.items():
        model, _ = load_model(models / name)
        results = written["results"]
        assert results["clean"] == rate(model(x).argmax(1) == y)
        model.load_state_dict(load_file(models / name / "last.safetensors"))
        assert results["last"]["clean"] == rate(model(x).argmax(1) == y)
        values = [results[key]["value"] for key in ("clean", "pgd_10", "pgd_20", "pgd_50")]
        assert values == sorted(values, reverse=True)
        assert max(results["fgsm"]["value"], results["cw_20"]["value"]) <= results["clean"]["value"]


def test_a_score_says_what_it_is_of(models, scores):
    assert list(scores) == ["fgsm", "law", "plain"]
    for name, written in scores.items():
        results, card = written["results"], json.loads((models / name / "model.json").read_text())
        assert (written["method"], written["stage"], written["subject"]) == ("fgsm_law", "fgsm_law-score", name)
        assert (written["n"], written["seeds"]) == (N, sorted({3, card["seed"]}))
        quoted = {key: value for key, value in written["headline"].items() if key not in ("name", "interval")}
        assert (written["headline"]["name"], quoted) == ("pgd_50", results["pgd_50"])
        assert written["inputs"]["model"] == dvc_md5(models / name)
        assert set(results) == {
            *CHAIN,
            "autoattack",
            "training",
            "last",
            "best_epoch",
            "overfitting",
            "cost",
            "monotone",
        }
        kept = {key: card[key] for key in ("method", "eps", "seed", "epochs", "switches", "architecture")}
        assert results["training"] == kept | {"data": "objects32"}
        assert results["overfitting"] == card["overfitting"]


def test_cost_is_counted_in_plain_trainings_on_the_same_data(models, scores, scored, write):
    for name, written in scores.items():
        passes = json.loads((models / name / "model.json").read_text())["passes"]
        assert written["results"]["cost"] == {"passes": round(passes, 4), "relative": round(passes / 4, 4)}
    assert scores["plain"]["results"]["cost"]["passes"] == 4
    alone = scored(write("x").parent)["x"]["results"]["cost"]
    assert alone == {"passes": 10, "relative": 2}  # no plain one there: against one pass an epoch


def test_two_workers_and_another_batch_give_the_same_bytes(models, scores, scored, monkeypatch):
    monkeypatch.setattr("stages.machine.machine", lambda: Machine("cpu", 1, 2))
    other = scored(models, seed=3, batch=7)
    assert other.keys() == scores.keys()
    for name, written in other.items():
        params = written.pop("params")
        assert sorted(params.pop("variants")) == sorted(scores)
        assert params | {"variants": SCORE["variants"]} == {**SCORE, "seed": 3, "batch": 7}
        assert json.dumps(written) == json.dumps({k: v for k, v in scores[name].items() if k != "params"})


def test_some_pictures_are_drawn_with_every_class_in_its_share(pictures, write, scored, monkeypatch):
    seen, right_in_batches = [], stage.right_in_batches
    monkeypatch.setattr(
        stage, "right_in_batches", lambda model, x, y, **how: seen.append(y) or right_in_batches(model, x, y, **how)
    )
    written = scored(write("x").parent, images=6)
    assert written["x"]["n"] == 6
    assert all(np.bincount(y).tolist() == [2, 2, 2] for y in seen)
    assert len(seen) == 2


def test_a_stronger_attack_that_finds_less_is_called_by_name(write, scored, monkeypatch, pictures, weights):
    def pgd(model, x, y, *, eps, alpha, steps, generator, loss="cross_entropy"):
        worst = ((2 * y[:, None] - 1) * weights["w"].sign()).reshape(x.shape)
        return x + eps.reshape(-1, 1, 1, 1) * worst if steps == 1 else x

    least = radii(pictures, weights)
    monkeypatch.setattr(stage, "pgd", pgd)
    results = scored(write("x", eps=float(least[least > 0].median()) * 1.01).parent)["x"]["results"]
    assert results["fgsm"]["value"] < results["clean"]["value"] == results["pgd_50"]["value"]
    assert not results["monotone"]


NAN = {"w": torch.full((3 * SIDE_PX**2,), torch.nan), "t": torch.zeros(())}
BAD = [
    ({"classes": ["banana", "bus"]}, "must have the data's 3 classes; got 2; built anew since?"),
    ({"classes": ["banana", "bus", "shark"]}, "class 2 must be the data's 'whale'; got 'shark'; built anew since?"),
    ({"passes": None}, "model.json must name passes; written by another stage than fgsm_law.train?"),
    ({"settings": {"softmax": True}}, "the model must return logits; its rows are probabilities: leave its softmax"),
    ({"best": NAN}, "logits must be finite; 5 of 5 images got NaN or infinity"),
    ({"eps": 8}, "eps must lie in [0, 1] for linf (8/255, not 8); got 8"),
    ({"best": {"w": torch.zeros(3), "t": torch.zeros(())}}, "model.safetensors must fit"),
]


@pytest.mark.parametrize(("change", "line"), BAD, ids=lambda value: str(list(value))[:40] if value else "")
def test_a_bad_model_is_one_line_and_nothing_is_overwritten(door, write, change, line):
    door.scores.mkdir(parents=True)
    (door.scores / "x.json").write_text("an earlier score")
    door.params()
    folder = write("x", **change)
    code, lines = door.score(folder.parent)
    assert (code, len(lines)) == (65, 1), lines
    assert lines[0].startswith(f"fgsm_law.score: {folder}")
    assert line in lines[0]
    assert [path.read_text() for path in door.scores.iterdir()] == ["an earlier score"]
    assert [path.name for path in door.scores.parent.iterdir()] == ["scores"]


def test_a_pickle_in_the_place_of_weights_is_not_run(door, write):
    class Code:
        def __reduce__(self):
            return Path.touch, (door.root / "touched",)

    door.params()
    folder = write("x")
    torch.save({"w": Code()}, folder / "model.safetensors")
    code, lines = door.score(folder.parent)
    assert code == 65
    assert "must be a whole safetensors file" in lines[-1]
    assert not (door.root / "touched").exists()


def test_a_left_over_folder_is_not_scored(write, scored):
    """Nor does a left-over plain training set the price of the others."""
    write("removed", classes=["banana"])
    write("plain", method="plain", passes=4.0)
    models = write("x").parent
    found = scored(models, variants=["x"])
    assert list(found) == ["x"]
    assert found["x"]["results"]["cost"]["relative"] == 2
    named = scored(models, name="named", variants=["x", "plain"])
    assert list(named) == ["plain", "x"]
    assert named["x"]["results"]["cost"]["relative"] == 2.5


def test_a_named_model_that_is_missing_is_one_line(door, write):
    door.params(score={"variants": ["x", "gone"]})
    models = write("x").parent
    code, lines = door.score(models)
    assert (code, len(lines)) == (65, 1), lines
    assert f"{models}/gone/model.json must exist; is {models}/gone a model folder, and its training fini" in lines[0]
    assert not door.scores.exists()


def test_nothing_to_score_is_one_line(door, write):
    door.params(score={"variants": []})
    code, lines = door.score(write("x").parent)
    assert (code, len(lines)) == (78, 1), lines
    assert "variants: List should have at least 1 item" in lines[0]
