"""Members of a canonical tar, as the raw stages write them: regular files in the order of their names."""

import json
import tarfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from gauntlet.errors import DataError


class Member(NamedTuple):
    """One file of an archive: its name inside, and its bytes."""

    name: str
    data: bytes


class Origin(NamedTuple):
    """Where an archive's content comes from: package, version and hash of the artefact, licence of the content."""

    source: str
    package: str
    version: str
    sha256: str
    licence: str


def members(path: Path, pattern: str = "*") -> Iterator[Member]:
    """Read the members of a tar whose names match a glob.

    Args:
        path: An uncompressed tar.
        pattern: Glob over the whole name, case and all; `*` also crosses `/`.

    Yields:
        Name and bytes, in the archive's order.

    Raises:
        DataError: The file is no tar, or it ends too soon; names the file and the member.
    """
    last = "the first member"
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            for info in tar:
                last = info.name
                if info.isreg() and fnmatchcase(info.name, pattern):
                    yield Member(info.name, _content(tar, info))
            file.seek(tar.offset)
            if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError("the closing block is missing")
    except tarfile.TarError as error:
        raise DataError(
            f"{path}, at {last}: must be a whole tar; {error}; truncated? `dvc repro` or `dvc pull` brings it again"
        ) from None


def origin(path: Path) -> Origin:
    """Read where the content of a canonical tar comes from.

    Raises:
        DataError: The tar carries no such note.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            return Origin(**json.loads(tar.pax_headers["comment"]))
    except (tarfile.TarError, KeyError, ValueError, TypeError):
        raise DataError(
            f"{path}: must be a tar with its origin in the global header; it has none; written by another program?"
        ) from None


def _content(tar: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    data = tar.extractfile(info).read()
    if len(data) != info.size:
        raise tarfile.ReadError(f"{info.size} bytes announced, {len(data)} there")
    return data
