"""Outputs appear whole or not at all."""

import fcntl
import hashlib
import os
from pathlib import Path

import pytest

from gauntlet.errors import RetryableError
from stages.outputs import whole


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stages.outputs.LOCK_WAIT_S", 0.1)
    return tmp_path


def visible() -> set[str]:
    return {path.as_posix() for path in Path().glob("data/**/*")}


@pytest.mark.parametrize("fails", [False, True])
def test_earlier_outputs_stay_until_the_end(fails):
    finals = {"model": Path("data/m.v1"), "score": Path("data/s.json")}
    with whole(finals) as partial:
        partial["model"].mkdir()
        (partial["model"] / "old").touch()
        partial["score"].write_text("old")
    before = visible()
    assert before == {"data/m.v1", "data/m.v1/old", "data/s.json"}

    def again():
        with whole(finals) as partial:
            partial["model"].mkdir()
            (partial["model"] / "new").touch()
            partial["score"].write_text("new")
            assert finals["score"].read_text() == "old"
            assert partial["score"].suffix == ".json"
            if fails:
                raise KeyError

    if fails:
        with pytest.raises(KeyError):
            again()
        assert visible() == before
        assert finals["score"].read_text() == "old"
    else:
        again()
        assert visible() == {"data/m.v1", "data/m.v1/new", "data/s.json"}
        assert finals["score"].read_text() == "new"


def test_kind_may_change():
    with whole({"x": Path("data/x")}) as partial:
        partial["x"].mkdir()
    with whole({"x": Path("data/x")}) as partial:
        partial["x"].write_text("a file")
    with whole({"x": Path("data/x")}) as partial:
        partial["x"].mkdir()
        (partial["x"] / "y").touch()
    assert visible() == {"data/x", "data/x/y"}


def test_a_link_is_replaced_and_not_followed():
    Path("data").mkdir()
    Path("cache").write_text("cached")
    Path("data/x").symlink_to("../cache")
    with whole({"x": Path("data/x")}) as partial:
        partial["x"].write_text("new")
    assert Path("cache").read_text() == "cached"
    assert not Path("data/x").is_symlink()


def test_what_a_killed_swap_put_aside_comes_back():
    Path("data/.x.aside").mkdir(parents=True)
    Path("data/.x.aside/kept").touch()
    Path("data/.x.partial").mkdir()
    with pytest.raises(RuntimeError, match="was not written"), whole({"x": Path("data/x")}) as partial:
        assert not partial["x"].exists()
    assert visible() == {"data/x", "data/x/kept"}


def test_one_writer():
    lock = hashlib.sha256(os.path.abspath("data/x").encode()).hexdigest()[:16] + "-x"
    with whole({"x": Path("data/x")}) as partial:
        partial["x"].touch()
        with pytest.raises(RetryableError, match="data/x must have one writer"), whole({"x": Path("./data/x")}):
            pass
        with whole({"y": Path("data/y")}) as other:
            other["y"].touch()
    with open(f".checkpoints/locks/{lock}", "w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_full_disk_while_moving_keeps_the_earlier_output(monkeypatch):
    with whole({"x": Path("data/x")}) as partial:
        partial["x"].mkdir()
        (partial["x"] / "old").touch()
    replace = os.replace

    def full(source, target):
        if "partial" in str(source):
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space"), whole({"x": Path("data/x")}) as partial:
        partial["x"].mkdir()
    assert visible() == {"data/x", "data/x/old"}
