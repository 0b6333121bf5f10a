import json
from pathlib import Path

import pytest

from gauntlet.errors import DataError
from stages.summary.readings import interval, read_histories, read_scores
from tests.fixtures.scores import write_coco_o_score, write_history, write_imagenet_e_score


def change(file: Path, **values: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def test_scores_come_in_the_order_of_the_methods(tmp_path: Path):
    write_imagenet_e_score(tmp_path, classifier="a", factor=1.0)
    write_coco_o_score(tmp_path, detector="z", source=0.4)
    write_coco_o_score(tmp_path, detector="b", source=0.4)
    found = [(score.method, score.subject) for score in read_scores(tmp_path)]
    assert found == [("coco_o", "b"), ("coco_o", "z"), ("imagenet_e", "a")]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"method": "coco"}, r"fcos\.json must be a score file; method: must be one of fgsm_law.*; got 'coco'"),
        ({"headline": {"name": "ap", "value": 0.1, "low": 0.0, "high": 0.2}}, r"headline\.n: Field required"),
        ({"headline": {"name": "ap", "value": float("nan"), "low": 0, "high": 1, "n": 1}}, "must be finite; got nan"),
        ({"seeds": "zero"}, "seeds: Input should be a valid"),
    ],
)
def test_a_bad_score_is_named(tmp_path: Path, values: dict, message: str):
    change(write_coco_o_score(tmp_path, detector="fcos", source=0.4), **values)
    with pytest.raises(DataError, match=message):
        read_scores(tmp_path)


def test_a_file_that_is_no_json_is_named(tmp_path: Path):
    write_coco_o_score(tmp_path, detector="fcos", source=0.4).write_text('{"method": "coco_o"')
    with pytest.raises(DataError, match=r"fcos\.json must be a score file; the file: Invalid JSON"):
        read_scores(tmp_path)


def test_two_files_may_not_score_one_subject(tmp_path: Path):
    write_coco_o_score(tmp_path, detector="fcos", source=0.4)
    change(write_coco_o_score(tmp_path, detector="ssd", source=0.4), subject="fcos")
    with pytest.raises(DataError, match=r"ssd\.json must score a subject of its own; .*fcos\.json scores fcos too"):
        read_scores(tmp_path)


def test_interval_says_what_is_missing(tmp_path: Path):
    write_coco_o_score(tmp_path, detector="fcos", source=0.4)
    score = read_scores(tmp_path)[0]
    assert interval(score, "source", "ap").value == 0.4
    with pytest.raises(DataError, match=r"coco_o-score@fcos must hold domains\.fog\.ap; domains\.fog is missing"):
        interval(score, "domains", "fog", "ap")
    with pytest.raises(DataError, match="source in the results of coco_o-score@fcos must be value, low, high and n"):
        interval(score, "source")


def test_histories_know_their_method_and_model(tmp_path: Path):
    write_history(tmp_path, method="coco_o", model="fcos", quantity="ap", epochs=3)
    (history,) = read_histories(tmp_path)
    assert (history.method, history.model, len(history.records)) == ("coco_o", "fcos", 3)


@pytest.mark.parametrize("text", ["[", '{"epoch": 1}', '[{"epoch": [1]}]'])
def test_a_bad_history_is_named(tmp_path: Path, text: str):
    write_history(tmp_path, method="coco_o", model="fcos", quantity="ap").write_text(text)
    with pytest.raises(DataError, match=r"history\.json must be a list of flat records"):
        read_histories(tmp_path)
