import json

import numpy as np
import pytest
import vl_convert

from stages.summary.heat import heat
from stages.summary.lines import bands, loudest
from stages.summary.page import VEGA_LITE
from stages.summary.planes import apart, front, plane


def dominated(point: np.ndarray, points: np.ndarray) -> bool:
    return bool(((points >= point).all(1) & (points > point).any(1)).any())


@pytest.mark.parametrize("seed", range(5))
def test_front_is_who_no_other_dominates(seed: int):
    points = np.random.default_rng(seed).integers(0, 12, (60, 2))
    kept = front([tuple(point) for point in points])
    undominated = {tuple(point) for point in points if not dominated(point, points)}
    assert {tuple(points[place]) for place in kept} == undominated
    assert len(kept) == len(undominated)


def test_front_keeps_the_first_of_equals():
    assert front([(1.0, 1.0), (1.0, 1.0)]) == [0]
    assert front([]) == []


def test_labels_stay_apart_and_the_first_comes_first():
    assert apart([(0.0, 0.0), (10.0, 5.0), (0.5, 0.1), (0.5, 4.0)]) == [0, 1, 3]
    assert apart([(2.0, 3.0)]) == [0]
    assert apart([]) == []


def test_stairs_of_a_cost_hold_what_was_had_so_far():
    rows = [
        {"name": name, "kind": "k", "x": x, "y": y, "range": "", "front": ahead, "label": ""}
        for name, x, y, ahead in (("b", 5.0, 40.0, True), ("a", 1.0, 0.0, True), ("c", 6.0, 30.0, False))
    ]
    said = {"kinds": ["k"], "x": "X", "y": "Y", "about": "Cost against gain."}
    for cost, interpolation in ((True, "step-after"), (False, "step-before")):
        stairs = plane(rows, cost=cost, **said)["layer"][0]
        assert stairs["mark"]["interpolate"] == interpolation
        assert [row["name"] for row in stairs["data"]["values"]] == ["a", "b"]


def test_lines_beyond_the_colours_are_grey_and_lie_below():
    names = [f"m{number}" for number in range(11)]
    quiet = loudest(names)
    assert quiet == ("m8", "m9", "m10")
    rows = [{"series": name, "x": x, "y": 1.0} for name in names for x in (1, 2)]
    spec = bands(rows, names=names, quiet=quiet, x="epoch", y="top-1 (%)", about="Lines.")
    assert [row["series"] for row in spec["data"]["values"]][:6] == ["m8", "m8", "m9", "m9", "m10", "m10"]
    colours = spec["layer"][0]["encoding"]["color"]["scale"]["range"]
    assert len(set(colours[:8])) == 8
    assert set(colours[8:]) == {"var(--soft)"}
    assert spec["layer"][0]["encoding"]["x"]["axis"]["tickMinStep"] == 1


@pytest.mark.parametrize("low", [{}, {"low": 0.5, "high": 1.5, "range": "[0.5, 1.5]"}])
@pytest.mark.parametrize("doubling", [True, False])
def test_vega_lite_accepts_lines(low: dict, doubling: bool):
    rows = [{"series": 'a "quoted" name', "x": x, "y": 1.0} | low for x in (1, 2.5)]
    spec = bands(rows, names=['a "quoted" name'], x='x "1"', y="y", about="Lines.", doubling=doubling)
    text = json.dumps(vl_convert.vegalite_to_vega(json.dumps(spec), vl_version=VEGA_LITE))
    assert ("fillOpacity" in text) == bool(low)


def test_vega_lite_accepts_a_heat_map_and_its_list():
    cells = [{"row": "a", "column": "b", "value": 40.0, "own": True, "layer": layer} for layer in ("one", "two")]
    said = {"up": ["a"], "across": ["b"], "up_title": "from", "across_title": "to", "value": "%", "about": "Cells."}
    spec = vl_convert.vegalite_to_vega(json.dumps(heat(cells, layers=["one", "two"], **said)), vl_version=VEGA_LITE)
    picked = next(signal for signal in spec["signals"] if signal["name"] == "picked")
    assert picked["bind"]["options"] == ["one", "two"]
    assert "params" not in heat(cells[:1], **said)
