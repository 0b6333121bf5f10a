"""fairberts.train on a tiny encoder: the folders, the reader, the same bytes, a run taken up."""

import hashlib
import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
import torch
from pydantic import ValidationError

from gauntlet.errors import ArgumentError
from gauntlet.readers.encoders import read_encoder
from gauntlet.readers.fair_encoders import read_fair_model, read_fair_models
from gauntlet.training.fairberts import suite
from stages.fairberts.train import Params, run
from stages.machine import Machine
from tests.fixtures.encoders import write_encoder

SMALL = {"generator": "attention", "hidden": 8, "adversary_steps": 1, "memory": 64, "pairs": 1}
PARAMS = {
    "seed": 0,
    "frozen_layers": 1,
    "max_tokens": 16,
    "warm_epochs": 1,
    "epochs": 1,
    "patch_epochs": 1,
    "batch": 8,
    "lr": 1e-3,
    "head_lr": 1e-2,
    "weight_decay": 0.01,
    "weights": {"adversarial": [1], "fairberts": [0.5, 2], "fairberts_post_hoc": [1, 3], "inlp": [1]},
    "joint": SMALL,
    "patch": SMALL,
    "accuracy_lost": 0.01,
}
NAMES = [
    "plain",
    "reweighing",
    "cda",
    "adversarial_1",
    "fairberts_0.5",
    "fairberts_2",
    "fairberts_post_hoc_1",
    "fairberts_post_hoc_3",
    "inlp_1",
    "control_shuffled",
    "transfer_plain",
    "transfer_generator",
    "transfer_random",
]
GROUPS, WORDS = ("he", "she"), (("dull", "grey", "cold"), ("bright", "kind", "warm"))


@pytest.fixture(autouse=True)
def one_core(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stages.checkpoint.machine", lambda: Machine("cpu", 1, 1))


@pytest.fixture
def places(tmp_path) -> dict[str, Path]:
    """Return a corpus of benign sentences and an encoder."""
    rows = []
    for split, repeats in (("train", 3), ("held_out", 1)):
        for y, z, number in ((y, z, n) for _ in range(repeats) for y in (0, 1) for z in (0, 1) for n in range(3)):
            text = "{} is {}"
            rows.append(
                {
                    "id": str(len(rows)),
                    "text": text.format(GROUPS[z], WORDS[y][number]),
                    "y": y,
                    "gender": z,
                    "split": split,
                    "source": "",
                    "template": "",
                    "twin": text.format(GROUPS[1 - z], WORDS[y][number]),
                }
            )
    (tmp_path / "corpora").mkdir()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "corpora" / "sentiment.parquet")
    words = ["is", *GROUPS, *WORDS[0], *WORDS[1]]
    return {"corpora": tmp_path / "corpora", "encoder": write_encoder(tmp_path / "encoder", words)}


def digest(folder: Path) -> dict[str, str]:
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def train(places: dict[str, Path], models: Path) -> Path:
    run(Params(**PARAMS), setting="sentiment_gender", **places, models=models)
    return models


def test_folders_reader_and_bytes(places, tmp_path):
    models = train(places, tmp_path / "models")
    assert json.loads((models / "models.json").read_text()) == NAMES
    read = read_fair_models(models, read_encoder(places["encoder"]))
    assert list(read) == NAMES
    texts = ["he is kind", "she is dull and cold"]
    for name, model in read.items():
        said = model.predict(texts)
        assert (said.probabilities.shape, said.states.shape) == ((2,), (2, 16))
        alone = read_fair_model(models / name, read_encoder(places["encoder"])).predict(texts)
        assert torch.allclose(said.states, alone.states, atol=1e-6)
    about = {name: model.card.about for name, model in read.items()}
    assert [name for name in NAMES if about[name]["base"]] == [*NAMES[6:10], *NAMES[11:]]
    for method in ("fairberts", "fairberts_post_hoc"):
        of = [each for each in about.values() if each["method"] == method and each["role"] == "method"]
        assert sum(each["chosen"] for each in of) == 1
    assert digest(models) == digest(train(places, tmp_path / "again"))
    assert not list((tmp_path / ".checkpoints").rglob("state.pt"))


def test_a_run_cut_off_is_taken_up_and_ends_the_same(places, tmp_path, monkeypatch):
    whole = digest(train(places, tmp_path / "whole"))
    trained, calls = suite.train_classifier, []

    def cut(model, *args, **kwargs):
        calls.append(kwargs["method"])
        if len(calls) == 5:
            raise KeyboardInterrupt
        return trained(model, *args, **kwargs)

    monkeypatch.setattr(suite, "train_classifier", cut)
    with pytest.raises(KeyboardInterrupt):
        train(places, tmp_path / "cut")
    resumed = digest(train(places, tmp_path / "resumed"))
    assert resumed == whole
    # warm, plain, reweighing and cda were not trained again.
    assert calls[5] == "adversarial"


def test_bad_parameters(places, tmp_path):
    with pytest.raises(ArgumentError, match="setting must be one of toxicity_gender"):
        run(Params(**PARAMS), setting="gender", **places, models=tmp_path / "models")
    with pytest.raises((ArgumentError, ValidationError), match="weights must have some for each"):
        Params(**PARAMS | {"weights": {"inlp": [1]}})
