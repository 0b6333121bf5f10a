"""Scores of attacked tones: rates counted directly from the transcripts, intervals, who hears what, bad input."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from gauntlet.errors import ArgumentError, DataError
from gauntlet.metrics.intervals import wilson
from gauntlet.metrics.recognition import character_errors
from gauntlet.metrics.transaudio import heard
from stages.transaudio.clips import read_records
from stages.transaudio.rates import NOTHING_KNOWN, Table, success, transfer


@pytest.fixture(scope="module")
def place(folder, scored) -> Path:
    return scored(folder)


@pytest.fixture(scope="module")
def scores(place) -> dict[str, dict]:
    return {file.stem: json.loads(file.read_text()) for file in place.glob("*.json")}


def test_rates_are_those_of_the_transcripts(place):
    rows = list(csv.DictReader((place / "transcripts.csv").read_text().splitlines()))
    assert {row["victim"] for row in rows if row["setting"] == "both"} == {"good", "second", "whisper"}
    assert {row["victim"] for row in rows if row["setting"] == "splice"} == {"good", "second"}
    for name in ("splice", "both", "ensemble"):
        results = json.loads((place / f"{name}.json").read_text())["results"]
        for kind, victims in results["edits"].items():
            for victim, found in victims.items():
                own = [row for row in rows if (row["setting"], row["kind"], row["victim"]) == (name, kind, victim)]
                fresh = [row for row in own if not heard(row["text"], row["target_text"], hypothesis=row["clean"]).word]
                said = [heard(row["text"], row["target_text"], hypothesis=row["attacked"]) for row in fresh]
                assert len(own) == 3
                assert found["word"]["n"] == len(fresh)
                assert found["word"]["value"] == pytest.approx(np.mean([each.word for each in said]))
                assert found["exact"]["low"] == wilson(sum(each.exact for each in said), len(said)).low
                errors = character_errors([row["target_text"] for row in own], [row["attacked"] for row in own])
                assert found["cer_to_target"]["value"] == errors.rate


def test_the_white_box_falls_and_its_controls_do_not(scores):
    for kind in ("delete", "insert", "substitute"):
        assert scores["both"]["results"]["edits"][kind]["good"]["word"]["value"] == 1
        assert scores["both"]["results"]["control"][kind]["good"]["word"]["value"] == 0
        assert scores["splice"]["results"]["edits"][kind]["good"]["word"]["value"] == 0
        assert scores["ensemble"]["results"]["edits"][kind]["second"]["word"]["value"] == 1


def test_a_score_says_what_it_is(scores):
    score = scores["both"]
    assert score["stage"] == "transaudio-score"
    assert score["subject"] == "both"
    assert score["headline"]["name"] == "transfer"
    assert score["n"] == score["headline"]["n"] == 9
    assert score["seeds"] == [5, 6]
    assert score["results"]["normalizer"] == "gauntlet-english-1"
    assert score["results"]["settings"]["surrogates"] == ["good"]
    assert set(score["results"]["snr_db"]) == {"delete", "insert", "substitute"}
    assert score["results"]["snr_db"]["delete"] == score["results"]["change_db"]["delete"]
    assert scores["ensemble"]["headline"]["n"] == 0
    assert scores["splice"]["results"]["snr_db"]["delete"] == {"value": 100.0, "low": 100.0, "high": 100.0, "n": 0}
    assert score["results"]["snr_db"]["delete"]["n"] == 3


def test_the_same_rates_in_other_batches(folder, place, scored):
    one, two = place, scored(folder, batch=2)
    for file in one.glob("*.json"):
        ours, theirs = (json.loads((each / file.name).read_text())["results"] for each in (one, two))
        assert ours == theirs
    assert (one / "transcripts.csv").read_bytes() == (two / "transcripts.csv").read_bytes()


def test_a_victim_that_heard_the_edit_before_is_left_out(folder):
    records = read_records(folder / "both")[:2]
    texts = {"clean": [records[0].target_text, records[1].text], "attacked": [each.target_text for each in records]}
    table = Table("both", records, {"near": texts})
    found = success(table, "delete", "near", made="attacked", resamples=10, seed=0)
    assert (found["word"].value, found["word"].n) == (1, 1)
    assert found["cer_to_target"].value == 0
    assert transfer(table, ["near"], resamples=10, seed=0).n == 1
    deaf = Table("both", records[:1], {"near": {made: texts[made][:1] for made in texts}})
    assert success(deaf, "delete", "near", made="attacked", resamples=10, seed=0)["exact"] == NOTHING_KNOWN
    assert transfer(deaf, ["near"], resamples=10, seed=0) == NOTHING_KNOWN


def test_bad_input_is_named(folder, scored, tmp_path):
    with pytest.raises(ArgumentError, match=r"victims\.good must list settings of .*; got 'all'"):
        scored(folder, victims={"good": ["all"]})
    with pytest.raises(DataError, match=r"settings\.json must be the settings of transaudio\.attack"):
        scored(tmp_path / "nowhere")
    own = Path(shutil.copytree(folder, tmp_path / "own"))
    (own / "both" / "records.parquet").write_bytes(b"no table")
    with pytest.raises(DataError, match=r"records\.parquet must be a table of attacked clips"):
        scored(own)
