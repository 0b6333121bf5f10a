import json
from pathlib import Path

import pytest
import vl_convert

from gauntlet.errors import DataError
from stages.summary import fairberts
from stages.summary.charts import SOFT, Chart
from stages.summary.page import VEGA_LITE
from stages.summary.readings import Score, read_scores
from tests.fixtures.language_scores import FAIR_SETTINGS, METHODS, write_fairberts_score, write_language_results


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> list[Score]:
    folder = write_language_results(tmp_path_factory.mktemp("data"))
    return [score for score in read_scores(folder / "scores") if score.method == "fairberts"]


@pytest.fixture(scope="module")
def charts(scores: list[Score]) -> dict[str, Chart]:
    return {chart.name.removeprefix("fairberts-"): chart for chart in fairberts.charts(scores)}


def plain(text: str) -> str:
    return text.replace("\u202f", " ")


def colours(chart: Chart) -> dict[str, str]:
    scale = next(layer for layer in chart.spec["layer"] if "color" in layer["encoding"])["encoding"]["color"]["scale"]
    return dict(zip(scale["domain"], scale["range"], strict=True))


def test_vega_lite_accepts_every_figure(charts: dict[str, Chart]):
    fronts = [f"front-{setting}" for setting in FAIR_SETTINGS]
    assert list(charts) == ["gaps", *fronts, "leakage", "flips", "transfer", "groups"]
    for chart in charts.values():
        vl_convert.vegalite_to_vega(json.dumps(chart.spec), vl_version=VEGA_LITE)
        assert chart.rows
        assert all(any(key in row for row in chart.rows) for key in chart.columns)


def test_methods_stand_baselines_first_with_every_measure_that_is_defined(charts: dict[str, Chart]):
    rows = [row for row in charts["gaps"].rows if row["setting"] == "toxicity race"]
    assert [row["method"] for row in rows] == [
        *("plain", "reweighing", "CDA", "adversarial", "INLP", "fairBERTs", "fairBERTs post hoc"),
    ]
    assert rows[0]["utility.accuracy"] == "90.0 [88.5, 91.5]"
    assert charts["gaps"].columns["fairness.fped"] == "FPED"
    assert charts["gaps"].columns["leakage.mlp"] == "Leakage: MLP"
    assert charts["gaps"].columns["skewed.equalized_odds_gap"] == "Skewed: equalized odds gap"
    assert rows[0]["code"] == "210 of 400"
    assert "fairness.equal_opportunity_gap" not in charts["gaps"].columns


def test_a_method_keeps_its_colour_in_every_chart_and_the_plain_one_is_grey(charts: dict[str, Chart]):
    seen = [colours(chart) for name, chart in charts.items() if name not in ("transfer", "groups")]
    assert all(each == seen[0] for each in seen)
    assert [name for name, colour in seen[0].items() if colour == SOFT] == ["plain"]


def test_front_holds_a_point_for_each_weight_and_those_that_no_other_beats(charts: dict[str, Chart]):
    rows = charts["front-sentiment_gender"].rows
    assert len(rows) == 3 * 3 + 3
    assert "CDA" not in {row["kind"] for row in rows}
    assert [row["weight"] for row in rows if row["kind"] == "fairBERTs"] == ["0.1", "1", "5"]
    best = [row for row in rows if row["front"]]
    for row in best:
        assert not any(other["x"] < row["x"] and other["y"] > row["y"] for other in rows)
    stairs = charts["front-sentiment_gender"].spec["layer"][0]["data"]["values"]
    assert [row["x"] for row in stairs] == sorted(row["x"] for row in best)
    assert [row["y"] for row in stairs] == sorted(row["y"] for row in best)


def test_leakage_is_that_of_the_probe_that_finds_most_beside_the_majority(charts: dict[str, Chart]):
    rows = charts["leakage"].rows
    assert {row["probe"] for row in rows} == {"MLP"}
    assert {row["majority"] for row in rows} == {51.0}
    marks = charts["leakage"].spec["layer"][-1]
    assert [row["value"] for row in marks["data"]["values"]] == [51.0] * len(FAIR_SETTINGS)


def test_flips_transfer_and_groups(charts: dict[str, Chart]):
    flips = {row["series"]: row["value"] for row in charts["flips"].rows if row["group"] == "sentiment gender"}
    assert flips["fairBERTs"] < flips["plain"]
    moved = charts["transfer"].spec["data"]["values"]
    assert [row["series"] for row in moved[:4]] == ["plain", "transfer", "transfer random", "shuffled"]
    assert charts["transfer"].rows[1]["accuracy"] == "90.0 [88.5, 91.5]"
    counted = {(row["group"], row["series"]): row["value"] for row in charts["groups"].rows}
    assert counted["toxicity race: male", "y = 1"] == 100
    assert counted["toxicity race: female", "y = 0"] == 105


def test_table_is_tidy(scores: list[Score]):
    rows = fairberts.table(scores)
    assert len({tuple(row) for row in rows}) == 1
    one = [row for row in rows if row["subject"] == "toxicity_race"]
    measures, points = 2 + 3 + 2 + 2, 3 * 3 + 4
    assert len(one) == len(METHODS) * (measures + 2 + 3) + points * 4 - 1 + 3 * measures
    moved = next(row for row in one if row["method"] == "transfer_random")
    assert (moved["part"], moved["quantity"], moved["value"]) == ("utility", "accuracy", 0.9)


def test_finding_sets_each_setting_beside_the_plain_one(scores: list[Score]):
    lines = plain(fairberts.finding(scores)).split("\n")
    assert len(lines) == len(FAIR_SETTINGS)
    assert lines[0] == (
        "Sentiment gender: fairBERTs leaves an equalized odds gap of 12.0 points [7.0, 17.0], plain 40.0 points "
        "[35.0, 45.0]; accuracy 89.5 % against 90.0 %; a fresh probe still finds 64.0 %, the larger group is 51.0 %."
    )


def test_detail_sets_the_plain_model_beside_fairberts(scores: list[Score]):
    assert plain(fairberts.detail(scores[0])) == "plain gap 40.0, accuracy 90.0 %; fairBERTs accuracy 89.5 %"


def test_a_missing_group_leaves_the_rest(tmp_path: Path):
    file = write_fairberts_score(tmp_path, setting="toxicity_gender")
    score = json.loads(file.read_text())
    for each in score["results"]["methods"].values():
        each["fairness"] = {"equalized_odds_gap": {"value": None, "reason": "no positives among men"}}
        each["counterfactual"] = {"flip_rate": float("nan")}
        each["leakage"] = {"majority": 0.5}
        each["counts"] = {}
        each["skewed"] = None
    score["results"] |= {"pareto": {}, "transfer": {}, "controls": {}}
    file.write_text(json.dumps(score))
    scores = read_scores(tmp_path)
    assert fairberts.charts(scores) == []
    assert fairberts.finding(scores) == ""
    assert [row["quantity"] for row in fairberts.table(scores)] == ["accuracy", "f1"] * len(METHODS)


def test_results_of_another_kind_are_named(tmp_path: Path):
    file = write_fairberts_score(tmp_path, setting="toxicity_gender")
    score = json.loads(file.read_text())
    del score["results"]["methods"]["plain"]["utility"]
    file.write_text(json.dumps(score))
    with pytest.raises(DataError, match=r"must be those of fairberts; methods\.plain\.utility: Field required"):
        fairberts.charts(read_scores(tmp_path))
