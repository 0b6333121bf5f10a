"""The small world: its layout, what is apart from what, and the same bytes with any number of workers."""

import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import webdataset

from gauntlet.captions import COLOURS, colour_shares
from gauntlet.errors import ArgumentError
from gauntlet.readers.few_shot import read_corpus, read_masks, read_set, sample_shots
from gauntlet.readers.few_shot_targets import read_target
from gauntlet.readers.objects import read_manifest, read_objects
from stages.files import dvc_md5
from stages.machine import Machine
from stages.safe_clip import build
from stages.safe_clip.pictures import LEAST_VISIBLE, Scale, backdrop, picture
from stages.safe_clip.world import read_world
from stages.safe_clip.world_params import Params
from tests.fixtures.classification import png
from tests.fixtures.objects import cut_out

THINGS = {"cat": "mammal", "cow": "mammal", "car": "vehicle", "crab": "marine"}
HANDS = {0: "train", 1: "train", 2: "val", 3: "test"}
"""Number of a hand and the split of its drawings: each draws in colour, in outline and takes a photograph."""

COUNTS = {"train": 4, "val": 2, "test": 3}
SET = {"styles": ["flat"], "images": COUNTS, "scale": [0.5, 0.8], "others": None}
PARAMS = {
    "seed": 0,
    "size_px": 32,
    "withheld": 0.5,
    "corpus": {"pictures": 40, "names": 4, "styles": ["flat", "outline"], "pairs": 0.3, "scale": [0.5, 0.9]},
    "sets": {
        "kinds": {**SET, "styles": ["photo"], "level": "coarse", "classes": ["mammal", "marine"]},
        "crowd": {
            **SET,
            "level": "category",
            "classes": ["cow", "cat"],
            "others": {"most": 2, "coarse": ["vehicle"], "scale": [0.3, 0.4]},
        },
        "backdrops": {**SET, "level": "colour", "classes": ["red", "green", "blue"]},
    },
    "targets": {"source": "kinds", "styles": ["flat", "outline"], "images": 2},
}


def write_objects(folder: Path) -> Path:
    rows = [
        {"key": f"{name}-{hand}-{style}", "category": name, "coarse": coarse, "style": style, "source": f"hand-{hand}"}
        | {"licence": "MIT", "split": split, "split_category": "train", "group": 10 * number + hand}
        for number, (name, coarse) in enumerate(THINGS.items())
        for hand, split in HANDS.items()
        for style in ("flat", "outline", "photo")
    ]
    (folder / "shards").mkdir(parents=True)
    pd.DataFrame(rows).to_parquet(folder / "manifest.parquet", index=False)
    with webdataset.TarWriter(str(folder / "shards" / "objects-0000.tar"), mtime=0) as shard:
        for number, row in enumerate(rows):
            shard.write({"__key__": row["key"], "png": png(cut_out(number, style=row["style"]))})
    return folder


def write_backgrounds(folder: Path) -> Path:
    (folder / "shards").mkdir(parents=True)
    for number, split in enumerate(COUNTS):
        with webdataset.TarWriter(str(folder / "shards" / f"{split}-0000.tar"), mtime=0) as shard:
            for index in range(2):
                generator = np.random.default_rng([number, index])
                hues = np.clip(generator.normal(60, 8, (4, 4)), 0, 179)
                hsv = np.dstack([hues, generator.uniform(120, 250, (4, 4, 2))]).astype(np.uint8)
                pixels = cv2.cvtColor(cv2.resize(hsv, (96, 96)), cv2.COLOR_HSV2RGB)
                shard.write({"__key__": f"{split}-{index:05d}", "jpg": cv2.imencode(".jpg", pixels)[1].tobytes()})
    return folder


def run(inputs: dict[str, Path], folder: Path, changes: dict | None = None) -> Path:
    params = build.Params(**{**PARAMS, **(changes or {})})
    build.run(params, **inputs, corpus=folder / "corpus", sets=folder / "sets")
    return folder


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("inputs")
    return {"objects": write_objects(folder / "objects"), "backgrounds": write_backgrounds(folder / "backgrounds")}


