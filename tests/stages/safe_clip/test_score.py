"""Scores of a tiny CLIP's methods against what the methods say when they are asked directly."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.few_shot import read_masks, read_set
from gauntlet.training.safe_clip.methods import METHODS
from stages.machine import Machine
from stages.safe_clip import answers, features
from stages.safe_clip import score as stage
from stages.safe_clip import train as training
from stages.safe_clip.attention import SHOWN_PX, tinted
from stages.safe_clip.fitted import place_of, read_fitted, read_index
from tests.fixtures.safe_clip import TinyClip, write_set, write_sets

FITTED = {
    "official": None, "sets": ["squares", "tiles"], "shots": [1, 2], "seeds": [0, 1], "methods": list(METHODS),
    "short": "error", "views": 2, "least": 0.5, "batch": 8,
    "settings": {
        "pool": {"lr": 3e-2, "epochs": {1: 8}},
        "cache": {"epochs": {1: 2}, "steps": [3, 4]},
        "adapter": {"epochs": {1: 2}, "ratios": [0.5]},
        "probe": {"strengths": [1]},
        "coop": {"epochs": {1: 2}, "context": 2},
    },
}  # fmt: skip
PARAMS = {
    "seed": 0, "resamples": 40, "batch": 5, "alphas": [0, 0.5, 1], "source": "squares", "targets": ["squares-far"],
    "samples": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def fitted(tmp_path_factory) -> dict[str, Path]:
    """Fit everything once."""
    root = tmp_path_factory.mktemp("safe_clip")
    places = {"sets": write_sets(root / "sets"), "clip": root / "clip", "folders": root / "folders.json"}
    places["clip"].mkdir()
    places["folders"].write_text("{}")
    (root / "models").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setattr(features, "read_clip", lambda source, *, weights="", device="cpu": TinyClip())
        training.run(training.Params(**FITTED), **places, models=root / "models")
    return places | {"models": root / "models"}


@pytest.fixture(autouse=True)
def clip(monkeypatch) -> TinyClip:
    """Give one CLIP to the stage."""
    found = TinyClip()
    monkeypatch.setattr("stages.machine.machine", lambda: Machine("cpu", 1, 1))
    monkeypatch.setattr(features, "read_clip", lambda source, *, weights="", device="cpu": found)
    return found


def score(fitted: dict[str, Path], root: Path, **changed) -> dict[str, dict]:
    (root / "scores").mkdir(parents=True)
    stage.run(stage.Params(**PARAMS | changed), **fitted, scores=root / "scores", samples=root / "samples")
    return {path.stem: json.loads(path.read_text()) for path in sorted((root / "scores").glob("*.json"))}


def told(fitted: dict[str, Path], method: str, *, shots: int, seed: int) -> float:
    """Return the accuracy of one method on squares, asked directly."""
    clip, few_shot = TinyClip(), read_set(fitted["sets"], "squares")
    each = read_fitted(place_of(fitted["models"], "squares", shots=shots, seed=seed), list(METHODS))[method]
    frozen, test = features.frozen_of(clip, few_shot), few_shot.test.tensors()
    maps = clip.maps(test.x.float() / 255)
    said = each.logits(frozen, maps, clip.pool(maps)).argmax(-1)
    return (said == test.y).double().mean().item()


def test_every_accuracy_is_the_mean_over_the_seeds_of_what_the_methods_say(fitted, tmp_path):
    scores = score(fitted, tmp_path)
    assert list(scores) == ["generalisation", "means", "squares", "tiles"]
    results = scores["squares"]["results"]
    assert list(results["methods"]) == sorted(set(METHODS) - {"zero_shot"})
    for method, rates in results["methods"].items():
        for shots, rate in rates["shots"].items():
            seeds = [told(fitted, method, shots=int(shots), seed=seed) for seed in (0, 1)]
            assert results["seeds"][method][shots] == pytest.approx(seeds, abs=1e-6)
            assert rate["value"] == pytest.approx(np.mean(seeds))
            assert rate["low"] <= rate["value"] <= rate["high"]
            assert rate["n"] == results["n_test"] == 18
    assert results["zero_shot"]["value"] == pytest.approx(told(fitted, "zero_shot", shots=1, seed=0))
    means, tiles = scores["means"]["results"], scores["tiles"]["results"]
    for method in means["methods"]:
        of_sets = [each["methods"][method]["shots"]["2"]["value"] for each in (results, tiles)]
        assert means["methods"][method]["shots"]["2"]["value"] == pytest.approx(np.mean(of_sets))
    assert means["n_test"] == 36
    assert scores["means"]["headline"]["name"] == "top1_of_safe_a_at_2_shots"


def test_the_ends_of_alphas_curve(fitted, tmp_path):
    results = score(fitted, tmp_path)["squares"]["results"]
    curve = {(point["alpha"], point["shots"]): point for point in results["alpha"]["curve"]}
    assert sorted(curve) == [(alpha, shots) for alpha in (0, 0.5, 1) for shots in (1, 2)]
    for shots in (1, 2):
        assert curve[0, shots]["test"] == results["zero_shot"]
        assert curve[0, shots]["val"]["n"] == 2 * 3 * shots  # the validation shots of both seeds
    chosen = results["alpha"]["chosen"]
    assert {len(alphas) for alphas in chosen.values()} == {2}
    everywhere = [alpha for alphas in chosen.values() for alpha in alphas]
    assert set(everywhere) <= {step / 10 for step in range(11)}


def test_the_trunk_sees_a_test_picture_once(fitted, clip):
    few_shot = read_set(fitted["sets"], "squares")
    fits = answers.read_fits(fitted["models"], read_index(fitted["models"]), clip=clip, few_shot=few_shot, shots=[1, 2])
    masks = read_masks(fitted["sets"], "squares")
    asked = {"fits": fits, "alphas": (0.0, 1.0), "attended": fits.safe()[2], "masks": masks}
    found = answers.answers(clip, few_shot.test, **asked, batch=5)
    assert clip.seen == len(few_shot.test)
    whole = answers.answers(clip, few_shot.test, **asked, batch=18)
    for key, right in found.right.items():
        assert np.array_equal(right, whole.right[key])
    assert found.right["safe", 1].shape == (2, 18)
    assert found.right["zero_shot", 1].shape == (1, 18)
    assert found.attention["entropy"].shape == found.attention["on_object"].shape == (2, 18, 2)


def test_attention_is_measured_on_the_masks_where_there_are_some(fitted, tmp_path, clip):
    scores = score(fitted, tmp_path)
    found = scores["squares"]["results"]["attention"]
    test, masks = read_set(fitted["sets"], "squares").test.tensors(), read_masks(fitted["sets"], "squares")
    weights = clip.pool.attention(clip.maps(test.x.float() / 255))[..., 1:].mean(1)
    weights = (weights / weights.sum(-1, keepdim=True)).unflatten(-1, (4, 4))
    covered = torch.from_numpy(masks).float().unflatten(1, (4, 4)).unflatten(3, (4, 4)).mean((2, 4))
    expected = (weights * covered).sum((1, 2)).mean().item()
    assert found["on_object_before"]["value"] == pytest.approx(expected, abs=1e-5)
    assert found["entropy_after"]["value"] != found["entropy_before"]["value"]
    assert sorted(scores["tiles"]["results"]["attention"]) == ["entropy_after", "entropy_before"]


def test_the_gallery_shows_each_picture_with_both_maps(fitted, tmp_path):
    score(fitted, tmp_path)
    gallery = json.loads((tmp_path / "samples/gallery.json").read_text())
    assert [row["caption"].split(",")[0] for row in gallery["rows"]] == ["squares", "tiles"]
    for row in gallery["rows"]:
        assert [image["label"] for image in row["images"]] == ["original", "before", "after"]
        for image in row["images"]:
            with Image.open(tmp_path / "samples" / image["file"]) as picture:
                assert picture.size == (SHOWN_PX, SHOWN_PX)


def test_a_tint_covers_where_the_attention_lies():
    white = np.full((8, 8, 3), 255, np.uint8)
    shown = tinted(white, torch.tensor([[0.0, 1.0]]))
    assert shown[0, 0].tolist() == [178, 178, 178]
    assert shown[0, -1].tolist() == [236, 99, 45]


def test_other_styles_take_the_fits_of_the_most_shots(fitted, tmp_path, clip):
    results = score(fitted, tmp_path)["generalisation"]["results"]
    assert (results["source"], results["shots"], list(results["targets"])) == ("squares", 2, ["squares-far"])
    target = results["targets"]["squares-far"]
    assert list(target) == sorted(METHODS)
    assert target["safe"]["n"] == 15
    assert results["means"] == target
    few_shot, far = (read_set(fitted["sets"], name) for name in ("squares", "squares-far"))
    maps = clip.maps(far.test.tensors().x.float() / 255)
    said = features.frozen_of(clip, few_shot).zero_shot(clip.pool(maps)).argmax(-1)
    assert target["zero_shot"]["value"] == pytest.approx((said.numpy() == far.test.labels).mean())


def test_only_the_targets_own_classes_are_compared(fitted, clip):
    few_shot = read_set(fitted["sets"], "squares")
    fits = answers.read_fits(fitted["models"], read_index(fitted["models"]), clip=clip, few_shot=few_shot, shots=[2])
    blue = few_shot.test.take(np.flatnonzero(few_shot.test.labels == 2))
    blue = type(blue)(blue.x, np.zeros(len(blue), np.int64), ["blue"])
    found = answers.answers(clip, blue, fits=fits, places=np.array([2]), batch=4)
    assert all(right.all() for right in found.right.values())


def test_the_same_scores_again_and_with_two_workers(fitted, tmp_path, monkeypatch):
    first = score(fitted, tmp_path / "first")
    monkeypatch.setattr(stage, "parallel", lambda *given, **named: parallel(*given, **named | {"workers": 2}))
    assert score(fitted, tmp_path / "second") == first


parallel = stage.parallel


def test_without_targets_or_safe(fitted, tmp_path):
    index = json.loads((fitted["models"] / "index.json").read_text()) | {"methods": ["zero_shot", "tip_adapter"]}
    models = tmp_path / "models"
    models.mkdir()
    for name in index["sets"]:
        (models / name).symlink_to(fitted["models"] / name)
    (models / "index.json").write_text(json.dumps(index))
    scores = score(fitted | {"models": models}, tmp_path, source=None, targets=[])
    assert list(scores) == ["means", "squares", "tiles"]
    results = scores["tiles"]["results"]
    assert (list(results["methods"]), results["alpha"]["curve"], results["attention"]) == (["tip_adapter"], [], {})
    assert scores["tiles"]["headline"]["name"] == "top1_of_tip_adapter_at_2_shots"


@pytest.mark.parametrize("source", [None, "squares-far"])
def test_a_source_that_was_not_trained_on_is_refused(fitted, tmp_path, source):
    with pytest.raises(ArgumentError, match="source must be one of squares, tiles; got"):
        score(fitted, tmp_path, source=source)


def test_a_target_of_other_classes_is_refused(fitted, tmp_path):
    sets = tmp_path / "sets"
    write_sets(sets)
    listing = write_set(sets / "squares-far", seed=9, counts={"test": 5}, masks=False) / "split_zhou_Squares-Far.json"
    listing.write_text(listing.read_text().replace('"red"', '"mauve"'))
    with pytest.raises(DataError, match="'mauve' is not"):
        score(fitted | {"sets": sets}, tmp_path)
