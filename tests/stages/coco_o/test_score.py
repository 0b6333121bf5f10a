import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from gauntlet.errors import DataError
from stages.coco_o import score as stage
from tests.fixtures.coco import DOMAINS, true_results, write_coco_o, write_scenes
from tests.fixtures.detectors import ColourDetector

SETTINGS = {
    "seed": 3,
    "resamples": 20,
    "batch": 2,
    "slope": 0.45,
    "domains": DOMAINS,
    "source_split": "test2017",
    "outside": "error",
    "unknown": "missed",
    "benchmark": None,
    "source": None,
    "detections": None,
    "gallery": 2,
    "gallery_score": 0.3,
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    write_scenes(folder / "scenes")
    write_coco_o(folder / "coco_o")
    (folder / "model").mkdir()
    (folder / "model" / "model.json").write_text("{}\n")
    places = {"real": folder / "coco_o", "clean": folder / "scenes", "found": folder / "found"}
    (folder / "folders.json").write_text(json.dumps({name: {"path": str(place)} for name, place in places.items()}))
    jsons = {name: folder / "coco_o" / name / "annotations/instances_val2017.json" for name in DOMAINS}
    (folder / "found").mkdir()
    for name, path in (jsons | {"source": folder / "scenes/annotations/instances_test2017.json"}).items():
        (folder / "found" / f"{name}.json").write_text(json.dumps(true_results(path)))
    return folder


@pytest.fixture
def run(built, tmp_path, monkeypatch):
    """Run the stage with a detector that knows `classes`; return the score."""

    def scored(*, classes=("elephant", "banana", "bus"), folder=built, **changes):
        model = (ColourDetector(tuple(classes)), SimpleNamespace(classes=list(classes)))
        monkeypatch.setattr(stage, "load_model", lambda path: model)
        stage.run(
            stage.Params(**(SETTINGS | changes)),
            detector="colours",
            scenes=folder / "scenes",
            shifted=folder / "coco_o",
            model=built / "model",
            folders=built / "folders.json",
            score=tmp_path / "colours.json",
            gallery=tmp_path / "colours.gallery",
        )
        return json.loads((tmp_path / "colours.json").read_text())

    return scored


def test_a_perfect_detector_scores_one_everywhere(run, tmp_path):
    written = run()
    results = written["results"]
    assert results["source"]["ap"] == pytest.approx({"value": 1, "low": 1, "high": 1, "n": 3})
    assert set(results["domains"]) == set(DOMAINS)
    assert all(domain["ap"]["value"] == pytest.approx(1) for domain in results["domains"].values())
    assert all(domain["drop"]["value"] == pytest.approx(0) for domain in results["domains"].values())
    assert results["effective_robustness"]["value"] == pytest.approx(0.55)
    assert results["domains"]["sketch"]["ap_large"] is None
    assert written["headline"]["value"] == pytest.approx(1)
    assert (written["n"], written["subject"], written["seeds"]) == (18, "colours", [3])
    assert written["scorer"].startswith("pycocotools 2.")
    assert [name.rsplit("/", 1)[1] for name in written["inputs"]] == ["coco_o", "folders.json", "model", "scenes"]


def test_the_gallery_names_files_that_decode(run, tmp_path):
    run()
    gallery = json.loads((tmp_path / "colours.gallery" / "gallery.json").read_text())
    assert len(gallery["rows"]) == 12
    for row in gallery["rows"]:
        assert [image["label"].split(", ")[1] for image in row["images"]] == ["found", "truth", "found"]
        for image in row["images"]:
            assert np.asarray(Image.open(tmp_path / "colours.gallery" / image["file"])).shape == (64, 64, 3)


def test_two_runs_write_the_same_bytes(run, tmp_path):
    run()
    first = (tmp_path / "colours.json").read_bytes()
    shutil.rmtree(tmp_path / "colours.gallery")
    run()
    assert (tmp_path / "colours.json").read_bytes() == first


def test_a_shift_that_hides_the_colours_costs_ap(run, built, tmp_path):
    shutil.copytree(built / "scenes", tmp_path / "scenes")
    shutil.copytree(built / "coco_o", tmp_path / "coco_o")
    for path in (tmp_path / "coco_o" / "sketch" / "val2017").iterdir():
        Image.open(path).convert("L").save(path)
    results = run(folder=tmp_path)["results"]
    assert results["worst_domain"] == "sketch"
    assert results["domains"]["sketch"]["relative_drop"]["value"] == pytest.approx(1)
    assert results["mean"]["relative_drop"]["value"] == pytest.approx(1 / 6)


def test_a_category_that_the_model_does_not_know_is_named_and_counts_as_missed(run):
    results = run(classes=("giraffe", "bus", "elephant"), gallery=0)["results"]
    assert set(results["categories"]["unknown_to_model"]["sketch"]) == {"banana"}
    assert results["categories"]["unknown_to_model"]["sketch"]["banana"] > 0
    assert results["categories"]["classes_not_in_data"] == ["giraffe"]
    assert results["source"]["by_category"]["banana"] == 0
    assert results["source"]["ap"]["value"] == pytest.approx(2 / 3)


def test_or_it_is_left_out(run):
    results = run(classes=("bus", "elephant"), gallery=0, unknown="excluded")["results"]
    assert results["source"]["ap"]["value"] == pytest.approx(1)
    assert set(results["source"]["by_category"]) == {"bus", "elephant"}
    assert results["categories"]["unknown_treated_as"] == "excluded"


def test_a_model_of_another_vocabulary_is_refused(run):
    with pytest.raises(DataError, match=r"must know a category of the data \(bus, elephant, banana"):
        run(classes=("Bus", "n02099601"))


def test_scores_the_users_folders_and_results_of_any_framework(run, monkeypatch, tmp_path):
    nowhere = tmp_path / "nowhere"
    written = run(classes=(), folder=nowhere, benchmark="real", source="clean", detections="found", gallery=1)
    assert written["results"]["mean"]["ap"]["value"] == pytest.approx(1)
    assert [name.rsplit("/", 1)[1] for name in written["inputs"]] == ["folders.json"]


def test_a_benchmark_of_other_categories_than_the_source_is_refused(run, built, tmp_path):
    shutil.copytree(built / "scenes", tmp_path / "scenes")
    path = tmp_path / "scenes" / "annotations" / "instances_test2017.json"
    path.write_text(path.read_text().replace('"elephant"', '"oliphaunt"'))
    with pytest.raises(DataError, match="not in both: elephant, oliphaunt"):
        run(folder=tmp_path, benchmark="real")


def test_a_truncated_image_stops_the_stage_and_leaves_no_score(run, built, tmp_path):
    shutil.copytree(built / "scenes", tmp_path / "scenes")
    shutil.copytree(built / "coco_o", tmp_path / "coco_o")
    path = tmp_path / "coco_o" / "tattoo" / "val2017" / "000000000002.jpg"
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(DataError, match=r"tattoo/val2017/000000000002\.jpg: must be a whole image"):
        run(folder=tmp_path)
    assert not (tmp_path / "colours.json").exists()


def test_a_domain_without_objects_is_named(run, built, tmp_path):
    shutil.copytree(built / "scenes", tmp_path / "scenes")
    shutil.copytree(built / "coco_o", tmp_path / "coco_o")
    path = tmp_path / "coco_o" / "tattoo" / "annotations" / "instances_val2017.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"annotations": []}))
    with pytest.raises(DataError, match=r"tattoo/annotations/instances_val2017\.json: must hold at least one object"):
        run(folder=tmp_path)
