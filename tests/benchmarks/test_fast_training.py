"""The benchmark of the training methods trains what params.yaml says, as the stage does, and counts right."""

import json
import math
import sys

import pytest
import torch

from benchmarks import fast_training
from benchmarks.fast_training import changed, settings_of
from benchmarks.training_tables import Run, over_seeds, row, summaries, table
from gauntlet.errors import ArgumentError
from gauntlet.metrics.intervals import wilson
from gauntlet.metrics.overfitting import Overfitting
from stages.fgsm_law import train as stage
from tests.fixtures.classification import write_images

OBJECTS = {"method": "plain", "data": {"layout": "objects"}, "averaging": {"rule": "none"}, "settings": {}, "lr": 0.1}
VARIANTS = {
    "plain": OBJECTS,
    "law": {**OBJECTS, "method": "fgsm_law", "settings": {"lam": 3.0}},
    "small": {**OBJECTS, "method": "fgsm_law", "data": {"layout": "digits"}, "lr": 0.2},
}


@pytest.mark.parametrize(
    ("name", "layout", "settings", "lr"),
    [
        ("law", "objects", {"lam": 3.0}, 0.1),
        ("fgsm_law", "objects", {"lam": 3.0}, 0.1),
        ("fgsm_law", "digits", {}, 0.2),
        ("law", "digits", {"lam": 3.0}, 0.2),
        ("n_fgsm", "digits", {}, 0.2),
    ],
)
def test_the_variant_nearest_to_the_wish_is_the_base(name, layout, settings, lr):
    found = settings_of(name, VARIANTS, layout=layout)
    assert (found["settings"], found["lr"], found["data"]) == (settings, lr, {"layout": layout})
    assert found["method"] == ("n_fgsm" if name == "n_fgsm" else "fgsm_law")


def test_neither_a_variant_nor_a_method():
    with pytest.raises(ArgumentError, match="got 'pgd'"):
        settings_of("pgd", VARIANTS, layout="objects")


def test_a_change_is_merged_key_by_key():
    assert changed({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 4}, "d": 5}) == {"a": {"b": 4, "c": 2}, "d": 5}


def run(name: str, seed: int, hits: int, seconds: float, *, collapsed: bool = False) -> Run:
    history = [{"clean": 0.5, "pgd_10": 0.25, "linearity": 0.75}]
    found = Overfitting(collapsed, 1 if collapsed else None)
    return Run(name, seed, wilson(50, 100), wilson(hits, 100), 1, found, seconds, seconds + 1, seconds, history)


def test_differences_and_ratios_are_taken_seed_by_seed():
    """0.31 - 0.3, 0.42 - 0.4, 0.53 - 0.5: mean 0.02, deviation 0.01, t(2) 4.303; the raw spread is ten times that."""
    runs = [run("law", seed, 31 + 11 * seed, 2.0) for seed in range(3)]
    runs += [run("pgd", seed, 30 + 10 * seed, 4.0 + 4 * seed) for seed in range(3)]
    law, pgd = summaries(runs, ["law", "pgd"])
    assert law.against == pytest.approx((0.02, 0.02 - 4.302653 * 0.01 / 3**0.5, 0.02 + 4.302653 * 0.01 / 3**0.5))
    assert law.ratio == pytest.approx((2 / 12, (1 / 2 + 1 / 4 + 1 / 6) / 3, 1 / 2))
    assert law.whole_ratio == pytest.approx((3 / 13, (3 / 5 + 3 / 9 + 3 / 13) / 3, 3 / 5))
    assert law.pgd_50.value == pytest.approx(0.42)
    assert pgd.against == (0, 0, 0)


def test_seeds_that_only_one_has_are_no_pair():
    runs = [run("law", 0, 10, 1.0), run("law", 1, 90, 1.0, collapsed=True), run("pgd", 0, 5, 2.0)]
    law, _ = summaries(runs, ["law", "pgd"])
    assert (law.seeds, law.collapsed, law.pgd_50.value) == ([0], 0, 0.1)
    assert math.isnan(law.against.low)
    assert summaries(runs[:2], ["law", "pgd"]) == []
    assert "| law | 1 | 50.0" in table([law], "pgd")
    assert "| epoch 1 | 0.75 |" in row(runs[1])


def test_one_seed_has_no_interval():
    assert all(math.isnan(bound) for bound in over_seeds([0.5])[1:])


@pytest.fixture
def built(tmp_path):
    for split, count in {"train": 12, "val": 6, "test": 6}.items():
        write_images(tmp_path / "built" / "objects32", split=split, count=count)
    return tmp_path


def test_the_script_runs_and_its_settings_are_those_of_params_yaml(built, monkeypatch, capsys):
    options = [
        *("--methods", "fgsm_law,pgd_at", "--seeds", "0,1", "--epochs", "1", "--width", "4", "--images", "8"),
        *("--settings", '{"pgd_at": {"steps": 1}}', "--params", '{"*": {"measured": 4}}'),
        *("--built", str(built), "--json", str(built / "new" / "record.json")),
    ]
    monkeypatch.setattr(sys, "argv", ["fast_training.py", *options])
    monkeypatch.setenv("GAUNTLET_DEVICE", "cpu")
    threads = torch.get_num_threads()
    try:
        assert fast_training.main() == 0
    finally:
        torch.set_num_threads(threads)
    record = json.loads((built / "new" / "record.json").read_text())
    assert [(one["name"], one["seed"]) for one in record["runs"]] == [
        ("fgsm_law", 0),
        ("pgd_at", 0),
        ("pgd_at", 1),
        ("fgsm_law", 1),
    ]
    assert record["about"]["pictures"]["train"] == 8
    assert record["params"]["pgd_at"]["settings"] == {"steps": 1}
    assert record["runs"][1]["history"][0]["passes"] == 2.0
    assert 0 < record["runs"][0]["training_s"] < record["runs"][0]["whole_s"]
    assert record["summary"][0]["name"] == "fgsm_law"
    assert "| pgd_at | 1 |" in capsys.readouterr().out


def test_it_trains_the_very_bits_of_the_stage(built, monkeypatch):
    """The same parameters through the stage give the same record of epochs."""
    monkeypatch.setenv("GAUNTLET_DEVICE", "cpu")
    monkeypatch.chdir(built)
    images = built / "built" / "objects32"
    network = {"architecture": "gauntlet:convnet", "network": {"width": 4, "input_px": 32}, "momentum": 0.9}
    how = {"schedule": "one_cycle", "turns": [0.3], "clip_norm": None, "augmentation": {"crop_px": 2}, "speed": {}}
    rest = {"seed": 3, "eps": "8/255", "epochs": 2, "batch": 4, "weight_decay": 0.0, "measured": None}
    law = {**OBJECTS, "method": "fgsm_law", "averaging": {"rule": "awa"}}
    params = stage.Params(**law, **network, **how, **rest)
    (built / "folders.json").write_text("{}")
    places = {"images": images, "digits": images, "folders": built / "folders.json"}
    stage.run(params, variant="law", **places, model=built / "model")
    pictures = fast_training.Pictures(*(stage.read(params.data, split, **places) for split in ("train", "val", "test")))
    ours = fast_training.trained(params, pictures, "law")
    theirs = json.loads((built / "model" / "history.json").read_text())
    assert [{key: round(value, 6) for key, value in one.items()} for one in ours.history] == [
        {key: round(value, 6) for key, value in one.items()} for one in theirs
    ]
    assert ours.best_epoch == json.loads((built / "model" / "model.json").read_text())["best_epoch"]
