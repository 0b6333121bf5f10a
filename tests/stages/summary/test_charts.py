import json
import re
from pathlib import Path

import pytest
import vl_convert

from gauntlet.metrics.coco_o import PUBLISHED
from gauntlet.metrics.imagenet_e import PUBLISHED as PUBLISHED_DROPS
from stages.summary import coco_o, imagenet_e, training
from stages.summary.charts import Chart
from stages.summary.methods import METHODS
from stages.summary.page import VEGA_LITE
from stages.summary.readings import History, read_histories, read_scores
from tests.fixtures.scores import write_coco_o_score, write_results


@pytest.fixture(scope="module")
def charts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Chart]:
    data = write_results(tmp_path_factory.mktemp("data"))
    scores = read_scores(data / "scores")
    drawn = coco_o.charts([score for score in scores if score.method == "coco_o"])
    drawn += imagenet_e.charts([score for score in scores if score.method == "imagenet_e"])
    drawn += training.charts([history for history in read_histories(data / "models") if history.method == "coco_o"])
    return {chart.name: chart for chart in drawn}


def test_all_figures_are_there(charts: dict[str, Chart]):
    coco = {"coco_o-ap", "coco_o-drop", "coco_o-scatter", "coco_o-training-loss", "coco_o-training-ap"}
    assert set(charts) == coco | {"imagenet_e-drop"}


def test_vega_lite_accepts_every_figure(charts: dict[str, Chart]):
    for chart in charts.values():
        spec = vl_convert.vegalite_to_vega(json.dumps(chart.spec), vl_version=VEGA_LITE)
        assert "chosen" in json.dumps(spec["signals"]), chart.name
        assert spec["description"]


def test_every_figure_has_its_numbers_as_a_table(charts: dict[str, Chart]):
    for chart in charts.values():
        assert chart.rows
        assert all(key in row for row in chart.rows for key in list(chart.columns)[:3])


def test_domains_come_by_what_they_cost(charts: dict[str, Chart]):
    order = charts["coco_o-ap"].spec["layer"][1]["encoding"]["y"]["sort"]
    assert order == ["source", "tattoo", "sketch", "cartoon", "handmake", "painting", "weather"]


def test_published_detectors_stand_in_the_scatter(charts: dict[str, Chart]):
    rows = {row["name"]: row for row in charts["coco_o-scatter"].rows}
    assert rows["Faster R-CNN (R50-FPN), published"]["er"] == "−0.41"
    assert {"x": 47.0, "y": 22.56}.items() <= rows["fcos"].items()
    names = {row.detector for row in PUBLISHED}
    assert names >= set(coco_o.NAMED)


def test_paper_stands_beside_each_setting(charts: dict[str, Chart]):
    paper = [row for row in charts["imagenet_e-drop"].rows if row["series"] == imagenet_e.BESIDE]
    assert len(paper) == 11
    assert paper[3]["value"] == 29.92


def test_findings_name_the_worst(tmp_path: Path):
    scores = read_scores(write_results(tmp_path) / "scores")
    said = coco_o.finding([score for score in scores if score.subject == "fcos"]).replace("\u202f", " ")
    assert said == "Falls below its source AP: fcos on every domain, most on tattoo (34.3 points)."
    said = imagenet_e.finding([score for score in scores if score.subject == "plain"]).replace("\u202f", " ")
    assert said == "Loses most: plain under position (25.0 points)."


def test_a_detector_that_has_learned_nothing_has_no_relative_drop(tmp_path: Path):
    write_coco_o_score(tmp_path, detector="blank", source=0.0)
    scores = read_scores(tmp_path)
    assert [chart.name for chart in coco_o.charts(scores)] == ["coco_o-ap", "coco_o-scatter"]
    assert "relative drop not defined" in coco_o.detail(scores[0])
    assert "no domain for certain" in coco_o.finding(scores)


def test_methods_quote_what_the_library_holds():
    rows = {method.slug: method for method in METHODS}
    faster = next(row for row in PUBLISHED if row.detector.startswith("Faster R-CNN"))
    assert f"{100 * faster.ap_coco_o:.1f} % AP" in rows["coco_o"].published
    assert f"{100 * faster.ap_coco:.1f} % AP" in rows["coco_o"].published_for
    resnet = PUBLISHED_DROPS["resnet50"]
    assert f"{100 * resnet.mean_drop:.2f} points" in rows["imagenet_e"].published
    assert f"{100 * resnet.top1:.2f} %" in rows["imagenet_e"].published_for


def test_a_method_says_why_where_no_number_could_be_read():
    assert all(method.published_for for method in METHODS)
    assert all(re.fullmatch(r"\d{4}\.\d{5}", method.arxiv) for method in METHODS)
    assert len({method.slug for method in METHODS}) == 10


def test_one_epoch_draws_no_line():
    def history(name: str, epochs: int) -> History:
        return History(method="wapat", model=name, records=[{"epoch": n, "loss": 1.0} for n in range(1, epochs + 1)])

    assert training.charts([history("one", 1)]) == []
    (chart,) = training.charts([history("one", 1), history("two", 2)])
    assert {row["series"] for row in chart.rows} == {"two"}
