"""An artefact repacked: the members that are kept, checked one by one, in a tar whose bytes depend on them alone.

Nothing is unpacked to disk under a name of its own, so nothing can land outside; a member that would is refused.
"""

import errno
import json
import posixpath
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO

from gauntlet.errors import DataError, RetryableError
from stages.raw.members import BROKEN, Entry, entries

LICENCE = re.compile(r"(licen[cs]e|copying|copyright|notice)s?(-\w+)?(\.(txt|md|rst|html))?$", re.IGNORECASE)
BUFFER = 1 << 20


@dataclass(frozen=True)
class Origin:
    """Where the content of a canonical tar comes from; stands in its global header, `tarfile`'s `pax_headers`."""

    source: str
    package: str
    version: str
    sha256: str
    licence: str


@dataclass(frozen=True)
class Report:
    """What a repacking kept and what it left out."""

    kept: int
    seen: int
    links: int
    size: int

    def __str__(self) -> str:
        text = f"kept {self.kept:,} of {self.seen:,} files, {self.size / 1e6:.1f} MB"
        return f"{text}; left out {self.links} links to other members" if self.links else text


def expand(glob: str) -> list[str]:
    """Write out the alternatives of a glob.

    >>> expand("{a,b}/*.png")
    ['a/*.png', 'b/*.png']
    """
    found = re.search(r"\{([^{}]*)\}", glob)
    if not found:
        return [glob]
    head, tail = glob[: found.start()], glob[found.end() :]
    return [whole for word in found.group(1).split(",") for whole in expand(f"{head}{word}{tail}")]


class _Sieve:
    """Decides what is kept, under which name, and refuses what is unsafe."""

    def __init__(self, keep: Sequence[str], *, strip: str, max_bytes: int) -> None:
        self.globs = {glob: expand(glob.removeprefix("!")) for glob in keep}
        self.strip = f"{_safe_name(strip)}/" if strip else ""
        self.max_bytes = max_bytes
        self.matched: set[str] = set()
        self.seen = self.links = self.size = 0

    def name(self, entry: Entry) -> str | None:
        """Return the name under which an entry is kept, or None."""
        name = _safe_name(entry.name)
        if entry.kind == "other":
            raise DataError(
                f"{entry.name}: must be a file, folder or link; it is a device or a pipe; a tampered archive?"
            )
        if entry.kind == "folder" or not name:
            return None
        self.seen += 1
        if entry.size > self.max_bytes:
            raise DataError(f"{entry.name}: must hold at most max_bytes = {self.max_bytes}; got {entry.size}")
        name = name.removeprefix(self.strip)
        matches = [glob for glob, plain in self.globs.items() if any(fnmatchcase(name, one) for one in plain)]
        licence = not matches and LICENCE.match(posixpath.basename(name))
        if any(glob.startswith("!") for glob in matches) or not (matches or licence):
            self.matched.update(matches)
            return None
        if entry.kind == "link":
            _check_link(entry)
            self.links += 1
            return None
        self.matched.update(matches)
        self.size += entry.size
        if self.size > self.max_bytes:
            raise DataError(f"{entry.name}: all kept members must hold at most max_bytes = {self.max_bytes} together")
        return name

    def check_all_matched(self) -> None:
        unmatched = [glob for glob in self.globs if glob not in self.matched]
        if unmatched:
            raise DataError(
                f"each glob of keep must match a file; {', '.join(unmatched)} matched none; "
                f"another layout in this version, or is strip = {self.strip!r} wrong?"
            )


def _safe_name(name: str) -> str:
    """Normalise a member's name, refusing one that would leave the folder."""
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\\" in name or "\0" in name or re.match(r"[A-Za-z]:", name):
        raise DataError(f"{name!r}: must be a relative path without '..'; it leaves the folder; a tampered archive?")
    return "/".join(part for part in parts if part not in ("", "."))


def _check_link(entry: Entry) -> None:
    target = posixpath.normpath(posixpath.join(posixpath.dirname(entry.name), entry.target))
    if entry.target.startswith("/") or target.split("/")[0] == "..":
        raise DataError(
            f"{entry.name}: a link must stay in its folder; it points to {entry.target!r}; a tampered archive?"
        )


def repack(
    artefact: Path,
    archive: Path,
    *,
    form: str,
    keep: Sequence[str],
    strip: str,
    max_bytes: int,
    origin: Origin,
) -> Report:
    """Write a canonical tar of the members of `artefact` that a glob matches, and of its licence files.

    Args:
        artefact: A .deb, .tgz, .tar.*, .whl or .zip.
        archive: The tar to write: sorted names, zeroed times and owners, regular files alone.
        form: A file name that ends as the artefact should, such as "x.deb".
        keep: Globs over the names after `strip`; one that begins with "!" takes out again; each must match.
        strip: Leading path that is taken off each name that starts with it.
        max_bytes: Most that a member, and the kept members together, may hold.
        origin: Goes into the tar's global header.

    Raises:
        DataError: A broken archive, an unsafe member, one too large, a name twice, a glob without a match.
        RetryableError: The disk is full.
    """
    sieve = _Sieve(keep, strip=strip, max_bytes=max_bytes)
    places: dict[str, tuple[int, int]] = {}
    archive.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryFile(dir=archive.parent) as spool:
            _collect(entries(artefact, form=form), spool, sieve=sieve, places=places)
            sieve.check_all_matched()
            _write(archive, spool, places=places, origin=origin)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        text = "the disk is full; free twice what it keeps and run again: it is not loaded anew"
        raise RetryableError(f"{origin.source} ({form}) needs room in {archive.parent}; {text}") from None
    except BROKEN as error:
        text = f"{type(error).__name__}: {error}; a broken download?"
        raise DataError(f"{origin.source} ({form}): must be a whole archive; {text}") from None
    except DataError as error:
        raise DataError(f"{origin.source} ({form}): {error}") from None
    return Report(kept=len(places), seen=sieve.seen, links=sieve.links, size=sieve.size)


def _collect(found: Iterable[Entry], spool: BinaryIO, *, sieve: _Sieve, places: dict[str, tuple[int, int]]) -> None:
    """Copy what is kept to the spool, in the archive's order, and note where each member begins."""
    for entry in found:
        name = sieve.name(entry)
        if name is None:
            continue
        if name in places:
            raise DataError(f"{entry.name}: each name must stand once; this one stands twice; a tampered archive?")
        places[name] = (spool.tell(), entry.size)
        with entry.open() as stream:
            shutil.copyfileobj(stream, spool, BUFFER)
        if spool.tell() != sum(places[name]):
            raise DataError(f"{entry.name}: must hold {entry.size} bytes; the archive ends before; a broken download?")


def _write(archive: Path, spool: BinaryIO, *, places: dict[str, tuple[int, int]], origin: Origin) -> None:
    headers = {"comment": json.dumps(asdict(origin), sort_keys=True)}
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT, pax_headers=headers, copybufsize=BUFFER) as tar:
        for name in sorted(places):
            start, size = places[name]
            member = tarfile.TarInfo(name)
            member.size, member.mode = size, 0o644
            spool.seek(start)
            tar.addfile(member, spool)
