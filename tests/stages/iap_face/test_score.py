import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from gauntlet.errors import DataError
from stages.iap_face import score
from stages.iap_face.baselines import METHODS, READ_BY, Protectors
from stages.summary import iap_face
from stages.summary.readings import read_scores
from tests.fixtures.iap_models import EPS, BlockProtector, features, flat_faces, painters

PARAMS = {
    "seed": 0, "images": 10, "batch": 4, "resamples": 50, "held_out": ["firm"],
    "pgd": {"alpha": 0.01, "steps": 6, "per_step": 1, "changed": None},
    "distortions": ["jpeg_75", "brightness"], "both": ["jpeg_75"],
    "payload": 10, "false_positive_rate": 1e-3, "wrong_ids": 5, "samples": 3,
}  # fmt: skip
PLACES = ("faces", "manipulators", "protector")


def put_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the stage find models that need no training."""
    trio = Protectors(BlockProtector(), BlockProtector(), BlockProtector(writes=False))
    monkeypatch.setattr(score, "read_protectors", lambda folder, device: trio)
    monkeypatch.setattr(score, "read_manipulators", lambda folder, device: painters())
    monkeypatch.setattr(score, "read_face_features", lambda folder, device: features())
    monkeypatch.setattr(score, "read_faces", lambda folder, split: flat_faces())


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch):
    put_models(monkeypatch)


def run(folder: Path, **changes: object) -> Path:
    places = {name: folder / name for name in PLACES}
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)
    score.run(score.Params(**(PARAMS | changes)), **places, scores=folder / "scores", samples=folder / "samples")
    return folder


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    with pytest.MonkeyPatch.context() as patch:
        put_models(patch)
        folder = run(tmp_path_factory.mktemp("iap"))
    results = {file.stem: json.loads(file.read_text()) for file in (folder / "scores").glob("*.json")}
    return SimpleNamespace(folder=folder, **results)


def test_messages_are_read_in_every_view_that_leaves_them(found: SimpleNamespace):
    results = found.message["results"]
    views = {"protected", "distorted:jpeg_75", "distorted:brightness", "manipulated:brittle", "manipulated:firm"}
    views |= {"both:jpeg_75+brittle", "both:brittle+jpeg_75", "both:jpeg_75+firm", "both:firm+jpeg_75"}
    for name in ("bit_accuracy", "word_accuracy", "decoded_ids", "other_ids"):
        assert results[name].keys() == views
        assert all(methods.keys() == READ_BY.keys() for methods in results[name].values())
    for view in ("protected", "distorted:brightness"):
        assert results["bit_accuracy"][view]["iap"]["value"] == 1.0
        assert results["decoded_ids"][view]["iap"]["value"] == 1.0
        assert results["other_ids"][view]["iap"]["value"] == 0.0
    firm = results["bit_accuracy"]["manipulated:firm"]["iap"]
    assert 0.5 < firm["value"] < 1.0, "the bits under the paint are lost, the others are not"
    assert firm["n"] == PARAMS["images"]


def test_unprotected_pictures_hold_nothing(found: SimpleNamespace):
    results = found.message["results"]
    assert results["blind_false_positives"]["value"] == 0.0
    curve = results["roc"]
    assert curve["comparisons"] == PARAMS["images"] * PARAMS["wrong_ids"]
    assert curve["threshold"] == list(range(30, -1, -1))
    assert curve["tpr"]["protected"] == [1.0] * 31
    assert curve["fpr"][0] == 0.0
    assert curve["tpr_at_bound"]["protected"] == 1.0
    assert results["code"] == {
        "bits": 30, "payload": 10, "corrections": 2, "bound": 1e-3, "false_positive_rate": 466 / 2**20,
    }  # fmt: skip


def test_a_manipulator_that_ignores_small_changes_is_not_disrupted(found: SimpleNamespace):
    assert found.brittle["results"]["white_box"]
    assert not found.firm["results"]["white_box"]
    for method in METHODS:
        assert found.firm["results"]["protection"][method]["protection_rate"]["value"] == 0.0
        assert found.brittle["results"]["protection"][method]["no_change"] == 0
    ours = found.brittle["results"]["protection"]["iap"]
    assert ours["protection_rate"]["value"] == 1.0
    assert ours["protection_rate"]["low"] < 1.0, "some width even where all are disrupted"
    assert ours["masked_l2"]["value"] > 0.05 > found.firm["results"]["protection"]["iap"]["masked_l2"]["value"]
    assert found.brittle["results"]["distorted"].keys() == {"jpeg_75"}
    assert found.brittle["headline"] | ours["protection_rate"] == found.brittle["headline"]


def test_two_steps_have_the_psnr_of_one_and_pgd_its_eps(found: SimpleNamespace):
    quality = found.message["results"]["quality"]
    assert quality.keys() == set(METHODS)
    ours = quality["iap"]["psnr_db"]["value"]
    for method in ("watermark_then_pgd", "pgd_then_watermark"):
        assert quality[method]["psnr_db"]["value"] == pytest.approx(ours, abs=0.3)
    assert quality["pgd"]["psnr_db"]["value"] >= -20 * np.log10(EPS) - 0.2


def test_gallery_shows_what_is_read(found: SimpleNamespace):
    gallery = json.loads((found.folder / "samples/brittle/gallery.json").read_text())
    assert len(gallery["rows"]) == PARAMS["samples"]
    labels = [image["label"] for image in gallery["rows"][0]["images"]]
    assert labels == ["original", "protected", "manipulated", "manipulated-protected"]
    assert "(30 of 30 bits)" in gallery["rows"][0]["caption"]
    assert "original: nothing" in gallery["rows"][0]["caption"]
    with Image.open(found.folder / "samples/brittle" / gallery["rows"][0]["images"][0]["file"]) as picture:
        assert picture.size == (192, 192)


def test_report_reads_what_is_written(found: SimpleNamespace):
    scores = read_scores(found.folder / "scores")
    assert [each.subject for each in scores] == ["brittle", "firm", "message"]
    assert iap_face.charts(scores)
    assert iap_face.finding(scores)
    assert {row["subject"] for row in iap_face.table(scores)} == {"brittle", "firm", "message"}


def test_same_bytes_with_any_number_of_workers(found: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(score, "parallel", lambda function, items, **_: [function(item) for item in items])
    again = run(tmp_path)
    for file in sorted(found.folder.glob("s*/**/*.*")):
        assert (again / file.relative_to(found.folder)).read_bytes() == file.read_bytes(), file.name


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"distortions": ["jpg"]}, "distortions must be among .* got 'jpg'"),
        ({"both": ["jpg"]}, "both must be among .* got 'jpg'"),
        ({"held_out": ["stargan"]}, "held_out must be among brittle, firm; got 'stargan'"),
        ({"held_out": ["brittle", "firm"]}, "must leave a manipulator"),
        ({"payload": 29}, "payload must be one of"),
    ],
)
def test_bad_parameters_are_refused(tmp_path: Path, changes: dict, said: str):
    with pytest.raises(ValueError, match=said):
        run(tmp_path, **changes)


def test_too_few_faces_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match=r"must hold 100 test faces \(images\); it holds 12"):
        run(tmp_path, images=100)


def test_a_manipulator_that_changes_nothing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    editors = painters()
    editors["brittle"].edit = lambda x, attribute: x
    monkeypatch.setattr(score, "read_manipulators", lambda folder, device: editors)
    with pytest.raises(DataError, match="brittle must change some face"):
        run(tmp_path)
