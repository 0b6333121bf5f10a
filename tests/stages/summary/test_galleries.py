import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gauntlet.errors import DataError
from stages.summary.galleries import find_galleries, read_gallery
from tests.fixtures.scores import write_pictures

LIMITS = {"name": "coco_o", "rows": 4, "side_px": 64, "quality": 80}


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "built/coco_o/samples", title="Domains", labels=("original", "sketch"), rows=6)


def test_rows_are_limited_and_pictures_shrunk(samples: Path):
    gallery = read_gallery(samples, **LIMITS)
    assert (len(gallery.rows), gallery.left_out) == (4, 2)
    assert [picture.label for picture in gallery.rows[0].pictures] == ["original", "sketch"]
    assert {(picture.width, picture.height) for row in gallery.rows for picture in row.pictures} == {(64, 64)}


def test_a_transparent_outline_gets_a_light_ground(samples: Path):
    rgba = np.zeros((20, 30, 4), np.uint8)
    Image.fromarray(rgba).save(samples / "0000_original.png")
    picture = read_gallery(samples, **LIMITS).rows[0].pictures[0]
    assert (picture.width, picture.height) == (30, 20)
    image = Image.open(io.BytesIO(base64.b64decode(picture.uri.partition(",")[2])))
    assert image.mode == "RGB"
    assert np.asarray(image).min() > 220


@pytest.mark.parametrize(("labels", "first"), [(("a",), 24), (("a", "b", "c"), 8), (tuple("abcdefghijkl"), 4)])
def test_short_rows_show_more_at_once(tmp_path: Path, labels: tuple[str, ...], first: int):
    write_pictures(tmp_path, title="Rows", labels=labels, rows=25)
    gallery = read_gallery(tmp_path, **(LIMITS | {"rows": 25, "side_px": 16}))
    assert (len(gallery.first), len(gallery.more)) == (first, 25 - first)


def test_galleries_are_found_and_named_by_their_folder(samples: Path, tmp_path: Path):
    write_pictures(tmp_path / "scores/coco_o/fcos", title="Found", labels=("truth", "found"), rows=1)
    found = find_galleries(tmp_path / "built", tmp_path / "scores")
    assert found == [("coco_o", samples), ("coco_o", tmp_path / "scores/coco_o/fcos")]


def test_a_truncated_picture_is_named(samples: Path):
    file = samples / "0001_sketch.png"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(DataError, match=r"0001_sketch\.png must be a whole picture; .*truncated\?"):
        read_gallery(samples, **LIMITS)


def test_a_missing_picture_is_named(samples: Path):
    (samples / "0001_sketch.png").unlink()
    with pytest.raises(DataError, match=r"0001_sketch\.png must be a whole picture"):
        read_gallery(samples, **LIMITS)


@pytest.mark.parametrize("name", ["../secret.png", "/etc/hostname", "sub/a.png"])
def test_a_gallery_may_not_reach_outside_its_folder(samples: Path, name: str):
    file = samples / "gallery.json"
    manifest = json.loads(file.read_text())
    manifest["rows"][0]["images"][0]["file"] = name
    file.write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="must name files beside it"):
        read_gallery(samples, **LIMITS)


@pytest.mark.parametrize("text", ["[]", '{"title": "a", "rows": []}', '{"title": "a", "note": "b", "rows": [{}]}'])
def test_a_bad_manifest_is_named(samples: Path, text: str):
    (samples / "gallery.json").write_text(text)
    with pytest.raises(DataError, match=r"gallery\.json must hold title, note and rows"):
        read_gallery(samples, **LIMITS)
