"""Scores of classifiers whose every answer is known: a just one, one that reads the group alone, bad input."""

import json
from hashlib import sha256
from itertools import count
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch

from gauntlet.errors import ArgumentError, DataError
from gauntlet.models.sentence_encoder import Predictions
from gauntlet.readers.fair_encoders import FairModel
from gauntlet.readers.models import ModelCard
from stages.fairberts import score as stage

PARAMS = {"seed": 1, "settings": ["toxicity_gender"], "resamples": 50, "probes": ["neighbours"]}
SPLITS = {"probe": 80, "test": 40, "test_skewed": 40}


def write_corpora(folder: Path, *, splits: dict[str, int] = SPLITS, without_twin: int = 0, lacking: str = "") -> Path:
    """Write sentences such as "she ate loaf 7 1": group, number, label."""
    rows = []
    for split, rows_there in splits.items():
        for place in range(rows_there):
            y, z = place % 2, int(place % 8 in (0, 1, 3, 5)) if split == "test_skewed" else place // 2 % 2
            if lacking and (y, z) == (1, 1):
                continue
            words = [f"{who} ate loaf {place} {y} of {split}" for who in ("he", "she")]
            twin = None if split == "test" and place < without_twin else words[1 - z]
            row = {"id": f"{split}{place}", "text": words[z], "y": y, "gender": z, "race": None, "split": split}
            rows.append(row | {"twin": twin, "twin_race": None, "source": "s", "template": "t"})
    folder.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "toxicity.parquet")
    return folder


class Just:
    """Reads the label off the text, and has states of noise."""

    def predict(self, texts) -> Predictions:
        noise = [np.frombuffer(sha256(text.split(" ", 1)[1].encode()).digest(), np.uint8) for text in texts]
        said = torch.tensor([0.9 if text.split()[4] == "1" else 0.1 for text in texts])
        return Predictions(said, torch.tensor(np.array(noise) / 255, dtype=torch.float32))


class Biased(Just):
    """Reads the group alone, and has it in its states."""

    def predict(self, texts) -> Predictions:
        group = torch.tensor([float(text.startswith("she")) for text in texts])
        states = super().predict(texts).states
        return Predictions(group, torch.cat([states, 9 * group[:, None]], 1))


def named(model: Just, name: str, **about) -> FairModel:
    card = ModelCard("fair", ["0", "1"], about={"weight": None, "chosen": True, "role": "method"} | about)
    made = FairModel(name, card, None, None, None)
    object.__setattr__(made, "predict", model.predict)  # frozen, and it has no room for a stand-in
    return made


MODELS = {
    "plain": named(Biased(), "plain", method="plain"),
    "fairberts_2": named(Just(), "fairberts_2", method="fairberts", weight=2.0),
    "fairberts_1": named(Biased(), "fairberts_1", method="fairberts", weight=1.0, chosen=False),
    "moved": named(Just(), "moved", method="fairberts", role="transfer"),
    "random": named(Biased(), "random", method="fairberts", role="control"),
}


@pytest.fixture
def scored(tmp_path, monkeypatch):
    """Return a function that scores stand-ins on a corpus and gives the score."""

    number = count()

    def run(corpora: Path, *, models=None, **changed) -> dict:
        folder = tmp_path / "models"
        (folder / "toxicity_gender").mkdir(parents=True, exist_ok=True)
        (tmp_path / "encoder.tar").write_bytes(b"")
        monkeypatch.setattr(stage, "read_encoder", lambda path: path)
        monkeypatch.setattr(stage, "read_fair_models", lambda place, encoder: MODELS if models is None else models)
        out = tmp_path / f"scores-{next(number)}"
        stage.run(
            stage.Params.model_validate(PARAMS | changed),
            corpora=corpora,
            models=folder,
            encoder=tmp_path / "encoder.tar",
            scores=out,
        )
        return json.loads((out / "toxicity_gender.json").read_text())

    return run


