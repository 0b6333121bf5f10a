import json
from pathlib import Path

import pytest
import vl_convert

from gauntlet.errors import DataError
from stages.summary import fgsm_law, fgsm_law_epochs
from stages.summary.charts import Chart
from stages.summary.page import VEGA_LITE
from stages.summary.readings import Score, read_histories, read_scores
from stages.summary.sections import leading
from tests.fixtures.robust_scores import ROBUST, write_fgsm_law_score, write_robust_results


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_robust_results(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def scores(folder: Path) -> list[Score]:
    return [score for score in read_scores(folder / "scores") if score.method == "fgsm_law"]


@pytest.fixture(scope="module")
def charts(folder: Path, scores: list[Score]) -> dict[str, Chart]:
    drawn = fgsm_law.charts(scores) + fgsm_law_epochs.charts(read_histories(folder / "models"), scores)
    return {chart.name: chart for chart in drawn}


def change(file: Path, *keys: str, value: object) -> None:
    score = json.loads(file.read_text())
    here = score["results"]
    for key in keys[:-1]:
        here = here[key]
    here[keys[-1]] = value
    file.write_text(json.dumps(score))


def plain(text: str) -> str:
    return text.replace("\u202f", " ")


def test_four_figures_for_each_data_set_and_eps(charts: dict[str, Chart]):
    kinds = ("methods", "cost", "pgd_10", "linearity")
    assert set(charts) == {
        f"fgsm_law-{kind}-{group}" for kind in kinds for group in ("objects32-8_255", "objects32-16_255")
    }


def test_vega_lite_accepts_every_figure(charts: dict[str, Chart]):
    for chart in charts.values():
        vl_convert.vegalite_to_vega(json.dumps(chart.spec), vl_version=VEGA_LITE)
        assert chart.rows
        assert all(key in row for row in chart.rows for key in chart.columns)


def test_groups_hold_variants_of_the_same_data_and_eps_the_most_robust_first(scores: list[Score]):
    large, small = fgsm_law.groups(scores)
    assert (large.title, small.title) == ("objects32, eps 8/255", "objects32, eps 16/255")
    assert [variant.name for variant in large.variants] == ["fgsm_law", "pgd_at", "n_fgsm", "fgsm", "plain"]
    assert [variant.name for variant in small.variants] == ["fgsm_law@16", "fgsm_rs@16"]


def test_pareto_front_leaves_out_the_expensive_the_weak_and_the_collapsed(charts: dict[str, Chart]):
    rows = {row["name"]: row for row in charts["fgsm_law-cost-objects32-8_255"].rows}
    assert {name for name, row in rows.items() if row["front"]} == {"plain", "n_fgsm", "fgsm_law"}
    assert {name: row["kind"] for name, row in rows.items()} == {
        "plain": "on the front", "n_fgsm": "on the front", "fgsm_law": "on the front",
        "pgd_at": "behind it", "fgsm": "collapsed",
    }  # fmt: skip
    assert rows["fgsm"]["collapse"] == "3"
    assert rows["fgsm_law"]["switches"] == "ce_on_probs True, reference clean"
    assert (
        rows["fgsm_law"] | {"x": 3.0, "y": 41.8, "y_low": 39.4, "y_high": 44.2, "label": "fgsm_law"} == rows["fgsm_law"]
    )


def test_finding_names_the_best_the_cheapest_and_who_collapsed_when(scores: list[Score]):
    first, second, collapse = plain(fgsm_law.finding(scores)).split("\n")
    assert first == (
        "objects32, eps 8/255: most robust fgsm_law, 41.8 % [39.4, 44.2] under PGD-50 at 3.0 × plain training."
    )
    assert second.startswith("objects32, eps 16/255: most robust fgsm_law@16")
    assert collapse == (
        "Catastrophic overfitting: fgsm (objects32, eps 8/255, epoch 3); fgsm_rs@16 (objects32, eps 16/255, epoch 6)."
    )


def test_finding_names_the_cheapest_within_the_interval_and_numbers_out_of_order(tmp_path: Path):
    write_fgsm_law_score(tmp_path, method="pgd_at")
    change(write_fgsm_law_score(tmp_path, method="fgsm_mep"), "monotone", value=False)
    best, collapse, odd = plain(fgsm_law.finding(read_scores(tmp_path))).split("\n")
    assert best.endswith("the cheapest with an overlapping interval is fgsm_mep, 38.5 % at 2.1 ×.")
    assert collapse == "Catastrophic overfitting: none."
    assert "in doubt: fgsm_mep (objects32, eps 8/255)." in odd


def test_detail_says_data_cost_and_collapse(scores: list[Score]):
    said = {score.subject: plain(fgsm_law.detail(score)) for score in scores}
    assert said["fgsm_law"] == "objects32, eps 8/255, clean 70.5 %, AutoAttack 35.9 %, 3.0 × plain training"
    assert said["fgsm_rs@16"].endswith("2.0 × plain training, collapsed, epoch 6")


def test_without_autoattack_nothing_is_said_of_it(tmp_path: Path):
    change(write_fgsm_law_score(tmp_path, method="pgd_at"), "autoattack", value=None)
    scores = read_scores(tmp_path)
    assert "AutoAttack" not in fgsm_law.detail(scores[0])
    assert {row["attack"] for row in fgsm_law.table(scores)} == {*fgsm_law.ATTACKS} - {"autoattack"}
    methods, cost = fgsm_law.charts(scores)
    assert {row["series"] for row in methods.rows} == {"clean", "FGSM", "PGD-50", "C&W-20"}
    assert cost.rows[0]["autoattack"] == "not run"


def test_table_is_tidy(scores: list[Score]):
    rows = fgsm_law.table(scores)
    assert len(rows) == 7 * len(fgsm_law.ATTACKS)
    row = next(row for row in rows if row["subject"] == "fgsm" and row["attack"] == "clean")
    assert row["collapsed"] == 3
    assert row["low"] < row["top1"] < row["high"]


def test_a_cross_marks_the_epoch_of_the_collapse(charts: dict[str, Chart]):
    marks = charts["fgsm_law-pgd_10-objects32-16_255"].spec["layer"][-1]["data"]["values"]
    assert [(mark["series"], mark["x"], mark["y"]) for mark in marks] == [("fgsm_rs@16", 6, 1.0)]
    summary = {row["name"]: row for row in charts["fgsm_law-pgd_10-objects32-16_255"].rows}
    assert summary["fgsm_rs@16"]["at"] == 5
    assert summary["fgsm_rs@16"]["last"] == 1.0


def test_variants_without_a_history_and_histories_without_a_score_are_left_out(folder: Path, tmp_path: Path):
    write_fgsm_law_score(tmp_path, method="fgsm_law")
    write_fgsm_law_score(tmp_path, method="trades")
    drawn = fgsm_law_epochs.charts(read_histories(folder / "models"), read_scores(tmp_path))
    assert [[row["name"] for row in chart.rows] for chart in drawn] == [["fgsm_law"], ["fgsm_law"]]
    assert fgsm_law_epochs.charts([], read_scores(tmp_path)) == []


def test_twenty_variants_colour_the_telling_ones(tmp_path: Path):
    folder = write_robust_results(tmp_path, methods=tuple(ROBUST))
    scores = [score for score in read_scores(folder / "scores") if score.method == "fgsm_law"]
    chart = fgsm_law_epochs.charts(read_histories(folder / "models"), scores)[0]
    names = chart.spec["layer"][0]["encoding"]["color"]["scale"]["domain"]
    assert names[:4] == ["fgsm_law", "trades", "pgd_at", "fgsm"]
    assert len(names) == len(ROBUST)
    assert {score.subject for score in leading(scores)} == {"fgsm_law", "pgd_at", "fgsm_law@16"}
    assert len(leading(scores[:5])) == 5


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (
            ("cost", "relative"),
            0,
            r"fgsm_law-score@plain must be those of fgsm_law; cost\.relative: Input should be gr",
        ),
        (("training", "eps"), "8/255", r"training\.eps: Input should be a valid number"),
        (("pgd_50",), {"value": 0.1}, r"pgd_50\.low: Field required"),
    ],
)
def test_results_of_another_shape_are_named(tmp_path: Path, keys: tuple[str, ...], value: object, message: str):
    change(write_fgsm_law_score(tmp_path, method="plain"), *keys, value=value)
    with pytest.raises(DataError, match=message):
        fgsm_law.table(read_scores(tmp_path))
