import json
from pathlib import Path

import pytest
import vl_convert

from gauntlet.errors import DataError
from stages.summary import ares_bench
from stages.summary.ares_bench_models import common_budget, deal, place
from stages.summary.charts import Chart
from stages.summary.page import VEGA_LITE
from stages.summary.readings import Score, read_scores
from stages.summary.robust_results import ares
from tests.fixtures.robust_scores import FEW, write_ares_bench_score, write_robust_results


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> list[Score]:
    folder = write_robust_results(tmp_path_factory.mktemp("data"))
    return [score for score in read_scores(folder / "scores") if score.method == "ares_bench"]


@pytest.fixture(scope="module")
def charts(scores: list[Score]) -> dict[str, Chart]:
    return {chart.name.removeprefix("ares_bench-"): chart for chart in ares_bench.charts(scores)}


def change(file: Path, **results: object) -> Path:
    score = json.loads(file.read_text())
    score["results"] |= results
    file.write_text(json.dumps(score))
    return file


def plain(text: str) -> str:
    return text.replace("\u202f", " ")


def test_nine_figures_in_order(charts: dict[str, Chart]):
    kinds = ("curve-linf", "curve-l2", "plane", "steps", "frequency", "severity", "transfer", "corruptions", "defences")
    assert list(charts) == [f"{kind}-objects32" for kind in kinds]


def test_vega_lite_accepts_every_figure(charts: dict[str, Chart]):
    for chart in charts.values():
        vl_convert.vegalite_to_vega(json.dumps(chart.spec), vl_version=VEGA_LITE)
        assert chart.rows
        assert all(key in row for row in chart.rows for key in list(chart.columns)[:3])


def test_curves_of_all_models_start_at_clean_and_carry_the_wide_band(charts: dict[str, Chart], scores: list[Score]):
    rows = charts["curve-linf-objects32"].spec["data"]["values"]
    for score in scores:
        line = [row for row in rows if row["series"] == score.subject]
        assert len(line) == 33
        assert line[0]["x"] == 0
        assert line[0]["y"] == pytest.approx(100 * ares(score).clean.value, abs=0.01)
        assert line[-1]["x"] == pytest.approx(32)
        assert line[0]["high"] - line[0]["y"] == pytest.approx(6, abs=0.02)
        assert line[0]["range"] == f"[{line[0]['y'] - 3:.1f}, {line[0]['y'] + 3:.1f}]"


def test_without_a_simultaneous_band_the_bounds_at_each_budget_are_drawn_and_called_so(tmp_path: Path):
    file = write_ares_bench_score(tmp_path, model="plain", radius=0.02, clean=0.8)
    curves = json.loads(file.read_text())["results"]["curves"]
    for curve in curves.values():
        del curve["band_low"], curve["band_high"]
    change(file, curves=curves)
    chart = ares_bench.charts(read_scores(tmp_path))[0]
    assert "Wilson; band_low" in chart.caption
    assert chart.spec["data"]["values"][0]["high"] == pytest.approx(83)


def test_table_below_the_curve_reads_it_at_a_few_budgets(charts: dict[str, Chart]):
    chart = charts["curve-linf-objects32"]
    assert [heading for key, heading in chart.columns.items() if key.startswith("at_")] == [
        f"Top-1 (%) at {budget}/255" for budget in (4, 8, 16, 32)
    ]
    row = next(row for row in chart.rows if row["name"] == "fgsm_law")
    curve = [point for point in chart.spec["data"]["values"] if point["series"] == "fgsm_law"]
    assert row["at_1"] == curve[8]["y"]
    assert row["median"].endswith("/255")


@pytest.mark.parametrize("eps", [16 / 255, 0.062745, 0.0627])
def test_a_budget_written_with_few_digits_is_found_on_the_curve(scores: list[Score], eps: float):
    curve = ares(scores[0]).curves["linf"]
    assert place(curve, eps) == (16 if eps > 0.06274 else 15)
    assert place(curve, -1.0) == 0


