import json
import resource

import pytest

from stages import cost


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".checkpoints/cost"


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_stage_leaves_its_seconds_and_peak_memory(folder):
    for seconds in (9.0, 1.23456):
        cost.write_cost("toy-train@a", seconds=seconds)
    (found,) = lines(folder / "toy-train@a.json")
    assert found.keys() == {"seconds", "peak_memory_mib"}
    assert found["seconds"] == 1.23
    assert found["peak_memory_mib"] == pytest.approx(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, abs=1)


def test_each_epoch_is_a_line_and_the_first_one_begins_anew(folder):
    for epoch, seconds in ((1, 9.0), (2, 9.0), (1, 2.0), (2, 0.5)):
        cost.write_epoch_cost("toy-train@a", epoch, seconds=seconds, items=100)
    found = lines(folder / "toy-train@a.epochs.jsonl")
    assert [(each["epoch"], each["seconds"], each["items_per_s"]) for each in found] == [
        (1, 2.0, 50.0),
        (2, 0.5, 200.0),
    ]


def test_a_resumed_run_goes_on_in_the_same_file(folder):
    cost.write_epoch_cost("a", 1, seconds=1.0, items=10)
    cost.write_epoch_cost("a", 2, seconds=1.0, items=10)
    assert [each["epoch"] for each in lines(folder / "a.epochs.jsonl")] == [1, 2]


def test_no_time_at_all_is_no_division_by_zero(folder):
    cost.write_epoch_cost("a", 1, seconds=0.0, items=10)
    assert lines(folder / "a.epochs.jsonl")[0]["items_per_s"] > 1e9


@pytest.mark.parametrize("place", [".checkpoints", ".checkpoints/cost", ".checkpoints/cost/a.json"])
def test_where_nothing_can_be_written_the_result_stands(tmp_path, place):
    if place.endswith(".json"):
        (tmp_path / place).mkdir(parents=True)
    else:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text("a file in the way")
    cost.write_cost("a", seconds=1.0)
    assert not (tmp_path / ".checkpoints/cost/a.json").is_file()
