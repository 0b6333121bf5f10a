"""A grid of experiments: its points, its settings, its rows."""

import pytest

from flows.sweep import headlines, points, settings


@pytest.mark.parametrize("grid", [{}, {"a": []}, {"a": 1}, {"a": "fog"}, {"a": list(range(201))}])
def test_a_grid_needs_lists_and_few_points(grid):
    with pytest.raises(ValueError, match="grid must"):
        points(grid)


def test_settings_are_what_dvc_reads():
    assert settings({"a": True, "b": [1, 2], "c": "x", "d": None}) == [
        "-S", "a=true", "-S", "b=[1, 2]", "-S", "c=x", "-S", "d=null",
    ]  # fmt: skip


def test_headlines_are_one_row_an_experiment():
    metrics = {"data/scores/coco_o/fcos.json": {"data": {"headline": {"name": "ap", "value": 0.3}}}, "other.json": {}}
    shown = [
        {"rev": "workspace", "experiments": None},
        {
            "rev": "abc",
            "experiments": [
                {"name": "sweep-1", "revs": [{"data": {"metrics": metrics}}]},
                {"name": "somebody's own", "revs": [{"data": {}}]},
            ],
        },
    ]
    assert headlines(shown, {"sweep-1": {"n": 3}}) == [{"experiment": "sweep-1", "n": 3, "coco_o/fcos ap": 0.3}]