def test_a_just_and_a_biased_model(scored, tmp_path):
    found = scored(write_corpora(tmp_path / "corpora"))["results"]
    just, biased = found["methods"]["fairberts"], found["methods"]["plain"]
    assert {name: rate["value"] for name, rate in just["utility"].items()} == {"accuracy": 1, "f1": 1, "auc": 1}
    assert {gap["value"] for gap in just["fairness"].values()} == {0}
    assert biased["utility"]["accuracy"]["value"] == 0.5
    assert biased["fairness"]["equalized_odds_gap"]["value"] == 1
    for block, moved in ((just, 0), (biased, 1)):
        assert block["counterfactual"]["flip_rate"] == block["counterfactual"]["flip_rate"] | {"value": moved, "n": 40}
        assert block["counterfactual"]["gap"]["value"] == moved
    assert biased["leakage"]["logistic"]["value"] == 1
    assert biased["leakage"]["neighbours"]["value"] > 0.85
    assert just["leakage"]["logistic"]["low"] < 0.5 == just["leakage"]["majority"]
    assert biased["description_length"]["bits"] < just["description_length"]["bits"]
    assert (just["counts"]["0"]["n"], just["counts"]["1"]["positives"]) == (20, 10)
    assert found["groups"] == {"0": "male", "1": "female"}


def test_skewed_sentences_flatter_who_reads_the_group(scored, tmp_path):
    found = scored(write_corpora(tmp_path / "corpora"))["results"]["methods"]["plain"]
    skewed = found["skewed"]["utility"]["accuracy"]
    assert skewed["value"] == 0.75
    corpora = write_corpora(tmp_path / "without", splits={"probe": 80, "test": 40})
    assert "skewed" not in scored(corpora)["results"]["methods"]["plain"]


def test_fronts_transfer_controls_and_headline(scored, tmp_path):
    score = scored(write_corpora(tmp_path / "corpora"))
    front = score["results"]["pareto"]["fairberts"]
    assert [(point["weight"], point["chosen"]) for point in front] == [(1.0, False), (2.0, True)]
    assert [point["equalized_odds_gap"]["value"] for point in front] == [1, 0]
    assert [point["leakage"]["value"] > 0.9 for point in front] == [True, False]
    assert score["results"]["pareto"]["plain"][0]["weight"] is None
    assert list(score["results"]["transfer"]) == ["moved"]
    assert list(score["results"]["controls"]) == ["random"]
    assert "neighbours" not in score["results"]["transfer"]["moved"]["leakage"]
    assert score["headline"]["name"] == "equalized_odds_gap_of_fairberts"
    assert (score["headline"]["value"], score["n"], score["subject"]) == (0, 40, "toxicity_gender")
    assert set(score["inputs"]) == {"corpora", "encoder", "model"}


def test_scores_hold_no_text_and_come_out_the_same(scored, tmp_path):
    corpora = write_corpora(tmp_path / "corpora")
    first = scored(corpora)
    assert scored(corpora) == first
    assert "loaf" not in json.dumps(first)


def test_texts_without_a_twin_are_counted(scored, tmp_path):
    found = scored(write_corpora(tmp_path / "corpora", without_twin=6))["results"]["methods"]["plain"]["counterfactual"]
    assert (found["without_twin"], found["gap"]["n"]) == (6, 34)
    none = scored(write_corpora(tmp_path / "none", without_twin=40))["results"]["methods"]["plain"]["counterfactual"]
    assert none["gap"] == {"value": None, "low": None, "high": None, "n": 0, "reason": "no text has a twin"}


def test_probes_fall_back_on_held_out(scored, tmp_path):
    corpora = write_corpora(tmp_path / "corpora", splits={"held_out": 80, "test": 40})
    assert scored(corpora)["results"]["methods"]["plain"]["leakage"]["logistic"]["value"] == 1


def test_a_group_without_positives_stops_the_headline(scored, tmp_path):
    with pytest.raises(DataError, match="group 1 has no record of label 1"):
        scored(write_corpora(tmp_path / "corpora", lacking="positives"))


def test_a_setting_without_a_chosen_model(scored, tmp_path):
    with pytest.raises(DataError, match="a chosen model"):
        scored(write_corpora(tmp_path / "corpora"), models={"moved": MODELS["moved"]})


@pytest.mark.parametrize("changed", [{"settings": ["toxicity_age"]}, {"settings": ["gender"]}, {"probes": ["oracle"]}])
def test_unknown_settings_and_probes(changed, scored, tmp_path):
    with pytest.raises(ArgumentError, match="misspelt"):
        scored(write_corpora(tmp_path / "corpora"), **changed)
