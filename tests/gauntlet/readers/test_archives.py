"""Reading canonical tars, whole and cut at every kind of place."""

import io
import json
import tarfile

import pytest

from gauntlet.errors import DataError
from gauntlet.readers.archives import members, origin

ORIGIN = {"source": "s", "package": "p", "version": "1", "sha256": "0" * 64, "licence": "MIT"}


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "thing.tar"
    headers = {"comment": json.dumps(ORIGIN)}
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT, pax_headers=headers) as tar:
        for name, data in {"a/1.png": b"1" * 600, "a/2.svg": b"2" * 600, "b/3.png": b""}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def test_members_by_glob(archive):
    assert [name for name, _ in members(archive)] == ["a/1.png", "a/2.svg", "b/3.png"]
    assert list(members(archive, "*.png")) == [("a/1.png", b"1" * 600), ("b/3.png", b"")]
    assert list(members(archive, "c/*")) == []


def test_origin(archive, tmp_path):
    assert origin(archive)._asdict() == ORIGIN
    with tarfile.open(tmp_path / "plain.tar", "w"):
        pass
    with pytest.raises(DataError, match=r"plain\.tar: must be a tar with its origin"):
        origin(tmp_path / "plain.tar")


def test_cut_anywhere_is_an_error_that_names_file_and_member(archive):
    whole = archive.read_bytes()
    first = whole.index(b"a/1.png")
    second, third = whole.index(b"a/2.svg"), whole.index(b"b/3.png")
    for size in (first + 100, first + 512 + 100, second, second + 100, second + 512, second + 700, third, third + 512):
        archive.write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"thing.tar, at \S+.*: must be a whole tar; .*truncated\?"):
            list(members(archive))
    archive.write_bytes(b"no tar at all" * 100)
    with pytest.raises(DataError, match="must be a whole tar"):
        list(members(archive))


def test_members_names_the_last_one_that_was_read(archive):
    whole = archive.read_bytes()
    archive.write_bytes(whole[: whole.index(b"a/2.svg") + 700])
    with pytest.raises(DataError, match=r"thing.tar, at a/2.svg: "):
        list(members(archive))
