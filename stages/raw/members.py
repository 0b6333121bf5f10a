"""The members of a package artefact in the archive's own order: Debian package, tarball, wheel or zip."""

import lzma
import stat
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from gauntlet.errors import DataError, UnavailableError

BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)
"""What a broken archive raises, here or while a member is read."""


class Entry(NamedTuple):
    """One member; `open` gives its content and is valid until the next member is asked for."""

    name: str
    kind: str
    target: str
    size: int
    open: Callable[[], BinaryIO]


def entries(artefact: Path, *, form: str) -> Iterator[Entry]:
    """Read an artefact from front to end.

    Args:
        artefact: The file, whatever its name.
        form: A file name that ends as the artefact should, such as "x.deb": one of `READERS`.

    Yields:
        Every member, with kind "file", "link", "folder" or "other".

    Raises:
        DataError: The archive is encrypted or of no known form.
        BROKEN: It is broken; reading a member may raise the same.
        UnavailableError: A Debian package, and dpkg-deb is missing.
    """
    reader = next((reader for ending, reader in READERS.items() if form.lower().endswith(ending)), None)
    if reader is None:
        raise DataError(f"must end in {', '.join(READERS)}; got {form}; another kind of package?")
    yield from reader(artefact)


def _debian(artefact: Path) -> Iterator[Entry]:
    command = ["dpkg-deb", "--fsys-tarfile", str(artefact)]
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except FileNotFoundError:
        raise UnavailableError("dpkg-deb must be on this machine to open a Debian package; is this Debian?") from None
    with process:
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|", bufsize=1 << 14) as tar:
                yield from _tar_entries(tar)
            while process.stdout.read(1 << 20):
                pass
        except BaseException:
            process.kill()
            raise
        if process.wait():
            reason = " ".join(process.stderr.read().decode(errors="replace").split())
            raise DataError(f"must be a whole Debian package; {reason}; a broken download?")


def _tarball(artefact: Path) -> Iterator[Entry]:
    with tarfile.open(artefact, "r:*") as tar:
        yield from _tar_entries(tar)


def _tar_entries(tar: tarfile.TarFile) -> Iterator[Entry]:
    for member in tar:
        links = member.issym() or member.islnk()
        kind = "file" if member.isreg() else "folder" if member.isdir() else "link" if links else "other"
        yield Entry(member.name, kind, member.linkname, member.size, lambda member=member: tar.extractfile(member))


def _zip(artefact: Path) -> Iterator[Entry]:
    with zipfile.ZipFile(artefact) as archive:
        for member in archive.infolist():
            if member.flag_bits & 1:
                raise DataError(f"{member.filename}: must not be encrypted; another kind of package?")
            kind = "folder" if member.is_dir() else _zip_kind(member.external_attr >> 16)
            target = archive.read(member).decode(errors="replace") if kind == "link" else ""
            yield Entry(member.filename, kind, target, member.file_size, lambda member=member: archive.open(member))


def _zip_kind(mode: int) -> str:
    """Read the Unix mode that a zip may carry; 0 where it carries none."""
    form = stat.S_IFMT(mode)
    return "file" if form in (0, stat.S_IFREG) else "link" if form == stat.S_IFLNK else "other"


READERS = {
    ".deb": _debian,
    ".tgz": _tarball,
    ".tar.gz": _tarball,
    ".tar.xz": _tarball,
    ".tar.bz2": _tarball,
    ".tar": _tarball,
    ".whl": _zip,
    ".zip": _zip,
}
