"""Repacking: the same bytes for the same content, and nothing that leaves the folder."""

import errno
import stat
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from gauntlet.errors import DataError, RetryableError
from gauntlet.readers.archives import members
from stages.raw.archive import Origin, repack
from tests.stages.raw.conftest import member, write_tgz

ORIGIN = Origin(source="thing", package="thing", version="1.0", sha256="0" * 64, licence="MIT")
HONEST = [
    (member("package/b.svg"), b"<svg/>"),
    (member("package/a/a.svg"), b"<svg>a</svg>"),
    (member("package/LICENSE"), b"MIT"),
    (member("package/index.js"), b"alert()"),
]


def pack(artefact: Path, *, keep=("*.svg",), strip="package", max_bytes=1000):
    archive = artefact.with_name("out.tar")
    report = repack(artefact, archive, form=artefact.name, keep=keep, strip=strip, max_bytes=max_bytes, origin=ORIGIN)
    assert report.kept == len(list(members(archive)))
    return archive


def names(archive: Path) -> list[str]:
    return [name for name, _ in members(archive)]


def test_what_matches_is_kept_in_order_with_its_licence(tmp_path):
    archive = pack(write_tgz(tmp_path / "thing.tgz", HONEST))
    assert names(archive) == ["LICENSE", "a/a.svg", "b.svg"]
    with tarfile.open(archive) as tar:
        assert {(info.mtime, info.uid, info.uname, info.mode, info.type) for info in tar} == {
            (0, 0, "", 0o644, tarfile.REGTYPE)
        }


def test_the_order_and_times_of_the_artefact_do_not_matter(tmp_path):
    first = pack(write_tgz(tmp_path / "thing.tgz", HONEST)).read_bytes()
    for info, _ in HONEST:
        info.mtime += 1
    assert pack(write_tgz(tmp_path / "thing.tgz", HONEST[::-1])).read_bytes() == first


def test_globs_choose_between_words_and_take_out_again(tmp_path):
    artefact = write_tgz(tmp_path / "thing.tgz", HONEST)
    assert names(pack(artefact, keep=["{b.svg,index.js}"])) == ["LICENSE", "b.svg", "index.js"]
    assert names(pack(artefact, keep=["*.svg", "!a/*"])) == ["LICENSE", "b.svg"]


def test_a_glob_without_a_match_is_refused(tmp_path):
    with pytest.raises(
        DataError, match=r"thing \(thing.tgz\): each glob of keep must match a file; \*.png matched none"
    ):
        pack(write_tgz(tmp_path / "thing.tgz", HONEST), keep=["*.svg", "*.png"])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (member("/etc/passwd.svg"), "must be a relative path without '..'"),
        (member("package/../../x.svg"), "must be a relative path without '..'"),
        (member("package\\..\\x.svg"), "must be a relative path without '..'"),
        (member("package/null.svg", kind=tarfile.CHRTYPE), "device or a pipe"),
        (member("package/pipe", kind=tarfile.FIFOTYPE), "device or a pipe"),
        (member("package/l.svg", kind=tarfile.SYMTYPE, target="../../x"), "a link must stay in its folder"),
        (member("package/l.svg", kind=tarfile.SYMTYPE, target="/etc/passwd"), "a link must stay in its folder"),
        (member("package/b.svg"), "each name must stand once"),
        (member("./package//b.svg"), "each name must stand once"),
    ],
)
def test_an_unsafe_member_is_refused(tmp_path, bad, message):
    with pytest.raises(DataError, match=message):
        pack(write_tgz(tmp_path / "thing.tgz", [*HONEST, (bad, b"")]))
    assert not (tmp_path / "out.tar").exists()


def test_sizes_are_limited_one_by_one_and_together(tmp_path):
    artefact = write_tgz(tmp_path / "thing.tgz", HONEST)
    with pytest.raises(DataError, match=r"package/a/a.svg: must hold at most max_bytes = 11; got 12"):
        pack(artefact, max_bytes=11)
    with pytest.raises(DataError, match="all kept members must hold at most max_bytes = 15 together"):
        pack(artefact, max_bytes=15)


def test_links_inside_are_left_out_and_counted(tmp_path):
    link = member("package/c.svg", kind=tarfile.SYMTYPE, target="b.svg")
    artefact = write_tgz(tmp_path / "thing.tgz", [*HONEST, (link, b"")])
    report = repack(
        artefact, tmp_path / "out.tar", form="x.tgz", keep=["*.svg"], strip="", max_bytes=1000, origin=ORIGIN
    )
    assert (report.kept, report.links) == (3, 1)
    assert "left out 1 links" in str(report)


def test_a_broken_artefact_is_refused(tmp_path):
    artefact = write_tgz(tmp_path / "thing.tgz", [(member("package/a.svg"), bytes(range(256)) * 3)])
    artefact.write_bytes(artefact.read_bytes()[:200])
    with pytest.raises(DataError, match="must be a whole archive"):
        pack(artefact)
    with pytest.raises(DataError, match=r"must end in \.deb"):
        pack(artefact.rename(tmp_path / "thing.rar"))


def test_a_full_disk_is_one_line_and_retryable(tmp_path, monkeypatch):
    artefact = write_tgz(tmp_path / "thing.tgz", HONEST)

    def write(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", write)
    with pytest.raises(RetryableError, match=r"thing \(thing.tgz\) needs room in .*; the disk is full; free twice"):
        pack(artefact)


def write_zip(path: Path, contents: dict[str, bytes], *, mode: int = stat.S_IFREG) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (mode | 0o644) << 16
            archive.writestr(info, data)
    return path


def test_a_wheel(tmp_path):
    wheel = write_zip(tmp_path / "thing.whl", {"thing/b.csv": b"1", "thing-1.0.dist-info/LICENSE": b"MIT", "x.py": b""})
    assert names(pack(wheel, keep=["*.csv"], strip="")) == ["thing-1.0.dist-info/LICENSE", "thing/b.csv"]


def test_a_wheel_with_a_link_out_or_a_path_out(tmp_path):
    with pytest.raises(DataError, match="a link must stay"):
        pack(write_zip(tmp_path / "a.whl", {"thing/b.csv": b"../../x"}, mode=stat.S_IFLNK), keep=["*.csv"])
    with pytest.raises(DataError, match="relative path"):
        pack(write_zip(tmp_path / "b.whl", {"../b.csv": b"x"}), keep=["*.csv"])


def test_a_debian_package(tmp_path):
    data = tmp_path / "tree/usr/share/thing"
    data.mkdir(parents=True)
    (data / "a.png").write_bytes(b"png")
    (tmp_path / "tree/DEBIAN").mkdir()
    (tmp_path / "tree/DEBIAN/control").write_text(
        "Package: thing\nVersion: 1\nArchitecture: all\nMaintainer: A <a@b.c>\nDescription: x\n"
    )
    deb = tmp_path / "thing.deb"
    subprocess.run(
        ["dpkg-deb", "--build", "--root-owner-group", tmp_path / "tree", deb], check=True, capture_output=True
    )
    assert names(pack(deb, keep=["*.png"], strip="usr/share/thing")) == ["a.png"]
    deb.write_bytes(deb.read_bytes()[:-60])
    with pytest.raises(DataError, match="must be a whole"):
        pack(deb, keep=["*.png"], strip="usr/share/thing")
