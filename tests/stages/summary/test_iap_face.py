import json
from pathlib import Path

import pytest
import vl_convert

from gauntlet.errors import DataError
from stages.summary import iap_face
from stages.summary.charts import Chart
from stages.summary.page import VEGA_LITE
from stages.summary.readings import Score, read_scores
from tests.fixtures.iap_scores import (
    DISTORTIONS,
    MANIPULATORS,
    METHODS,
    views,
    write_iap_results,
    write_manipulator_score,
    write_message_score,
)
from tests.stages.summary.test_fairberts import colours, plain

READ = [method for method, (_, bits) in METHODS.items() if bits]


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> list[Score]:
    return read_scores(write_iap_results(tmp_path_factory.mktemp("data")) / "scores")


@pytest.fixture(scope="module")
def charts(scores: list[Score]) -> dict[str, Chart]:
    return {chart.name.removeprefix("iap_face-"): chart for chart in iap_face.charts(scores)}


def test_vega_lite_accepts_every_figure(charts: dict[str, Chart]):
    assert list(charts) == ["protection", "views", "sweep", "roc", "quality", "distorted"]
    for chart in charts.values():
        vl_convert.vegalite_to_vega(json.dumps(chart.spec), vl_version=VEGA_LITE)
        assert chart.rows
        assert all(any(key in row for row in chart.rows) for key in chart.columns)


def test_protection_by_method_and_manipulator_white_boxes_first(charts: dict[str, Chart]):
    rows = charts["protection"].rows
    assert list(dict.fromkeys(row["group"] for row in rows)) == [
        "AttGAN style (white box)", "StarGAN style (white box)", "AttentionGAN style (held out)",
    ]  # fmt: skip
    assert [row["series"] for row in rows[:6]] == [
        *("IAP", "PGD", "watermark, then PGD", "PGD, then watermark", "message only", "disruption only"),
    ]
    assert rows[0] | {"value": 85.0, "range": "[84.0, 86.0]", "masked": "0.080 [0.070, 0.090]"} == rows[0]
    assert rows[0]["no_change"] == 20


def test_every_view_is_in_the_map_in_its_order(charts: dict[str, Chart]):
    rows = charts["views"].rows
    assert len(rows) == 3 * len(views()) * len(READ)
    columns = list(dict.fromkeys(row["column"] for row in rows))
    assert columns[0] == "protected"
    assert columns[1 : 1 + len(DISTORTIONS)] == ["blur", "crop 0.5", "JPEG 75"]
    assert columns[4:7] == ["AttentionGAN style", "AttGAN style", "StarGAN style"]
    assert {"JPEG 75, StarGAN style", "StarGAN style, JPEG 75"} <= set(columns[7:])
    assert list(dict.fromkeys(row["layer"] for row in rows)) == ["bit accuracy", "whole words", "ids decoded"]


def test_sweep_has_each_method_after_each_distortion(charts: dict[str, Chart]):
    rows = charts["sweep"].rows
    assert len(rows) == (1 + len(DISTORTIONS)) * len(READ)
    assert list(colours(charts["sweep"])) == ["IAP", "watermark, then PGD", "PGD, then watermark", "message only"]
    blurred = next(row for row in rows if (row["group"], row["series"]) == ("blur", "IAP"))
    assert (blurred["value"], blurred["range"]) == (94.5, "[94.1, 94.9]")


def test_roc_rises_with_the_false_positive_rate(charts: dict[str, Chart]):
    rows = charts["roc"].spec["data"]["values"]
    for name in {row["series"] for row in rows}:
        line = [row for row in rows if row["series"] == name]
        assert [row["x"] for row in line] == sorted(row["x"] for row in line)
        assert [row["y"] for row in line] == sorted(row["y"] for row in line)
        assert min(row["x"] for row in line) > 0, "a logarithm is taken"
    assert "protected" in {row["series"] for row in rows}
    assert charts["roc"].rows[0]["threshold"] == 30


def test_finding_says_what_is_disrupted_read_and_lost(scores: list[Score]):
    disrupted, read, steps = plain(iap_face.finding(scores)).split("\n")
    assert disrupted.startswith("Edits disrupted by IAP: AttGAN style 85.0 % [84.0, 86.0], PGD 89.2 % [88.2, 90.2];")
    assert "AttentionGAN style (held out) 50.0 %" in disrupted
    assert read.startswith("Bits of IAP read right: untouched 99.5 % [99.1, 99.9]; after JPEG 75 97.5 %")
    assert read.endswith("where there is no message 50.1 % [49.7, 50.5].")
    assert steps == (
        "Bits read right where both are done one after the other, at the same PSNR: watermark, then PGD 71.0 % "
        "[70.6, 71.4]; PGD, then watermark 82.0 % [81.6, 82.4]."
    )


def test_table_is_tidy(scores: list[Score]):
    rows = iap_face.table(scores)
    assert len({tuple(row) for row in rows}) == 1
    disrupted = len(MANIPULATORS) * len(METHODS) * (3 + len(DISTORTIONS))
    assert len(rows) == disrupted + 3 * len(views()) * len(READ) + 3 * len(METHODS) + 1
    kinds = {(row["quantity"], row["view"]) for row in rows}
    assert {("bit_accuracy", "unprotected"), ("psnr_db", "protected"), ("protection_rate", "distorted:blur")} <= kinds


def test_detail_says_what_a_headline_leaves_open(scores: list[Score]):
    said = {score.subject: plain(iap_face.detail(score)) for score in scores}
    assert said["attention"] == "held out; PGD 52.5 %"
    assert said["message"] == "untouched 99.5 %, PSNR 36.0 dB"


def test_a_manipulator_alone_is_drawn(tmp_path: Path):
    file = write_manipulator_score(tmp_path, name="stargan")
    score = json.loads(file.read_text())
    score["results"]["distorted"] = {}
    score["results"]["protection"] = {"iap": {"protection_rate": None}, "pgd": score["results"]["protection"]["pgd"]}
    file.write_text(json.dumps(score))
    (chart,) = iap_face.charts(read_scores(tmp_path))
    assert [row["series"] for row in chart.rows] == ["PGD"]
    assert iap_face.finding(read_scores(tmp_path)) == ""


def test_a_curve_of_uneven_length_is_named(tmp_path: Path):
    file = write_message_score(tmp_path)
    score = json.loads(file.read_text())
    score["results"]["roc"]["fpr"].pop()
    file.write_text(json.dumps(score))
    with pytest.raises(DataError, match=r"must be those of iap_face; roc: must hold a rate for each threshold"):
        iap_face.charts(read_scores(tmp_path))
