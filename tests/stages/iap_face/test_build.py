"""The stage that draws the faces: the truth of every edit, bytes that stay the same, CelebA in their place."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
import torch

from gauntlet.avatars import ATTRIBUTES, identities
from gauntlet.errors import DataError
from gauntlet.readers.faces import read_faces
from stages.iap_face.build import Params, run
from tests.fixtures.celeba import write_celeba
from tests.fixtures.drawn_faces import write_parts

FACES = {"train": 6, "val": 2, "test": 3}


def build(tmp_path, *, name="faces", celeba=None, folders=None):
    """Build from the fixture's parts."""
    (tmp_path / "folders.json").write_text(json.dumps(folders or {}))
    params = Params(seed=0, size_px=32, faces=FACES, celeba=celeba, samples=3)
    out = tmp_path / name
    run(params, parts=write_parts(tmp_path / "faces.tar"), folders=tmp_path / "folders.json", faces=out)
    return out


@pytest.fixture(autouse=True)
def one_worker(monkeypatch):
    monkeypatch.setattr(
        "stages.iap_face.build.parallel", lambda function, items, **_: [function(item) for item in items]
    )


def test_splits_edits_and_manifest(tmp_path):
    out = build(tmp_path)
    manifest = pd.read_parquet(out / "manifest.parquet")
    for split, count in FACES.items():
        faces = read_faces(out, split)
        assert len(faces) == count
        assert set(faces.edits) == set(ATTRIBUTES)
        listed = manifest[manifest.split == split]
        assert faces.keys == tuple(listed.key)
        assert (faces.attributes.numpy() == listed[list(ATTRIBUTES)].to_numpy()).all()
        assert set(zip(listed["style"], listed["skin"], strict=True)) <= set(identities(split, seed=0))
        for place, name in enumerate(ATTRIBUTES):
            changed = (faces.edits[name] != faces.x).flatten(1).any(1)
            # A colour that the hair has already changes nothing; glasses and beard always do.
            assert torch.equal(changed, torch.ones(count, dtype=bool) if place > 2 else ~faces.attributes[:, place])
    gallery = json.loads((out / "samples" / "gallery.json").read_text())
    assert len(gallery["rows"]) == 3
    assert gallery["rows"][0]["images"][0]["label"] == "face"


def test_the_same_bytes_again(tmp_path):
    def digest(out):
        return [hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(out.rglob("*")) if file.is_file()]

    assert digest(build(tmp_path)) == digest(build(tmp_path, name="again"))


def test_celeba_in_place_of_drawn_faces(tmp_path):
    out = build(tmp_path, celeba="celeba", folders={"celeba": {"path": str(write_celeba(tmp_path / "celeba"))}})
    faces = read_faces(out, "train")
    assert faces.edits is None
    assert len(faces) == 2
    assert faces.attributes[:, 4].tolist() == [False, True]
    assert np.abs(faces.x.float().mean((0, 2, 3)).numpy() - [255, 0, 0]).max() < 6


def test_a_folder_that_is_not_known(tmp_path):
    with pytest.raises(DataError, match="must hold 'celeba'; it has none yet"):
        build(tmp_path, celeba="celeba")
