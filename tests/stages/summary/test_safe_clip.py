import json
from pathlib import Path

import pytest
import vl_convert

from gauntlet.errors import DataError
from stages.summary import safe_clip
from stages.summary.charts import SOFT, Chart
from stages.summary.page import VEGA_LITE
from stages.summary.readings import Score, read_scores
from tests.fixtures.safe_clip_scores import (
    ALPHAS,
    METHODS,
    SETS,
    SHOTS,
    write_generalisation_score,
    write_safe_clip_results,
    write_set_score,
)
from tests.stages.summary.test_fairberts import colours, plain


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> list[Score]:
    return read_scores(write_safe_clip_results(tmp_path_factory.mktemp("data")) / "scores")


@pytest.fixture(scope="module")
def charts(scores: list[Score]) -> dict[str, Chart]:
    return {chart.name.removeprefix("safe_clip-"): chart for chart in safe_clip.charts(scores)}


def test_vega_lite_accepts_every_figure(charts: dict[str, Chart]):
    assert list(charts) == ["means", "alpha", "generalisation", "attention", *(f"shots-{name}" for name in SETS)]
    for chart in charts.values():
        vl_convert.vegalite_to_vega(json.dumps(chart.spec), vl_version=VEGA_LITE)
        assert chart.rows
        assert all(any(key in row for row in chart.rows) for key in chart.columns)


def test_every_method_has_a_point_and_an_interval_at_all_shots(charts: dict[str, Chart]):
    for name in ("means", *(f"shots-{name}" for name in SETS)):
        rows = charts[name].rows
        assert len(rows) == len(METHODS) * len(SHOTS)
        assert all(row["low"] < row["y"] < row["high"] for row in rows)
    first = next(row for row in charts["shots-Layouts"].rows if (row["series"], row["x"]) == ("SAFE-A", 1))
    assert (first["y"], first["range"]) == (57.5, "[56.0, 59.0]")


def test_a_method_keeps_its_colour_and_zero_shot_is_grey(charts: dict[str, Chart]):
    seen = [colours(charts[name]) for name in ("means", "generalisation", *(f"shots-{name}" for name in SETS))]
    assert all(each == seen[0] for each in seen)
    assert [name for name, colour in seen[0].items() if colour == SOFT] == ["zero-shot"]
    assert len(set(seen[0].values())) == len(METHODS)


def test_alpha_curve_is_the_mean_over_sets_with_the_choice_on_it(charts: dict[str, Chart]):
    spec = charts["alpha"].spec
    values = {(row["series"], row["x"]): row["y"] for row in spec["data"]["values"]}
    assert values["1 shot", 0.0] == pytest.approx(100 * sum(SETS.values()) / len(SETS), abs=0.01)
    marks = {row["series"]: row for row in spec["layer"][-1]["data"]["values"]}
    assert marks.keys() == {"1 shot", "2 shots", "4 shots", "8 shots"}
    cross, share = marks["8 shots"], (1.6 / 3 - 0.5) / 0.5
    assert cross["x"] == pytest.approx(1.6 / 3)
    assert cross["y"] == pytest.approx(values["8 shots", 0.5] * (1 - share) + values["8 shots", 1.0] * share, abs=0.02)
    assert cross["note"] == "chosen: 0.5 to 0.6, mean 0.53"
    assert len(charts["alpha"].rows) == len(SETS) * len(SHOTS) * len(ALPHAS)


def test_attention_before_stands_beside_after(charts: dict[str, Chart]):
    rows = charts["attention"].rows
    assert [row["series"] for row in rows] == ["before tuning", "after tuning"] * len(SETS)
    assert [(row["value"], row["entropy"]) for row in rows[:2]] == [(40.0, 2.6), (55.0, 2.1)]


def test_finding_sets_the_methods_beside_their_rivals(scores: list[Score]):
    one, four, elsewhere = plain(safe_clip.finding(scores)).split("\n")
    assert one == (
        "1 shot a class, mean of the sets: zero-shot 42.3 % [40.8, 43.8]; SAFE 48.8 % [47.3, 50.3] against "
        "CLIP-Adapter 46.3 % [44.8, 47.8]; SAFE-A 49.8 % [48.3, 51.3] against Tip-Adapter-F 48.3 % [46.8, 49.8]."
    )
    assert four.startswith("4 shots a class")
    assert elsewhere == "SAFE-A over zero-shot on other styles, in points: flat +14.0, outline +14.0, render +14.0."


def test_table_is_tidy(scores: list[Score]):
    rows = safe_clip.table(scores)
    assert len({tuple(row) for row in rows}) == 1
    each = len(METHODS) * len(SHOTS) + 2 * len(SHOTS) * len(ALPHAS) + 4
    assert len(rows) == len(SETS) * each + len(METHODS) * len(SHOTS) + 3 * len(METHODS)


def test_overview_shows_the_means_and_what_carries_over(scores: list[Score]):
    assert [score.subject for score in safe_clip.leading(scores)] == ["generalisation", "means"]
    said = {score.subject: plain(safe_clip.detail(score)) for score in scores}
    assert said["means"] == "zero-shot 42.3 %"
    assert said["Layouts"] == "zero-shot 50.0 %, 12 classes"
    assert said["generalisation"] == "shots from CutoutObjects"


def test_a_score_with_nothing_but_methods_is_drawn(tmp_path: Path):
    file = write_set_score(tmp_path, name="Layouts", zero_shot=0.5)
    score = json.loads(file.read_text())
    score["results"] = {"methods": {"safe": {"shots": {"1": score["results"]["zero_shot"], "2": None}}}}
    file.write_text(json.dumps(score))
    scores = read_scores(tmp_path)
    (chart,) = safe_clip.charts(scores)
    assert [row["x"] for row in chart.rows] == [1]
    assert (safe_clip.finding(scores), safe_clip.detail(scores[0])) == ("", "")


def test_other_styles_alone_are_drawn(tmp_path: Path):
    write_generalisation_score(tmp_path)
    assert [chart.name for chart in safe_clip.charts(read_scores(tmp_path))] == ["safe_clip-generalisation"]


def test_results_of_another_kind_are_named(tmp_path: Path):
    file = write_set_score(tmp_path, name="Layouts", zero_shot=0.5)
    score = json.loads(file.read_text())
    score["results"]["methods"]["safe"]["shots"]["many"] = None
    file.write_text(json.dumps(score))
    with pytest.raises(DataError, match=r"must be those of safe_clip; methods\.safe\.shots\.many"):
        safe_clip.charts(read_scores(tmp_path))
