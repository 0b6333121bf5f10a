"""One artefact of a package registry: its parameters, and the way from its URL to a canonical tar."""

import sys
from pathlib import Path, PurePosixPath
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import Field

from stages import Out
from stages import Params as StageParams
from stages.raw.archive import Origin, repack
from stages.raw.download import download

PARTS = Path(".checkpoints/raw")
"""Where unfinished downloads wait for the next run."""

Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9@][A-Za-z0-9@/._:+~-]*$")]


class Artefact(StageParams):
    """What to fetch and what to keep of it.

    Attributes:
        package: Name in the registry.
        version: Exact version.
        sha256: Of the artefact as it is published, 64 lower-case hex digits.
        keep: Globs over the names that are left after `strip`; `*` also crosses `/`, `{a,b}` means either, a
            leading `!` takes out again what others keep. Each must match. Licence files are kept besides.
        strip: Leading path that is taken off each name that starts with it.
        licence: Of the content, as SPDX writes it where it can.
        max_bytes: Most that the artefact, any member, and all kept members together may hold.
    """

    package: Word
    version: Word
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    keep: Annotated[list[str], Field(min_length=1)]
    strip: str
    licence: Annotated[str, Field(min_length=1)]
    max_bytes: Annotated[int, Field(gt=0)]


def fetch(params: Artefact, url: str, *, source: str, archive: Out) -> None:
    """Download an artefact, check it, and write what is kept of it as a canonical tar.

    Raises:
        DataError: Wrong hash, or an archive that is broken or unsafe.
        UnavailableError: The registry cannot be reached.
        RetryableError: The disk is full.
    """
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    part = PARTS / f"{source}-{params.sha256[:16]}.part"
    what = f"{source} ({name})"
    download(url, part, sha256=params.sha256, max_bytes=params.max_bytes, what=what)
    origin = Origin(
        source=source,
        package=params.package,
        version=params.version,
        sha256=params.sha256,
        licence=params.licence,
    )
    report = repack(
        part,
        archive,
        form=name,
        keep=params.keep,
        strip=params.strip,
        max_bytes=params.max_bytes,
        origin=origin,
    )
    part.unlink()
    print(f"{what}: {report}", file=sys.stderr, flush=True)
