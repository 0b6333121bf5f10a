import json
from pathlib import Path

import pytest
import vl_convert

from gauntlet.errors import DataError
from stages.summary import s_eval
from stages.summary.charts import Chart
from stages.summary.page import VEGA_LITE
from stages.summary.readings import Score, read_scores
from stages.summary.sections import leading
from tests.fixtures.language_scores import (
    ATTACKS,
    DIMENSIONS,
    write_judges_score,
    write_language_results,
    write_s_eval_score,
)

VICTIM_CHARTS = ("safety", "attacks", "dimensions", "matrix", "categories", "sweep")


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> list[Score]:
    folder = write_language_results(tmp_path_factory.mktemp("data"))
    return [score for score in read_scores(folder / "scores") if score.method == "s_eval"]


@pytest.fixture(scope="module")
def charts(scores: list[Score]) -> dict[str, Chart]:
    return {chart.name.removeprefix("s_eval-"): chart for chart in s_eval.charts(scores)}


def change(file: Path, **changes: object) -> list[Score]:
    score = json.loads(file.read_text())
    score["results"] |= changes
    file.write_text(json.dumps(score))
    return read_scores(file.parents[1])


def plain(text: str) -> str:
    return text.replace("\u202f", " ")


def test_vega_lite_accepts_every_figure(charts: dict[str, Chart]):
    assert list(charts) == [*VICTIM_CHARTS, "judges", "judges-by", "agreement"]
    for chart in charts.values():
        vl_convert.vegalite_to_vega(json.dumps(chart.spec), vl_version=VEGA_LITE)
        assert chart.rows
        assert all(any(key in row for row in chart.rows) for key in chart.columns)


def test_victims_stand_by_their_safety_with_scale_and_what_was_not_judged(charts: dict[str, Chart]):
    safest, other = charts["safety"].rows
    assert (safest["name"], other["name"]) == ("SmolLM2 safe", "SmolLM2")
    assert safest["overall"] == "80.0 [70.0, 90.0] of 18"
    assert plain(safest["parameters"]) == "135 M"
    assert (safest["prompt"], other["prompt"]) == ("yes", "no")
    assert safest["counted"] == "answers context 1, answers length 12, verdicts no tag 15"
    assert list(charts["safety"].columns)[1:5] == ["overall", *DIMENSIONS]


def test_attacks_stand_as_the_paper_lists_them_then_their_mean_and_the_adaptive_one(charts: dict[str, Chart]):
    columns = list(charts["attacks"].columns)[1:]
    assert columns == [*ATTACKS, "mean of the attacks", "adaptive: any attack"]
    groups = charts["attacks"].spec["layer"][1]["encoding"]["y"]["sort"]
    assert groups[-1] == "adaptive: any attack"


def test_heat_map_offers_both_judges_and_holds_every_pair(charts: dict[str, Chart]):
    spec = charts["matrix"].spec
    assert spec["params"][0]["bind"]["options"] == ["trained judge", "rules"]
    cells = {(cell["row"], cell["column"], cell["layer"]): cell["value"] for cell in spec["data"]["values"]}
    assert len(cells) == 2 * 2 * (len(ATTACKS) + 2)
    assert cells["SmolLM2", "positive induction", "trained judge"] == pytest.approx(49.5)


def test_a_category_without_a_verdict_is_not_drawn(charts: dict[str, Chart]):
    assert {row["column"] for row in charts["categories"].rows} == {
        name.replace("_", " ") for name in DIMENSIONS.values()
    }


def test_the_judges_stand_side_by_side_with_what_they_could_not_judge(charts: dict[str, Chart]):
    rows = {(row["group"], row["series"]): row for row in charts["judges"].rows}
    assert rows["balanced accuracy", "trained judge"]["value"] == 90.0
    assert rows["balanced accuracy", "rules"]["value"] == 72.0
    assert {row["errors"] for row in rows.values()} == {2}
    assert len(rows) == 2 * 6


def test_of_one_kind_alone_accuracy_is_drawn_and_the_table_holds_what_is_defined(charts: dict[str, Chart]):
    drawn = charts["judges-by"].spec["data"]["values"]
    assert {row["measure"] for row in drawn} == {"accuracy"}
    assert {row["group"] for row in drawn} >= {"positive induction", "refusal", "injection"}
    assert not any(
        row["group"] == "refusal" and row["measure"] == "balanced accuracy" for row in charts["judges-by"].rows
    )


def test_agreement_may_be_below_chance(charts: dict[str, Chart]):
    rows = {row["group"]: row for row in charts["agreement"].rows}
    assert rows["answers"]["value"] == -0.02
    assert rows["answers"]["range"] == "[−0.12, 0.08]"


