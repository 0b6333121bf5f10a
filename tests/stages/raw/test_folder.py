"""Folders that the user already has."""

import json
import os

import pytest
from pydantic import ValidationError

from gauntlet.errors import DataError
from stages.raw.folder import Params, run


@pytest.fixture
def tree(tmp_path):
    for name in ("b/2.txt", "a/1.txt", "a.txt"):
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_text(name)
    return tmp_path / "tree"


def noted(tree, *, hash="content"):
    params = Params.model_validate({"folders": {"mine": {"path": str(tree), "hash": hash}}})
    run(params, folders=tree.parent / "folders.json")
    return json.loads((tree.parent / "folders.json").read_text())["mine"]


def test_counts_and_digest(tree):
    note = noted(tree)
    assert (note["files"], note["bytes"], note["path"]) == (3, 19, str(tree))
    assert len(note["digest"]) == 64


def test_the_digest_follows_the_content_and_not_the_listing(tree, monkeypatch):
    before = noted(tree)
    real = os.scandir

    class Reversed:
        def __init__(self, path):
            with real(path) as found:
                self.entries = iter(list(found)[::-1])

        def __iter__(self):
            return self.entries

        def __next__(self):
            return next(self.entries)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def close(self):
            pass

    monkeypatch.setattr(os, "scandir", Reversed)
    assert noted(tree) == before
    (tree / "a.txt").write_text("b.txt")
    assert noted(tree)["digest"] != before["digest"]


def test_size_does_not_read(tree):
    before = noted(tree, hash="size")
    (tree / "a.txt").write_text("b.txt")
    assert noted(tree, hash="size") == before
    (tree / "a.txt").rename(tree / "c.txt")
    assert noted(tree, hash="size")["digest"] != before["digest"]


def test_a_link_in_a_circle_ends(tree):
    (tree / "a/up").symlink_to(tree)
    assert noted(tree)["files"] == 3


def test_no_folders(tmp_path):
    run(Params(folders={}), folders=tmp_path / "folders.json")
    assert json.loads((tmp_path / "folders.json").read_text()) == {}


def test_bad_folders(tree, tmp_path):
    with pytest.raises(DataError, match=r"raw.folder.folders.mine.path .*must be a folder; nothing is there"):
        noted(tmp_path / "missing")
    with pytest.raises(DataError, match="it is a file"):
        noted(tree / "a.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="must hold files; it is empty"):
        noted(tmp_path / "empty")
    (tree / "broken").symlink_to("nowhere")
    with pytest.raises(DataError, match=r"every file must be readable; .*broken: No such file"):
        noted(tree)
    with pytest.raises(ValidationError):
        noted(tree, hash="md5")
