"""What a run leaves behind: rows from score files and one picture from a gallery."""

import base64
import io
import json

from PIL import Image

from flows.artifacts import contact_sheet, key, score_row, stage_rows
from flows.runner import Outcome


def test_key_is_lower_case_letters_digits_dashes():
    assert key("samples", "imagenet_e-build@A.b") == "samples-imagenet-e-build-a-b"


def test_score_row_is_the_headline(tmp_path):
    path = tmp_path / "score.json"
    headline = {"name": "ap", "value": 0.5, "low": 0.4, "high": 0.6, "n": 9, "interval": "95 %"}
    path.write_text(json.dumps({"method": "coco_o", "subject": "fcos", "headline": headline}))
    row = score_row(path)
    assert (row["method"], row["subject"], row["value"], row["low"], row["high"]) == ("coco_o", "fcos", 0.5, 0.4, 0.6)


def test_what_is_no_score_gives_no_row(tmp_path):
    for text in ("[]", "{}", "not json", '{"headline": null}'):
        (tmp_path / "a.json").write_text(text)
        assert score_row(tmp_path / "a.json") is None
    assert score_row(tmp_path / "absent.json") is None


def test_contact_sheet_shows_the_gallery(tmp_path):
    Image.new("RGB", (40, 20), "red").save(tmp_path / "1.png")
    row = {"caption": "c", "images": [{"label": "original", "file": "1.png"}, {"label": "shift", "file": "1.png"}]}
    (tmp_path / "gallery.json").write_text(json.dumps({"title": "t", "note": "", "rows": [row]}))
    head, data = contact_sheet(tmp_path).split(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as sheet:
        assert sheet.size == (224, 112)
        red, green, _ = sheet.getpixel((20, 10))
    assert red > 200 > 60 > green


def test_no_gallery_no_sheet(tmp_path):
    assert contact_sheet(tmp_path) is None


def test_stage_rows_name_what_was_not_run():
    rows = stage_rows([Outcome("a", "failed", 65, 1.23, ("bad row",))], {"b": "a"})
    assert rows[0] == {"stage": "a", "result": "failed", "seconds": 1.2, "exit": 65, "note": "bad row"}
    assert (rows[1]["stage"], rows[1]["result"], rows[1]["note"]) == ("b", "blocked", "waits for a")
