import json
from pathlib import Path

import pytest
import vl_convert

from gauntlet.errors import DataError
from stages.summary import transaudio
from stages.summary.charts import Chart
from stages.summary.page import VEGA_LITE
from stages.summary.readings import Score, read_scores
from tests.fixtures.speech_scores import EDITS, SETTINGS, VICTIMS, write_transaudio_score


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> list[Score]:
    folder = tmp_path_factory.mktemp("scores")
    for setting, rate in SETTINGS.items():
        write_transaudio_score(folder, setting=setting, rate=rate)
    return read_scores(folder)


@pytest.fixture(scope="module")
def charts(scores: list[Score]) -> dict[str, Chart]:
    return {chart.name: chart for chart in transaudio.charts(scores)}


def change(file: Path, **results: object) -> list[Score]:
    score = json.loads(file.read_text())
    score["results"] |= results
    file.write_text(json.dumps(score))
    return read_scores(file.parents[1])


def plain(text: str) -> str:
    return text.replace("\u202f", " ")


def test_vega_lite_accepts_every_figure(charts: dict[str, Chart]):
    assert set(charts) == {"transaudio-matrix", "transaudio-noise", "transaudio-snr"}
    for chart in charts.values():
        vl_convert.vegalite_to_vega(json.dumps(chart.spec), vl_version=VEGA_LITE)
        assert chart.rows
        assert all(key in row for row in chart.rows for key in chart.columns)


def test_matrix_has_a_layer_for_each_edit_and_measure_and_noise_below(charts: dict[str, Chart]):
    chart = charts["transaudio-matrix"]
    cells = chart.spec["data"]["values"]
    assert len(cells) == 3 * len(EDITS) * 2 * len(SETTINGS) * len(VICTIMS)
    assert chart.spec["params"][0]["value"] == "delete: the word"
    shown = {(cell["row"], cell["column"]): cell for cell in cells if cell["layer"] == "delete: the word"}
    assert shown["both", "plain"]["value"] == 85.0
    assert shown["both: noise", "plain"]["value"] == 2.0
    assert [place for place, cell in shown.items() if cell["own"]] == [
        (name, "plain") for name in ("stage 1", "stage 2", "both", "ensemble", "score match")
    ]
    order = chart.spec["layer"][0]["encoding"]["y"]["sort"]
    assert order == ["stage 1", "stage 2", "both", "ensemble", "score match"] + [
        f"{name}: noise" for name in ("stage 1", "stage 2", "both", "ensemble", "score match")
    ]


def test_the_attacked_victim_is_the_first_column(charts: dict[str, Chart]):
    across = charts["transaudio-matrix"].spec["layer"][0]["encoding"]["x"]["sort"]
    assert across[0] == "plain"
    assert set(across) == {"plain", "WAPAT", "Whisper", "PocketSphinx"}


def test_noise_stands_beside_the_setting_that_succeeds_most(charts: dict[str, Chart]):
    chart = charts["transaudio-noise"]
    assert chart.title == "Success beside noise: both"
    assert len(chart.rows) == 2 * len(EDITS) * len(VICTIMS)
    assert {row["value"] for row in chart.rows if row["series"] == transaudio.NOISE} == {2.0}


def test_finding_quotes_the_best_that_was_not_attacked_through(scores: list[Score]):
    said = plain(transaudio.finding(scores))
    assert said.startswith("Carries over best: delete to WAPAT in the setting both, 42.5 % [27.5, 57.5] of 6.")
    assert said.endswith("Noise of the same level reaches at most 2.0 %.")


def test_detail_says_each_edit_on_its_own_surrogate_and_the_level(scores: list[Score]):
    both = next(score for score in scores if score.subject == "both")
    assert plain(transaudio.detail(both)) == "delete 85 %, insert 60 %, substitute 76 %, SNR 16 dB"


def test_table_is_tidy(scores: list[Score]):
    rows = transaudio.table(scores)
    assert len(rows) == len(SETTINGS) * 2 * len(EDITS) * len(VICTIMS) * 3
    assert rows[0].items() >= {"subject": "stage_1", "made": "attack", "edit": "delete", "quantity": "word"}.items()
    assert {row["made"] for row in rows} == {"attack", "noise"}


def test_without_control_and_levels_the_rest_is_drawn(tmp_path: Path):
    scores = change(write_transaudio_score(tmp_path, setting="both", rate=0.5), control={}, snr_db={}, settings={})
    assert [chart.name for chart in transaudio.charts(scores)] == ["transaudio-matrix", "transaudio-noise"]
    assert "Noise" not in transaudio.finding(scores)
    assert plain(transaudio.detail(scores[0])) == "delete 50 %, insert 35 %, substitute 45 %"


def test_an_unknown_setting_comes_last(tmp_path: Path):
    for setting in ("apart", "stage_1", "both"):
        write_transaudio_score(tmp_path, setting=setting, rate=0.5)
    assert [name for name, _ in transaudio.ordered(read_scores(tmp_path))] == ["stage_1", "both", "apart"]


def test_a_setting_that_tried_nothing_draws_nothing(tmp_path: Path):
    scores = change(write_transaudio_score(tmp_path, setting="both", rate=0.5), edits={}, control={}, snr_db={})
    assert transaudio.charts(scores) == []
    assert transaudio.finding(scores) == ""


def test_results_of_another_kind_are_named(tmp_path: Path):
    scores = change(
        write_transaudio_score(tmp_path, setting="both", rate=0.5), edits={"delete": {"plain": {"word": 1}}}
    )
    with pytest.raises(DataError, match=r"must be those of transaudio; edits\.delete\.plain\.word: Input should be"):
        transaudio.charts(scores)