def test_models_are_compared_at_the_budget_most_were_trained_against(scores: list[Score], tmp_path: Path):
    (models,) = deal(scores)
    assert common_budget(models) == pytest.approx(8 / 255, rel=1e-4)
    file = write_ares_bench_score(tmp_path, model="digit", radius=0.2, clean=0.9, data="digits")
    change(file, trained={"method": "fgsm_law", "eps": 0.3})
    (digits,) = deal(read_scores(tmp_path))
    assert common_budget(digits) == 0.3


def test_trade_off_plane_keeps_the_front(charts: dict[str, Chart], scores: list[Score]):
    rows = {row["name"]: row for row in charts["plane-objects32"].rows}
    assert set(rows) == set(FEW)
    assert rows["plain"]["kind"] == "not hardened"
    assert rows["fgsm_law"]["trained"] == "fgsm_law, 8/255"
    placed = {score.subject: (ares(score).clean.value, ares(score).curves["linf"].robust_top1[8]) for score in scores}
    for name, (clean, robust) in placed.items():
        others = [placed[other] for other in placed if other != name]
        assert rows[name]["front"] != any(x >= clean and y >= robust for x, y in others), name


def test_transfer_matrix_shows_the_worst_first_and_outlines_the_diagonal(charts: dict[str, Chart], scores: list[Score]):
    chart = charts["transfer-objects32"]
    cells = chart.spec["data"]["values"]
    assert chart.spec["params"][0]["bind"]["options"] == ["worst of all", "FGSM", "MIM", "VMI-FGSM"]
    assert len(cells) == 4 * len(FEW) ** 2
    assert all(cell["own"] == (cell["row"] == cell["column"]) for cell in cells)
    law = next(score for score in scores if score.subject == "fgsm_law")
    kept = min(sources["plain"] for sources in ares(law).transfer.values())
    worst = [cell for cell in cells if cell["layer"] == "worst of all" and cell["column"] == "fgsm_law"]
    assert next(cell["value"] for cell in worst if cell["row"] == "plain") == pytest.approx(100 * kept, abs=0.01)
    shown = {row["source"]: row["fgsm_law"] for row in chart.rows}
    assert shown == {cell["row"]: cell["value"] for cell in worst}


def test_corruptions_and_mce_stand_in_one_table(charts: dict[str, Chart]):
    row = next(row for row in charts["corruptions-objects32"].rows if row["name"] == "plain")
    assert row["mce"] == pytest.approx(100 * (0.7 + 0.4 * (1 - 0.827)), abs=0.01)
    assert row["fog"] == pytest.approx(100 * 0.827 * (1 - 0.02 * 3 * 3 - 0.05 * 3), abs=0.01)


def test_a_doubted_defence_is_grey_and_says_why(charts: dict[str, Chart]):
    rows = charts["defences-objects32"].rows
    doubted = {row["group"] for row in rows if row["series"] == "attacked, in doubt"}
    assert doubted == {f"{name}, {defence}" for name in FEW for defence in ("bit depth", "randomisation")}
    assert all(row["problems"] for row in rows if row["series"] == "attacked, in doubt")


def test_finding_names_the_extremes_and_each_problem_once(scores: list[Score]):
    standing, doubts = plain(ares_bench.finding(scores)).split("\n")
    assert standing.startswith("objects32, Linf 8/255: fgsm_law keeps most, ")
    assert standing.endswith("; plain least, 0.0 %.")
    assert doubts.count("The gradient is zero at 98 % of the images") == 1
    assert doubts.count("and 1 more behind randomisation: Two forward passes of the same images differ") == 1
    assert doubts.startswith("Not to be taken at face value: fgsm_law, pgd_at, n_fgsm, ")


def test_finding_names_self_checks_and_attacks_that_work_better_when_borrowed(tmp_path: Path):
    file = write_ares_bench_score(tmp_path, model="masked", radius=0.05, clean=0.9)
    transfer = {"mim": {"masked": 0.5, "open": 0.2}, "dim": {"masked": 0.5, "open": 0.49}}
    change(file, transfer=transfer, self_checks=["Square finds more than APGD."], defences={})
    said = plain(ares_bench.finding(read_scores(tmp_path))).split("\n")[1]
    assert said == (
        "Not to be taken at face value: masked: Square finds more than APGD; masked: MIM made on open leaves 20.0 %, "
        "less than its own 50.0 %, which speaks for masked gradients."
    )


