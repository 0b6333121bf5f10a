"""The command audit: rates and bits in closed form over manipulators that are known."""

import json
from dataclasses import asdict

import pytest

from gauntlet.metrics.intervals import wilson
from tests.stages.faces.conftest import ramp, write


def test_rates_bits_and_table(folder, faces):
    for number in range(3):
        write(folder / f"{number}.png", ramp(96, 80, phase=5 * number))
    (folder / "broken.png").write_text("no")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    code, out, lines = faces("audit", folder, "--out", "audit", "--id", 3, "--whole")
    assert code == 0
    assert any("faces audit: left out:" in line and "broken.png" in line for line in lines)
    result = json.loads((folder.parent / "audit" / "audit.json").read_text())
    assert (result["pictures"], result["files"], result["id"]) == (3, ["0.png", "1.png", "2.png"], 3)
    assert [row["file"] for row in result["left_out"]] == ["broken.png"]
    # An edit that changes nothing is not counted as protected, nor as not.
    assert result["protection"]["idle"] == {
        "rate": {"value": 0, "low": 0, "high": 0, "n": 0},
        "no_change": 3,
        "attributes": {"glasses": {"value": 0, "low": 0, "high": 0, "n": 0}},
    }
    assert result["protection"]["amplifier"]["rate"] == pytest.approx(asdict(wilson(6, 6)))
    bits = {view: interval["value"] for view, interval in result["bit_accuracy"].items()}
    assert bits["protected"] == bits["idle"] == 1
    assert bits["unprotected"] < 0.8
    # 6 levels of 255 everywhere, but for what scaling by 3 and 2.5 smooths.
    assert 32 < result["psnr_db"]["value"] < 42
    assert "| amplifier | 100.0 (" in out
    assert (folder.parent / "audit" / "audit.md").read_text() in out
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    gallery = json.loads((folder.parent / "audit" / "samples" / "gallery.json").read_text())
    assert [image["label"] for image in gallery["rows"][0]["images"]][:3] == [
        "original",
        "protected",
        "amplifier glasses",
    ]


def test_protected_pictures_and_empty_folders_are_refused(folder, faces):
    write(folder / "a.png")
    faces("protect", folder, "--out", "out", "--id", 5, "--whole")
    code, _, lines = faces("audit", "out", "--out", "audit", "--whole")
    assert code == 78
    assert "must not be protected yet" in lines[0]
    assert "an audit must have a picture that can be protected" in lines[-1]
    assert not (folder.parent / "audit").exists()
    assert faces("audit", "out", "--out", "audit", "--whole", "--again")[0] == 0