def test_a_further_judge_is_one_more_layer(tmp_path: Path):
    file = write_s_eval_score(tmp_path, victim="smollm2", safe=0.5)
    rules = json.loads(file.read_text())["results"]["rules"]
    chart = next(chart for chart in s_eval.charts(change(file, a_judge=rules)) if chart.name == "s_eval-matrix")
    assert chart.spec["params"][0]["bind"]["options"] == ["trained judge", "rules", "a_judge"]


def test_languages_are_drawn_once_there_are_two(tmp_path: Path):
    file = write_s_eval_score(tmp_path, victim="smollm2", safe=0.5)
    both = {name: {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9} for name in ("zh", "en")}
    chart = next(chart for chart in s_eval.charts(change(file, languages=both)) if chart.name == "s_eval-languages")
    assert [row["group"] for row in chart.rows] == ["en", "zh"]


def test_table_is_tidy(scores: list[Score]):
    rows = s_eval.table(scores)
    assert len({tuple(row) for row in rows}) == 1
    mine = [row for row in rows if row["subject"] == "smollm2" and row["judge"] == "trained judge"]
    assert len(mine) == (1 + 3) + 3 + (len(ATTACKS) + 2) + 3 + 1
    assert [row["value"] for row in rows if row["quantity"] == "kappa"] == [-0.02, 0.55]
    assert not {row["quantity"] for row in rows} - {
        *("safety", "category", "success_rate", "sweep", "language", "kappa"),
        *("balanced_accuracy", "accuracy", "precision", "recall", "precision_safe", "recall_safe"),
    }


def test_finding_names_the_safest_the_strongest_attack_what_was_not_judged_and_the_judges(scores: list[Score]):
    said = plain(s_eval.finding(scores))
    assert "Safest on the base prompts: SmolLM2 safe, 80.0 % [70.0, 90.0]; least safe: SmolLM2, 45.0 %" in said
    assert "succeeds most: positive induction on SmolLM2, 49.5 % [44.5, 54.5] of 18" in said
    assert "in no denominator: 30 of 180 answers" in said
    assert "trained judge 90.0 % [87.0, 93.0], rules 72.0 %" in said
    assert "−0.02 [−0.12, 0.08] on answers" in said


def test_detail_of_a_victim_and_of_the_judges(scores: list[Score]):
    by_name = {score.subject: score for score in scores}
    assert plain(s_eval.detail(by_name["smollm2"])) == "attacks 34.4 %, adaptive 77.5 %, 135 M parameters"
    assert s_eval.detail(by_name["smollm2_safe"]).endswith(", safety prompt")
    assert plain(s_eval.detail(by_name["judges"])) == "trained judge 90.0 %, rules 72.0 %"


def test_overview_of_many_shows_the_ends_and_the_judges(tmp_path: Path):
    for number in range(8):
        write_s_eval_score(tmp_path, victim=f"model_{number}", safe=0.1 * (number + 1))
    write_judges_score(tmp_path)
    shown = leading(read_scores(tmp_path))
    assert {score.subject for score in shown} == {"model_0", "model_7", "judges"}


def test_victims_need_no_judges_score_and_the_judges_no_victim(tmp_path: Path):
    write_judges_score(tmp_path / "judges")
    assert len(s_eval.charts(read_scores(tmp_path / "judges"))) == 3
    write_s_eval_score(tmp_path / "victims", victim="smollm2", safe=0.5)
    scores = read_scores(tmp_path / "victims")
    assert [chart.name.removeprefix("s_eval-") for chart in s_eval.charts(scores)] == [*VICTIM_CHARTS]
    assert "Balanced accuracy" not in s_eval.finding(scores)


def test_where_nothing_was_attacked_and_nothing_judged_the_rest_is_shown(tmp_path: Path):
    file = write_s_eval_score(tmp_path, victim="smollm2", safe=0.5)
    nothing = {"overall": None, "dimensions": {"Cybersecurity": None}, "categories": {}}
    scores = change(
        file,
        safety=nothing,
        attacks={},
        attacks_overall=None,
        adaptive=None,
        sweep=[],
        rules=None,
        languages={},
        verdicts=[],
    )
    assert [chart.name for chart in s_eval.charts(scores)] == ["s_eval-safety"]
    assert s_eval.finding(scores) == ""


def test_results_of_another_kind_are_named(tmp_path: Path):
    file = write_s_eval_score(tmp_path, victim="smollm2", safe=0.5)
    with pytest.raises(DataError, match=r"results of s_eval-score@smollm2 must be those of s_eval; safety\.overall"):
        s_eval.charts(change(file, safety={"dimensions": {}}))
