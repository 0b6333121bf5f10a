"""Take note of folders that the user already has: how many files, how large, and a digest of the content.

The folders stay where they are. A stage that can read one depends on `folders.json`, so a changed digest makes it
run again. DVC does not look into the folders: after changing one, `dvc repro --force raw-folder`.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from gauntlet.errors import DataError
from stages import Out
from stages import Params as StageParams
from stages.files import write_json
from stages.progress import track


class Folder(StageParams):
    """One folder of the user's.

    Attributes:
        path: Absolute, from the home folder (~), or from the project's root.
        hash: "content" reads every byte; "size" trusts names and sizes, for folders of many gigabytes.
    """

    path: str
    hash: Literal["content", "size"]


class Params(StageParams):
    """The folders by the name under which other stages ask for them."""

    folders: dict[str, Folder]


def run(params: Params, *, folders: Out) -> None:
    """Write path, file count, bytes and digest of each folder."""
    write_json(folders, {name: describe(name, folder) for name, folder in params.folders.items()})


def describe(name: str, folder: Folder) -> dict[str, object]:
    """Measure one folder.

    Returns:
        path, files, bytes and digest; the digest does not depend on the order in which the disk lists the files.

    Raises:
        DataError: The folder is missing, empty or cannot be read.
    """
    path = Path(folder.path).expanduser()
    place = f"params.yaml, raw.folder.folders.{name}.path {folder.path}"
    if not path.is_dir():
        slip = "it is a file" if path.exists() else "nothing is there"
        raise DataError(f"{place}: must be a folder; {slip}; misspelt, or is its disk not mounted?")
    try:
        files = sorted(_files(path), key=os.fsencode)
        size, digest = _digest(path, files, content=folder.hash == "content", what=f"files of {name}")
    except OSError as error:
        raise DataError(f"{place}: every file must be readable; {error.filename}: {error.strerror}") from None
    if not files:
        raise DataError(f"{place}: must hold files; it is empty; is its disk not mounted?")
    return {"path": str(path), "files": len(files), "bytes": size, "digest": digest}


def _files(path: Path) -> Iterator[str]:
    """List the files below a folder as relative paths, through links, into no folder twice."""
    seen = set()
    for here, folders, names in os.walk(path, followlinks=True, onerror=_raise):
        seen.add(os.path.realpath(here))
        folders[:] = [name for name in sorted(folders) if os.path.realpath(os.path.join(here, name)) not in seen]
        for name in names:
            yield Path(here, name).relative_to(path).as_posix()


def _raise(error: OSError) -> None:
    raise error


def _digest(path: Path, files: list[str], *, content: bool, what: str) -> tuple[int, str]:
    digest, total = hashlib.sha256(), 0
    for name in track(files, what=what):
        size = (path / name).stat().st_size
        total += size
        digest.update(os.fsencode(name) + b"\0" + str(size).encode() + b"\0")
        if content:
            with (path / name).open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return total, digest.hexdigest()
