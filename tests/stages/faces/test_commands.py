"""The commands protect and verify, over a protector without training."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from gauntlet.errors import UnavailableError
from stages.faces import regions
from stages.faces.pictures import load
from stages.faces.regions import Box, face_regions, nearby_regions, whole
from tests.stages.faces.conftest import ramp, write
from tests.stages.faces.test_pictures import BAD, bad

EPS = 6


@pytest.fixture(scope="module")
def portrait():
    """A photograph of a person, 512 px."""
    return __import__("skimage.data", fromlist=["astronaut"]).astronaut()


def test_protect_then_verify_at_any_size_and_format(folder, faces):
    write(folder / "a.png", ramp(96, 80))
    write(folder / "deep" / "b.webp", ramp(301, 157), lossless=True)
    write(folder / "c.jpg", ramp(400, 640), quality=95)
    code, out, _ = faces("protect", folder, "--out", "out", "--id", 77, "--whole")
    assert code == 0
    assert "3 protected, 0 skipped, 0 refused" in out
    report = json.loads((folder.parent / "out" / "report.json").read_text())
    assert report["id"] == 77
    assert len(report["message"]) == 30
    for row in report["protected"]:
        before, after = load(folder / row["file"]), load(folder.parent / "out" / row["file"])
        change = np.abs(after.rgb.astype(int) - before.rgb).max()
        assert row["largest_change"] == pytest.approx(change / 255, abs=1e-4)
        assert after.format == before.format
        assert row["reads_back"]
        assert row["psnr_db"] > 30
        if after.format != "JPEG":
            assert change == EPS
    code, out, _ = faces("verify", "out", "--whole", "--out", "found.json")
    rows = json.loads((folder.parent / "found.json").read_text())["pictures"]
    assert code == 0
    assert [(row["file"], row["found"], row["id"]) for row in rows] == [
        ("a.png", True, 77),
        ("c.jpg", True, 77),
        ("deep/b.webp", True, 77),
    ]
    assert "a.png: id 77, 30 of 30 bits agree (1 of 2" in out


def test_verify_says_what_it_does_not_find(folder, faces):
    write(folder / "a.png")
    assert "a.png: no message" in faces("verify", folder, "--whole")[1]
    assert faces("protect", folder, "--out", "out", "--message", "04d", "--whole")[0] == 0
    assert "a.png: id 77, 30 of 30" in faces("verify", "out", "--whole", "--id", 77)[1]
    assert "a.png: id 77, not the one claimed" in faces("verify", "out", "--whole", "--id", 78)[1]


def test_who_does_not_know_the_key_reads_nothing(folder, faces):
    write(folder / "a.png")
    faces("protect", folder, "--out", "out", "--id", 5, "--whole", "--key", 123)
    assert "no message" in faces("verify", "out", "--whole")[1]
    assert "id 5," in faces("verify", "out", "--whole", "--key", 123)[1]


def test_an_already_protected_picture_is_refused_unless_again(folder, faces):
    write(folder / "a.png")
    faces("protect", folder, "--out", "out", "--id", 5, "--whole")
    code, _, lines = faces("protect", "out", "--out", "twice", "--id", 6, "--whole")
    assert code == 65
    assert "out/a.png must not be protected yet; it carries id 5 (30 of 30 bits agree); --again" in lines[-1]
    assert not (folder.parent / "twice" / "a.png").exists()
    code, out, _ = faces("protect", "out", "--out", "thrice", "--id", 6, "--whole", "--again")
    assert (code, "1 protected" in out) == (0, True)


@pytest.mark.parametrize(("kind", "name", "words"), BAD, ids=lambda value: str(value)[:12])
def test_one_bad_picture_is_named_and_the_others_are_done(folder, faces, kind, name, words):
    write(folder / "good.png")
    bad(folder / name, kind)
    code, _, lines = faces("protect", folder, "--out", "out", "--id", 1, "--whole")
    assert code == 65
    assert len(lines) == 1
    assert lines[0].startswith(f"faces protect: refused: {folder / name} must")
    assert (folder.parent / "out" / "good.png").exists()
    assert not (folder.parent / "out" / name).exists()
    report = json.loads((folder.parent / "out" / "report.json").read_text())
    assert [row["file"] for row in report["refused"]] == [name]
    code, out, lines = faces("verify", folder, "--whole")
    assert (code, len(lines)) == (65, 1)
    assert "good.png: no message" in out


def test_a_picture_without_a_face_is_skipped_unless_whole(folder, faces):
    write(folder / "a.png")
    code, out, lines = faces("protect", folder, "--out", "out", "--id", 1)
    assert code == 0
    assert "0 protected, 1 skipped, 0 refused" in out
    assert lines == [
        f"faces protect: skipped: {folder}/a.png must show a face; none was found; --whole protects the whole picture"
    ]


def test_a_face_is_protected_and_found_again(folder, faces, portrait):
    wide = np.full((512, 1024, 3), 128, np.uint8)
    wide[:, 300:812] = portrait
    Image.fromarray(wide).save(folder / "a.png")
    faces("protect", folder, "--out", "out", "--id", 9)
    row = json.loads((folder.parent / "out" / "report.json").read_text())["protected"][0]
    boxes = [Box(*each) for each in row["regions_px"]]
    assert any(box.left < 524 < box.right and box.top < 115 < box.bottom for box in boxes)
    change = np.abs(load(folder.parent / "out" / "a.png").rgb.astype(int) - wide).max(2)
    for box in boxes:
        assert change[box.slices].max() == EPS
        change[box.slices] = 0
    assert change.max() == 0  # nothing outside the regions
    assert "id 9," in faces("verify", "out")[1]


@pytest.mark.parametrize(("width", "left", "top"), [(512, 0, 0), (700, 60, 41), (900, 333, 75), (1200, 500, 200)])
def test_a_region_is_among_those_tried_after_the_protection(portrait, width, left, top):
    canvas = np.full((int(0.8 * width), width, 3), 128, np.uint8)
    part = portrait[: canvas.shape[0] - top, : width - left]
    canvas[top : top + part.shape[0], left : left + part.shape[1]] = part
    noise = np.random.default_rng(0).integers(-EPS, EPS + 1, canvas.shape)
    noisy = np.clip(canvas + noise, 0, 255).astype(np.uint8)
    middle = (left + 224, top + 115)
    boxes = face_regions(canvas)
    (own,) = (box for box in boxes if box.left < middle[0] < box.right and box.top < middle[1] < box.bottom)
    assert own in nearby_regions(noisy)


def test_regions_do_not_overlap_and_a_close_up_is_taken_whole(portrait):
    pair = np.concatenate([portrait, portrait], 1)
    boxes = face_regions(pair)
    assert 2 <= len(boxes) <= regions.MOST
    cover = np.zeros(pair.shape[:2], int)
    for box in boxes:
        cover[box.slices] += 1
    assert cover.max() == 1
    close = portrait[20:200, 130:310]
    assert face_regions(close) == [whole(close)]
    assert face_regions(ramp(200, 200)) == nearby_regions(ramp(200, 200)) == []


def test_without_the_detector_one_line_says_so(monkeypatch):
    regions._detector.cache_clear()
    monkeypatch.setitem(sys.modules, "skimage.data", None)
    with pytest.raises(UnavailableError, match="it is not installed; install it, or take --whole"):
        face_regions(ramp(64, 64))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--message", "4d"), "a message must be 3 hexadecimal digits below 400 (10 bits); got '4d'; wrong length?"),
        (("--message", "0x4"), "a message must be 3 hexadecimal digits"),
        (("--id", "1024"), "id must lie in [0, 1024) (10 bits); got 1024"),
        (("--id", "seven"), "--id must be a whole number; got 'seven'"),
        (("--id", "1", "--message", "001"), "one of --id and --message must be given; got both"),
        ((), "--id or --message must be given"),
        (("--id", "1", "--payload", "11"), "payload must be one of 2, 3, 6, 9, 10"),
        (("--id", "1", "--false-positive-rate", "often"), "--false-positive-rate must be a number such as 1e-3"),
        (("--id", "1", "--quality", "100"), "--quality must lie in 1..95; got 100"),
        (("--id", "1", "--max-pixels", "0"), "--max-pixels must be at least 1; got 0"),
        (("--id", "1", "--hole"), "unrecognized arguments: --hole"),
    ],
)
def test_bad_parameters_are_one_line_and_write_nothing(folder, faces, words, said):
    write(folder / "a.png")
    code, _, lines = faces("protect", folder, "--out", "out", "--whole", *words)
    assert code == 78
    assert len(lines) == 1
    assert said in lines[0]
    assert not (folder.parent / "out").exists()


def test_nothing_is_overwritten(folder, faces):
    write(folder / "a.png")
    (folder.parent / "old").mkdir()
    (folder.parent / "old" / "note").write_text("mine")
    code, _, lines = faces("protect", folder, "--out", "old", "--id", 1)
    assert (code, "must be new or an empty folder" in lines[0]) == (78, True)
    assert (folder.parent / "old" / "note").read_text() == "mine"
    assert "must lie outside" in faces("protect", folder, "--out", folder / "x", "--id", 1)[2][0]
    (folder.parent / "found.json").write_text("mine")
    assert "--out must be new" in faces("verify", folder, "--out", "found.json")[2][0]
    assert "must be a folder of pictures" in faces("protect", "nowhere", "--out", "out", "--id", 1)[2][-1]


def test_the_command_is_named_when_it_is_wrong(folder, faces):
    assert faces("protekt")[0] == 78
    assert faces()[0] == 78
