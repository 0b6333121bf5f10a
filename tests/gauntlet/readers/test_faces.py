"""The shards of faces, read as they were drawn."""

import json
import shutil
import tarfile

import numpy as np
import pytest
import webdataset

from gauntlet.avatars import ATTRIBUTES
from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.faces import read_faces, read_parts
from stages.iap_face.build import _png
from tests.fixtures.drawn_faces import parts, write_parts

SHADE = {"png": 10, "black_hair.png": 20, "glasses.png": 30}


def write(folder, *, pairs=True, kinds=tuple(SHADE), **changes):
    """Write one face whose pictures have one shade each, and which has a beard."""
    folder.mkdir(exist_ok=True)
    record = {"key": "test-000000", "pairs": pairs} | dict.fromkeys(ATTRIBUTES, False) | {"beard": True} | changes
    with webdataset.TarWriter(str(folder / "test-0000.tar"), mtime=0) as shard:
        pictures = {kind: _png(np.full((32, 32, 3), SHADE[kind], np.uint8)) for kind in kinds}
        shard.write({"__key__": "test-000000", "json": json.dumps(record)} | pictures)
    return folder


def test_pictures_labels_and_edits(tmp_path):
    faces = read_faces(write(tmp_path), "test")
    assert faces.x.shape == (1, 3, 32, 32)
    assert faces.x.dtype.is_floating_point is False
    assert len(faces) == 1
    assert faces.attributes.tolist() == [[False, False, False, False, True]]
    assert faces.names == ATTRIBUTES
    assert faces.keys == ("test-000000",)
    # An edit that is not stored changes nothing.
    assert {name: int(x.unique()) for name, x in faces.edits.items()} == {
        "black_hair": 20,
        "blond_hair": 10,
        "brown_hair": 10,
        "glasses": 30,
        "beard": 10,
    }


def test_without_pairs_there_are_no_edits(tmp_path):
    assert read_faces(write(tmp_path, pairs=False, kinds=("png",)), "test").edits is None


def test_parts(tmp_path):
    found = read_parts(write_parts(tmp_path / "faces.tar"))
    assert set(found) == set(parts())
    assert "@skin@" in found["styles/transparent.svg"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: (folder / "test-0000.tar").unlink(), r"must hold shards test-\*\.tar; found none"),
        (lambda folder: write(folder, kinds=("glasses.png",)), "test-000000 must have a picture"),
        (lambda folder: damage(folder), "must be a whole tar"),
        (lambda folder: unlabelled(folder), r"must state key, pairs and black_hair"),
    ],
)
def test_a_damaged_build_is_named(tmp_path, change, words):
    change(write(tmp_path))
    with pytest.raises(DataError, match=words):
        read_faces(tmp_path, "test")


def damage(folder):
    """Cut the shard within its first member."""
    shard = folder / "test-0000.tar"
    shard.write_bytes(shard.read_bytes()[:1000])


def unlabelled(folder):
    """Write a face whose record states nothing."""
    shutil.rmtree(folder)
    folder.mkdir()
    with webdataset.TarWriter(str(folder / "test-0000.tar"), mtime=0) as shard:
        shard.write({"__key__": "a", "json": b'{"key": "a"}'})


def test_splits_and_archives_are_checked(tmp_path):
    with pytest.raises(ArgumentError, match="split must be one of"):
        read_faces(tmp_path, "tests")
    tarfile.open(tmp_path / "empty.tar", "w").close()
    with pytest.raises(DataError, match=r"must hold the SVG parts of python_avatars; it holds none"):
        read_parts(tmp_path / "empty.tar")
