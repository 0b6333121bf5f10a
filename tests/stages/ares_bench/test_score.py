"""Scores of ARES-Bench are counting: every number again, by hand, from outcomes.parquet."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from gauntlet.errors import DataError
from gauntlet.metrics.intervals import wilson
from stages.ares_bench import score as stage
from stages.files import dvc_md5
from tests.gauntlet.suites.test_summary import KEYS
from tests.stages.ares_bench.conftest import ATTACK, COUNT, SCORE

RESULTS = KEYS | {"data", "trained", "largest"}
MODELS = ("one", "two", "stranger")


@pytest.fixture(scope="module")
def counted(attacked):
    """Return the number of ones by model and key, and the radii."""
    frame = pd.read_parquet(attacked / "outcomes.parquet")
    return {(model, key): rows["value"].to_numpy() for (model, key), rows in frame.groupby(["model", "key"])}


def rate(values) -> dict:
    found = wilson(int(sum(values)), len(values))
    return {"value": found.value, "low": found.low, "high": found.high, "n": found.n}


def test_each_classifier_has_a_score(scored, attacked):
    assert set(scored) == set(MODELS)
    for name, written in scored.items():
        assert (written["method"], written["stage"], written["subject"]) == ("ares_bench", "ares_bench-score", name)
        assert set(written["results"]) == RESULTS
        assert (written["n"], written["seeds"], written["device"]) == (COUNT, [0], "cpu")
        assert written["inputs"] == {"outcomes": dvc_md5(attacked)}
        assert written["params"] == SCORE
        assert written["results"]["data"] == "objects32"
    assert scored["two"]["results"]["trained"] == {"method": "fgsm_law", "eps": 8 / 255}
    assert scored["stranger"]["results"]["trained"] is None


@pytest.mark.parametrize("name", MODELS)
def test_rates_are_counts_with_wilsons_interval(scored, counted, name):
    results = scored[name]["results"]
    assert results["clean"] == rate(counted[name, "clean"])
    assert results["attacks"] == {each: rate(counted[name, f"attack/{each}"]) for each in ATTACK["attacks"]}
    assert results["defences"]["bit_depth"]["clean"] == rate(counted[name, "defence/bit_depth/clean"])
    assert results["defences"]["bit_depth"]["robust"] == rate(counted[name, "defence/bit_depth/robust"])
    assert results["transfer"] == {"mim": {each: counted[name, f"transfer/mim/{each}"].mean() for each in MODELS}}
    assert results["frequency"] == {
        "radius": [2, 16],
        "top1": [counted[name, f"low_pass/{radius}"].mean() for radius in (2, 16)],
    }
    for each in ATTACK["corruptions"]:
        levels = [counted[name, f"corruption/{each}/{level}"].mean() for level in range(1, 6)]
        assert results["corruptions"][each] == levels
    assert results["severity"] == pytest.approx(np.mean(list(results["corruptions"].values()), axis=0))
    assert results["mce"] is None


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_curves_count_radii_beyond_each_budget(scored, counted, name, norm):
    curve, radii = scored[name]["results"]["curves"][norm], counted[name, f"radius/{norm}"]
    largest = ATTACK["tests"]["discs"]["largest"][norm]
    assert curve["budgets"] == pytest.approx([0, largest / 4, largest / 2, largest * 3 / 4, largest])
    points = [rate(radii > (budget + 1e-6 if budget else 0)) for budget in curve["budgets"]]
    assert curve["robust_top1"] == [point["value"] for point in points]
    assert curve["low"] == [point["low"] for point in points]
    assert curve["high"] == [point["high"] for point in points]
    assert curve["robust_top1"] == sorted(curve["robust_top1"], reverse=True)
    assert curve["robust_top1"][0] == counted[name, "clean"].mean()
    assert curve["area"] == pytest.approx(np.minimum(radii, largest).mean() / largest)


@pytest.mark.parametrize("name", MODELS)
def test_the_headline_is_the_area_under_the_linf_curve(scored, name):
    written = scored[name]
    headline = written["headline"]
    assert (headline["name"], headline["n"]) == ("area_linf", COUNT)
    assert headline["value"] == pytest.approx(written["results"]["curves"]["linf"]["area"])
    assert headline["low"] <= headline["value"] <= headline["high"]
    assert written["results"]["largest"] == 0.4


def test_steps_are_those_at_the_models_own_eps(scored, counted):
    for name, eps in (("one", 24 / 255), ("two", 8 / 255), ("stranger", 24 / 255)):
        steps = scored[name]["results"]["steps"]
        points = [rate(counted[name, f"steps/{count}"]) for count in (1, 6)]
        assert steps == {
            "eps": eps,
            "steps": [1, 6],
            "robust_top1": [point["value"] for point in points],
            "low": [point["low"] for point in points],
            "high": [point["high"] for point in points],
        }


def test_signs_of_masked_gradients_are_passed_on(scored, attacked):
    problems = json.loads((attacked / "problems.json").read_text())
    for name, written in scored.items():
        assert written["results"]["self_checks"] == problems[name][""]
        assert written["results"]["defences"]["bit_depth"]["problems"] == problems[name]["bit_depth"] != []


def scores(outcomes, folder, **changes):
    stage.run(stage.Params(**(SCORE | changes)), outcomes=outcomes, scores=folder)
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


@pytest.fixture
def copy(attacked, tmp_path):
    return shutil.copytree(attacked, tmp_path / "outcomes")


def test_scores_are_the_same_bytes_again_whatever_the_order_of_rows(copy, attacked, tmp_path):
    first = scores(attacked, tmp_path / "first")
    assert scores(attacked, tmp_path / "again") == first
    frame = pd.read_parquet(copy / "outcomes.parquet")
    frame.sample(frac=1, random_state=1).to_parquet(copy / "outcomes.parquet", index=False)
    for name, text in scores(copy, tmp_path / "shuffled").items():
        written, known = json.loads(text), json.loads(first[name])
        assert written["results"] == known["results"]
        assert written["headline"] == known["headline"]


def test_another_seed_draws_another_bootstrap_and_counts_the_same(copy, tmp_path):
    first, other = scores(copy, tmp_path / "a"), scores(copy, tmp_path / "b", seed=7)
    one, two = (json.loads(each["two.json"]) for each in (first, other))
    assert one["results"] == two["results"]
    assert (one["seeds"], two["seeds"]) == ([0], [0, 7])
    assert one["headline"]["value"] == two["headline"]["value"]


@pytest.mark.parametrize("file", ["subjects.json", "problems.json"])
def test_an_unfinished_run_is_one_line(copy, tmp_path, file):
    (copy / file).write_text((copy / file).read_text()[:20])
    with pytest.raises(DataError, match=f"{file} must be JSON; .*; an unfinished run?"):
        scores(copy, tmp_path / "scores")
    (copy / file).unlink()
    with pytest.raises(DataError, match=f"{file} must be JSON; .*; an unfinished run?"):
        scores(copy, tmp_path / "none")


def test_outcomes_of_another_run_are_one_line(copy, tmp_path):
    frame = pd.read_parquet(copy / "outcomes.parquet")
    frame[frame["model"] != "two"].to_parquet(copy / "outcomes.parquet", index=False)
    with pytest.raises(DataError, match=r"outcomes.parquet must hold two, .*; two runs mixed\?"):
        scores(copy, tmp_path / "scores")