@pytest.fixture(scope="module")
def made(inputs, tmp_path_factory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stages.machine.machine", lambda: Machine("cpu", 1, 1))
        return run(inputs, tmp_path_factory.mktemp("made"))


def test_two_workers_write_the_bytes_of_one(made, inputs, tmp_path, monkeypatch):
    monkeypatch.setattr("stages.machine.machine", lambda: Machine("cpu", 1, 2))
    assert dvc_md5(run(inputs, tmp_path)) == dvc_md5(made)


def test_the_corpus_can_be_read_and_says_what_it_shows(made):
    corpus = read_corpus(made / "corpus")
    manifest = read_manifest(made / "corpus")
    assert corpus.x.shape == (40, 3, 32, 32)
    words = {"marine": "sea creature"}
    for row, said in zip(manifest.itertuples(), corpus.captions, strict=True):
        assert row.name in said or words.get(row.coarse, row.coarse) in said
        assert (" and " in said) == (len(row.objects) == 2)
    assert 0 < (manifest.objects.str.len() == 2).mean() < 0.6


def keys_of(place: Path, split: str) -> set[str]:
    manifest = read_manifest(place)
    return {key for objects in manifest[manifest.split == split].objects for key in objects[:1]}


def test_what_a_label_names_is_in_one_split_alone_and_never_in_the_corpus(made, inputs):
    seen = {key for objects in read_manifest(made / "corpus").objects for key in objects}
    assert all(cutout.split == "train" for cutout in read_objects(inputs["objects"]) if cutout.key in seen)
    for name in PARAMS["sets"]:
        train, val, test = (keys_of(made / "sets" / name, split) for split in COUNTS)
        assert not (train & val)
        assert not (train & test)
        assert not (val & test)
        assert not (train | val | test) & seen


def test_a_withheld_hand_takes_its_outline_with_it(made):
    seen = {key for objects in read_manifest(made / "corpus").objects for key in objects}
    for name in ("cow", "cat"):
        hands = {key.split("-")[1] for key in seen if key.startswith(name)}
        assert len(hands) == 1
    assert {key.split("-")[1] for key in seen if key.startswith("crab")} == {"0", "1"}


def test_the_corpus_knows_the_names_of_the_sets_and_then_the_commonest(inputs):
    for names, known in ((1, {"cat", "cow"}), (2, {"cat", "cow"}), (3, {"cat", "cow", "car"}), (9, set(THINGS))):
        params = Params(**PARAMS | {"corpus": PARAMS["corpus"] | {"names": names}})
        assert {pool[0].category for pool in read_world(**inputs, params=params).seen(params)} == known


def test_a_photograph_that_the_corpus_could_show_is_withheld_with_its_hand(inputs):
    params = Params(**PARAMS | {"corpus": PARAMS["corpus"] | {"styles": ["flat", "photo"]}})
    unseen = read_world(**inputs, params=params).unseen["train"]
    assert len({cut.key.split("-")[1] for cut in unseen if cut.category == "crab" and cut.style == "photo"}) == 1


@pytest.mark.parametrize("name", PARAMS["sets"])
def test_a_set_is_in_coops_layout(made, name):
    found = read_set(made / "sets", name)
    for split, count in COUNTS.items():
        assert np.bincount(getattr(found, split).labels).tolist() == [count] * len(found.class_names)
    drawn = sample_shots(found, shots=4, seed=1, short="repeat")
    assert len(drawn.train) == 4 * len(found.class_names)
    assert read_masks(made / "sets", name).shape == (len(found.test), 32, 32)
    listing = json.loads(next((made / "sets" / name).glob("split_zhou_*.json")).read_text())
    assert listing["test"][0][0].startswith(found.class_names[0].replace(" ", "_") + "/")


def test_a_kind_has_a_noun_for_its_name(made):
    assert read_set(made / "sets", "kinds").class_names == ["mammal", "sea creature"]


def test_a_backdrop_has_its_colour_and_the_mask_is_what_lies_behind(made):
    found, masks = read_set(made / "sets", "backdrops"), read_masks(made / "sets", "backdrops")
    for place, label in enumerate(found.test.labels):
        shares = colour_shares(found.test.x[place][masks[place]])
        assert COLOURS[int(shares.argmax())] == found.class_names[label]
    assert 0.2 < masks.mean() < 0.95


@pytest.mark.parametrize("style", ["flat", "outline"])
def test_a_target_shows_the_classes_in_its_style(made, style):
    source = read_set(made / "sets", "kinds")
    target = read_target(made / "sets", f"kinds-{style}", class_names=source.class_names)
    assert target.places.tolist() == [0, 1]
    assert np.bincount(target.images.labels).tolist() == [2, 2]
    assert all(key.endswith(style) for key in keys_of(made / "sets" / f"kinds-{style}", "test"))


def test_the_labelled_thing_shows_by_half(inputs):
    cutouts = read_objects(inputs["objects"])
    for seed in range(20):
        generator = np.random.default_rng(seed)
        canvas = np.full((32, 32, 3), 128, np.uint8)
        shown = picture(cutouts[:3], canvas, scale=Scale((0.6, 0.6), (0.6, 0.6)), generator=generator)
        alone = picture(cutouts[:1], canvas, scale=Scale((0.6, 0.6), (0.6, 0.6)), generator=generator)
        assert shown.mask.sum() >= 0.7 * LEAST_VISIBLE * alone.mask.sum()  # their angles differ
        assert not (shown.pixels[shown.mask] == 128).all()


def test_grey_wallpapers_cannot_turn_red():
    grey = [np.full((64, 64, 3), 128, np.uint8)]
    with pytest.raises(ArgumentError, match="some background must turn red; none of 1 did; are they all grey"):
        backdrop(grey, size_px=8, colour="red", generator=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"withheld": 1.0, "corpus": {**PARAMS["corpus"], "styles": ["render"]}}, "leaves none"),
        ({"sets": {"kinds": {**PARAMS["sets"]["kinds"], "classes": ["mammal", "fungus"]}}}, "'fungus' has none"),
        ({"sets": {"kinds": {**PARAMS["sets"]["crowd"], "classes": ["cat", "mammal"]}}}, "of another level than cate"),
        (
            {
                "sets": {
                    "kinds": {**PARAMS["sets"]["kinds"], "others": {"most": 1, "coarse": ["tool"], "scale": [0, 1]}}
                }
            },
            "others must have cut-outs of tool; none has",
        ),
        ({"targets": {**PARAMS["targets"], "source": "kind"}}, "targets.source must be one of kinds, crowd, backdrops"),
    ],
)
def test_bad_parameters(inputs, tmp_path, changes, match, monkeypatch):
    monkeypatch.setattr("stages.machine.machine", lambda: Machine("cpu", 1, 1))
    with pytest.raises((ArgumentError, ValueError), match=match):
        run(inputs, tmp_path, changes)
