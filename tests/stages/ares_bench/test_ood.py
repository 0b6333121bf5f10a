"""ImageNet's out-of-distribution sets through the stages: each in its layout, on a stand-in of 1,000 classes."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from gauntlet.errors import DataError
from gauntlet.metrics.corruptions import corruption_scores
from gauntlet.metrics.intervals import wilson
from gauntlet.readers.labelled import Files
from stages.ares_bench import attack, score
from stages.files import write_json
from tests.fixtures.ood import paint, write_all, write_by_wnid
from tests.stages.ares_bench.conftest import ATTACK, SCORE
from tests.stages.ares_bench.test_attack import contents
from tests.stages.ares_bench.test_bad_input import refused

OOD = {
    "v2": {"suite": "imagenet_v2", "folder": "v2"},
    "a": {"suite": "imagenet_a", "folder": "a"},
    "r": {"suite": "imagenet_r", "folder": "r"},
    "sketch": {"suite": "imagenet_sketch", "folder": "sketch"},
    "stylized": {"suite": "imagenet_stylized", "folder": "stylized"},
    "objectnet": {"suite": "objectnet", "folder": "objectnet"},
    "c": {"suite": "imagenet_c", "folder": "c"},
    "real": {"suite": "imagenet_real", "folder": "real", "images": None},
    "two_hundred": {"suite": "imagenet_200", "folder": "r"},
    "viewpoints": {"suite": "imagenet_v", "folder": "v"},
}
LIGHT = {"corruptions": [], "defences": {}, "step_counts": [], "attacks": {}, "low_pass": [], "transfer": {}}
LIGHT |= {"steps": 1, "budgets": 1, "images": 4, "batch": 64, "variants": [], "samples": {"images": 0, "models": []}}
NAMED = {"stand_in": {"model": "tests.fixtures.ood:palette"}}
IMAGENET = {"data": {"layout": "imagenet", "folder": "imagenet"}, "eps": "4/255", "largest": {"linf": 0.1}}
IMAGENET |= {"named": NAMED}


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory):
    return write_all(tmp_path_factory.mktemp("imagenet"))


@pytest.fixture(scope="module")
def run(imagenet, sources, tmp_path_factory):
    """Return a function that attacks with some sets; the folder has outcomes/ and scores/."""

    def run(ood: dict):
        folder = tmp_path_factory.mktemp("ood")
        params = attack.Params.model_validate(ATTACK | LIGHT | {"tests": {"imagenet": IMAGENET | {"ood": ood}}})
        paths = sources | {"folders": imagenet / "folders.json"}
        attack.run(params, models=folder, **paths, outcomes=folder / "outcomes")
        score.run(score.Params.model_validate(SCORE), outcomes=folder / "outcomes", scores=folder / "scores")
        return folder

    return run


@pytest.fixture(scope="module")
def whole(run):
    return run(OOD)


@pytest.fixture(scope="module")
def found(whole):
    frame = pd.read_parquet(whole / "outcomes/outcomes.parquet")
    assert all(rows["image"].tolist() == list(range(len(rows))) for _, rows in frame.groupby("key"))
    return {key: rows["value"].tolist() for key, rows in frame.groupby("key")}


@pytest.fixture(scope="module")
def rates(whole):
    return json.loads((whole / "scores/stand_in.json").read_text())["results"]["ood"]


def test_single_labels_in_the_order_of_the_paths(found):
    assert found["clean"] == [1] * 4
    assert found["ood/v2"] == [1, 0, 1, 1]  # folders 10, 2 and 999
    assert found["ood/sketch"] == [1, 0, 1]
    assert found["ood/stylized"] == [1, 0]
    assert found["ood/viewpoints"] == [1, 0]


def test_only_the_masks_outputs_are_compared(found):
    """What looks like class 6, which A lacks, is taken for 5; what looks like 996, for 995."""
    assert len(found["ood/a"]) == 201
    assert found["ood/a"][:4] == [1, 1, 0, 1]
    assert len(found["ood/r"]) == 201
    assert found["ood/r"][:5] == [1, 1, 1, 0, 1]
    assert found["ood/two_hundred"] == [1] * 200


def test_maps_and_several_labels(found, rates):
    assert found["ood/objectnet"] == [1, 0]
    assert rates["objectnet"]["left_out"] == {"not a class of ImageNet": 1}
    assert found["ood/real"][:4] == [1, 1, 0, 1]  # class 2 has no label and is not there; class 3 is called 700
    assert len(found["ood/real"]) == 999
    assert rates["real"]["left_out"] == {"no label in real.json": 1}


def test_c_by_corruption_and_severity_with_mce(found, rates):
    levels = [1, 2 / 3, 2 / 3, 1 / 3, 1 / 3]
    assert found["ood/c/fog/1"] == [1, 1, 1]
    assert found["ood/c/snow/5"] == [0, 0, 1]
    kinds = {key.split("/")[2] for key in found if key.startswith("ood/c/")}
    assert len(kinds) == 15
    known = corruption_scores(dict.fromkeys(kinds, levels))
    assert rates["c"]["mce"] == pytest.approx(known.mce / 100)
    assert rates["c"]["severity"] == pytest.approx(levels)
    assert rates["c"]["corruptions"].keys() == kinds
    assert rates["c"]["top1"]["value"] == pytest.approx(0.6)
    assert rates["c"]["n"] == rates["c"]["top1"]["n"] == 3


def test_scores_hold_intervals_and_drops(rates, found):
    assert list(rates) == sorted(OOD)
    for name in OOD.keys() - {"c"}:
        known = wilson(int(sum(found[f"ood/{name}"])), len(found[f"ood/{name}"]))
        top1 = {"value": known.value, "low": known.low, "high": known.high, "n": known.n}
        assert rates[name]["top1"] == top1
        assert rates[name]["n"] == known.n
        assert rates[name]["drop"] == pytest.approx(1 - known.value)
        assert (rates[name]["suite"], rates[name]["data"]) == (OOD[name]["suite"], OOD[name]["folder"])


@pytest.mark.parametrize("spoilt", ["outcomes", "subjects"])
def test_sets_of_another_run_are_one_line(whole, tmp_path, spoilt):
    outcomes = shutil.copytree(whole / "outcomes", tmp_path / "outcomes")
    if spoilt == "outcomes":
        frame = pd.read_parquet(outcomes / "outcomes.parquet")
        frame[frame["key"] != "ood/v2"].to_parquet(outcomes / "outcomes.parquet", index=False)
    else:
        listed = json.loads((outcomes / "subjects.json").read_text())
        del listed["imagenet"]["ood"]["v2"]
        write_json(outcomes / "subjects.json", listed)
    with pytest.raises(DataError, match=r"hold of stand_in the sets .*; 'v2' is in one alone; two runs mixed\?"):
        score.run(score.Params.model_validate(SCORE), outcomes=outcomes, scores=tmp_path / "scores")


def test_a_draw_is_the_same_again_and_the_same_under_each_corruption(run, monkeypatch):
    ood = {"c": OOD["c"] | {"images": 2}, "real": OOD["real"] | {"images": 50}}
    seen = []
    monkeypatch.setattr(attack, "judged", lambda model, found, *, batch: seen.append(found) or np.ones(len(found)))
    run(ood)
    assert len({tuple(path.name for path in each.x.paths) for each in seen[:75]}) == 1
    assert {len(each) for each in seen[:75]} == {2}
    assert len({min(right) for right in seen[75].right}) == len(seen[75]) == 50
    assert all(int(path.stem[-8:]) for path in seen[75].x.paths)
    run(ood)
    assert [each.x.paths for each in seen[:76]] == [each.x.paths for each in seen[76:]]


def test_pictures_are_decoded_batch_by_batch(run, monkeypatch):
    asked, decode = [], Files.__getitem__

    def watched(self, index):
        if not isinstance(index, int | np.integer):
            asked.append(len(index))
        return decode(self, index)

    monkeypatch.setattr(Files, "__getitem__", watched)
    run({"a": OOD["a"]})
    assert asked == [4, 64, 64, 64, 9]


def test_an_empty_list_of_sets_changes_no_byte(attacked, models, sources, tmp_path):
    tests = {"discs": ATTACK["tests"]["discs"] | {"ood": {}}}
    params = attack.Params.model_validate(ATTACK | {"tests": tests})
    attack.run(params, models=models, **sources, outcomes=tmp_path / "again")
    assert contents(tmp_path / "again") == contents(attacked)


@pytest.fixture
def spoil(imagenet, door, tmp_path):
    """Return a function that tries one set in a folder that was spoilt, and checks the one line."""

    def spoil(name: str, change=None, *, text: str, code: int = 65, **ood) -> None:
        folders = json.loads((imagenet / "folders.json").read_text())
        if change:
            shutil.copytree(imagenet / name, tmp_path / "spoilt")
            change(tmp_path / "spoilt")
            folders[name] = {"path": str(tmp_path / "spoilt")}
        write_json(tmp_path / "folders.json", folders)
        door.sources = door.sources | {"folders": tmp_path / "folders.json"}
        tests = {"imagenet": IMAGENET | {"ood": {name: OOD[name] | ood}}}
        refused(door, code=code, text=text, **(LIGHT | {"tests": tests}))

    return spoil


def _other_picture(folder):
    path = next((folder / "snow/4").rglob("*.JPEG"))
    path.rename(path.with_name("ILSVRC2012_val_00000009.JPEG"))


def _truncated(folder):
    path = next(folder.rglob("*.JPEG"))
    path.write_bytes(path.read_bytes()[:40])


FOLDERS = [
    ("v2", lambda at: paint(at / "n01440764/0.jpeg", 0), "n01440764 must be named by a label in 0..999"),
    ("a", lambda at: shutil.rmtree(at / "n00000000"), "must hold 200 class folders, which are the mask; got 199"),
    ("r", lambda at: paint(at / "art/0.jpg", 0), "art must be named by a wnid"),
    ("sketch", lambda at: paint(at / "sketch/0.jpg", 0), "sketch must be named by one of the 1000 classes"),
    ("sketch", _truncated, "must be a whole image"),
    ("stylized", lambda at: write_by_wnid(at, {4: [4, 5]}), "must be 224 x 224 px, as published; got 8 x 8; resized?"),
    ("objectnet", lambda at: shutil.rmtree(at / "mappings"), "objectnet_to_imagenet_1k.json must exist"),
    ("c", lambda at: shutil.rmtree(at / "fog"), "fog/1 must exist, <corruption>/<1..5>/<wnid>"),
    ("c", _other_picture, "each corruption and severity; snow/4 has others than snow/3 (3 and 3); a partial copy?"),
    ("real", lambda at: (at / "real.json").unlink(), "real.json must exist"),
    ("real", lambda at: (at / "real.json").write_text("[[0]]"), "00000002.JPEG is beyond its 1"),
    ("viewpoints", None, "must hold 'none'; it has a, c, imagenet"),
]


@pytest.mark.parametrize(
    ("name", "change", "text"), FOLDERS, ids=lambda value: value[:40] if isinstance(value, str) else None
)
def test_a_bad_folder_is_one_line(spoil, name, change, text):
    spoil(name, change, text=text, **({} if change else {"folder": "none"}))


def test_a_list_of_viewpoints_is_found_by_its_ending(spoil):
    spoil("viewpoints", text="must hold one .txt file, ImageNet-V's list of pictures; got none", folder="c")


def test_an_unknown_layout_is_one_line(spoil):
    spoil("v2", text="ood.v2.suite: Input should be 'imagenet_v2'", code=78, suite="imagenet_v3")


TESTS = [
    ({"data": {"layout": "objects"}}, "ood must stand in a test of ImageNet, whose models it tries; got a"),
    ({"data": {"layout": "imagenet", "folder": "mine"}}, "all 1000 classes of ImageNet; "),
    ({"ood": {"a/b": OOD["a"]}}, "ood.a/b"),
    ({"ood": {"a": OOD["a"] | {"images": 0}}}, "ood.a.images: Input should be greater than or equal to 1; got 0"),
]


@pytest.mark.parametrize(("change", "text"), TESTS, ids=lambda value: value[:40] if isinstance(value, str) else None)
def test_sets_stand_where_imagenet_is(door, imagenet, change, text):
    folders = json.loads((imagenet / "folders.json").read_text())
    folders |= json.loads(door.sources["folders"].read_text())
    write_json(door.root / "folders.json", folders)
    door.sources = door.sources | {"folders": door.root / "folders.json"}
    tests = {"imagenet": IMAGENET | {"ood": {"a": OOD["a"]}} | change}
    refused(door, code=78, text=text, **(LIGHT | {"tests": tests}))


def test_a_model_of_other_classes_is_named(door, imagenet):
    door.sources = door.sources | {"folders": imagenet / "folders.json"}
    named = {"few": {"model": "tests.stages.ares_bench.conftest:colours"}}
    tests = {"imagenet": IMAGENET | {"named": named, "ood": {"v2": OOD["v2"]}}}
    refused(door, code=78, text="few: labels must lie in [0, 2], the model's classes", **(LIGHT | {"tests": tests}))