def test_a_model_that_was_tried_on_little_shows_little(tmp_path: Path):
    file = write_ares_bench_score(tmp_path, model="bare", radius=0.05, clean=0.9)
    score = json.loads(file.read_text())
    score["results"] = {key: score["results"][key] for key in ("data", "clean")}
    file.write_text(json.dumps(score))
    scores = read_scores(tmp_path)
    assert ares_bench.charts(scores) == []
    assert ares_bench.finding(scores) == ""
    assert plain(ares_bench.detail(scores[0])) == "objects32, clean 90.0 %"


def test_out_of_distribution_sets_are_a_figure_where_there_are_any(tmp_path: Path):
    interval = {"value": 0.25, "low": 0.2, "high": 0.31, "n": 300}
    ood = {
        "imagenet_a": {"suite": "imagenet_a", "top1": interval, "n": 300, "drop": 0.65},
        "imagenet_c": {"top1": interval, "n": 300, "mce": 0.767, "severity": [0.25] * 5},
    }
    change(write_ares_bench_score(tmp_path, model="tried", radius=0.05, clean=0.9, data="imagenet"), ood=ood)
    write_ares_bench_score(tmp_path, model="bare", radius=0.05, clean=0.9, data="imagenet")
    (chart,) = [chart for chart in ares_bench.charts(read_scores(tmp_path)) if chart.name == "ares_bench-ood-imagenet"]
    vl_convert.vegalite_to_vega(json.dumps(chart.spec), vl_version=VEGA_LITE)
    assert [(cell["row"], cell["column"]) for cell in chart.spec["data"]["values"]] == [
        ("ImageNet-A", "tried"),
        ("ImageNet-C", "tried"),
    ]
    one, two = ([row[key] for key in chart.columns] for row in chart.rows)
    assert one == ["tried", "ImageNet-A", 25, "[20.0, 31.0]", 65, "", 300]
    assert two == ["tried", "ImageNet-C", 25, "[20.0, 31.0]", "", 76.7, 300]


def test_data_sets_are_kept_apart(tmp_path: Path):
    for model, data in (("a", "objects32"), ("b", "objects32"), ("c", "digits")):
        write_ares_bench_score(tmp_path, model=model, radius=0.05, clean=0.9, data=data)
    names = [chart.name for chart in ares_bench.charts(read_scores(tmp_path)) if "curve-linf" in chart.name]
    assert names == ["ares_bench-curve-linf-objects32", "ares_bench-curve-linf-digits"]


def test_detail_and_tables(scores: list[Score]):
    law = next(score for score in scores if score.subject == "fgsm_law")
    said = plain(ares_bench.detail(law))
    assert said.startswith("objects32, clean 70.5 %, AutoAttack ")
    assert said.endswith("mCE 82 %")
    rows = ares_bench.table([law])
    assert len(rows) == 2 * 33 + 7 + 8 + 7 * 5
    assert {row["quantity"] for row in rows} >= {"curve_linf", "curve_l2", "steps", "frequency", "corruption_fog"}
    assert len(ares_bench.transfer_table(scores)) == 3 * len(FEW) ** 2


def test_a_curve_with_more_budgets_than_rates_is_named(tmp_path: Path):
    file = write_ares_bench_score(tmp_path, model="plain", radius=0.02, clean=0.8)
    curves = json.loads(file.read_text())["results"]["curves"]
    curves["l2"]["robust_top1"].pop()
    change(file, curves=curves)
    message = (
        r"ares_bench-score@plain must be those of ares_bench; curves\.l2: must hold as many of each; got 33 budgets"
    )
    with pytest.raises(DataError, match=message):
        ares_bench.charts(read_scores(tmp_path))
