import itertools
import json
from pathlib import Path

import pytest
import vl_convert

from gauntlet.errors import DataError
from stages.summary import wapat
from stages.summary.charts import Chart
from stages.summary.page import VEGA_LITE
from stages.summary.readings import Score, read_scores
from stages.summary.sections import leading
from tests.fixtures.speech_scores import DOMAINS, SHIFTS, VARIANTS, write_speech_results, write_wapat_score


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_speech_results(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def scores(folder: Path) -> list[Score]:
    return [score for score in read_scores(folder / "scores") if score.method == "wapat"]


@pytest.fixture(scope="module")
def charts(scores: list[Score]) -> dict[str, Chart]:
    return {chart.name: chart for chart in wapat.charts(scores)}


def read(folder: Path, *, without: tuple[str, ...] = ()) -> list[Score]:
    for file in (folder / "wapat").glob("*.json"):
        score = json.loads(file.read_text())
        for name in without:
            score["results"].pop(name, None)
        file.write_text(json.dumps(score))
    return read_scores(folder)


def plain(text: str) -> str:
    return text.replace("\u202f", " ")


def test_vega_lite_accepts_every_figure(charts: dict[str, Chart]):
    assert set(charts) == {f"wapat-{kind}" for kind in ("variants", "severity", "domains", "feature", "waveform")}
    for chart in charts.values():
        vl_convert.vegalite_to_vega(json.dumps(chart.spec), vl_version=VEGA_LITE)
        assert chart.rows
        assert any(key in row for row in chart.rows for key in chart.columns)


def test_variants_stand_by_their_mean_and_the_reference_last_and_grey(charts: dict[str, Chart]):
    chart = charts["wapat-variants"]
    names = [row["name"] for row in chart.rows]
    assert names == ["WAPAT", "WavAugment", "PAT", "waveform AT", "SpecAugment", "plain", "Whisper"]
    assert chart.rows[0]["mean of unseen domains"] == "34.0 [32.5, 35.5]"
    assert "mean of the corruptions" not in chart.rows[-1]
    colour = next(layer for layer in chart.spec["layer"] if "color" in layer["encoding"])["encoding"]["color"]
    grey = [
        name for name, shade in zip(colour["scale"]["domain"], colour["scale"]["range"], strict=True) if "soft" in shade
    ]
    assert grey == ["Whisper"]


def test_each_corruption_has_a_panel_of_its_own_place(charts: dict[str, Chart]):
    chart = charts["wapat-severity"]
    assert len(chart.rows) == len(VARIANTS) * len(SHIFTS) * 5
    values = chart.spec["data"]["values"]
    spans = sorted(
        (min(places), max(places))
        for shift in {row["group"] for row in values}
        if (places := [row["place"] for row in values if row["group"] == shift])
    )
    assert len(spans) == len(SHIFTS)
    assert all(end < begin for (_, end), (begin, _) in itertools.pairwise(spans))


def test_domains_that_were_trained_on_are_marked_and_stand_first(charts: dict[str, Chart]):
    groups = list(dict.fromkeys(row["group"] for row in charts["wapat-domains"].rows))
    assert sorted(groups)[0] == "espeak en-029"
    assert {group for group in groups if group.endswith("(trained on)")} == {
        "espeak en-us (trained on)",
        "prompts (trained on)",
    }


def test_of_several_steps_the_line_takes_the_most_and_the_table_all(tmp_path: Path):
    file = write_wapat_score(tmp_path, variant="plain", rate=0.4)
    score = json.loads(file.read_text())
    weaker = score["results"]["feature_pgd"][0] | {"steps": 1, "wer": {"value": 0.1, "low": 0.1, "high": 0.1, "n": 24}}
    score["results"]["feature_pgd"].append(weaker)
    file.write_text(json.dumps(score))
    chart = next(chart for chart in wapat.charts(read_scores(tmp_path)) if chart.name == "wapat-feature")
    assert len(chart.rows) == 4
    assert [row["steps"] for row in chart.spec["data"]["values"]] == [10, 10, 10]


def test_table_is_tidy(scores: list[Score]):
    rows = [row for row in wapat.table(scores) if row["subject"] == "wapat"]
    assert len(rows) == 3 + len(DOMAINS) + 5 * len(SHIFTS) + 3 + 3
    severe = next(row for row in rows if row["name"] == "noise" and row["x"] == 5)
    assert severe["wer"] == pytest.approx(0.34 * 1.5)
    assert len({tuple(row) for row in rows}) == 1


def test_finding_compares_with_plain_and_says_what_the_intervals_leave_open(tmp_path: Path, scores: list[Score]):
    said = plain(wapat.finding(scores))
    assert "WAPAT, 34.0 % [32.5, 35.5]; plain 42.0 % [40.5, 43.5], the intervals do not overlap" in said
    assert "Under PGD on features at eps 0.2: WAPAT" in said
    for variant, rate in (("plain", 0.40), ("wapat", 0.39)):
        write_wapat_score(tmp_path, variant=variant, rate=rate)
    assert "the intervals overlap" in wapat.finding(read_scores(tmp_path))
    write_wapat_score(tmp_path, variant="plain", rate=0.2)
    assert "overlap" not in wapat.finding(read_scores(tmp_path))


def test_detail_and_the_overview(scores: list[Score]):
    by_name = {score.subject: score for score in scores}
    assert plain(wapat.detail(by_name["wapat"])) == "clean 17.0 %, corruptions 37.4 %, feature PGD 88.4 %"
    assert plain(wapat.detail(by_name["whisper"])) == "clean 4.0 %"
    assert {score.subject for score in leading(scores)} == {"plain", "wapat"}


def test_what_was_not_measured_is_not_drawn(tmp_path: Path):
    write_wapat_score(tmp_path, variant="plain", rate=0.4)
    scores = read(tmp_path, without=("corruptions", "mean_of_corruptions", "feature_pgd", "waveform_pgd"))
    assert [chart.name for chart in wapat.charts(scores)] == ["wapat-variants", "wapat-domains"]
    assert "corruptions" not in wapat.finding(scores)


def test_a_reference_alone_makes_no_finding(tmp_path: Path):
    write_wapat_score(tmp_path, variant="whisper", rate=0.1, reference=True)
    scores = read_scores(tmp_path)
    assert wapat.finding(scores) == ""
    assert wapat.charts(scores)


def test_results_of_another_kind_are_named(tmp_path: Path):
    write_wapat_score(tmp_path, variant="plain", rate=0.4)
    with pytest.raises(
        DataError, match=r"results of wapat-score@plain must be those of wapat; domains: Field required"
    ):
        wapat.charts(read(tmp_path, without=("domains",)))
