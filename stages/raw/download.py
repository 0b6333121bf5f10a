"""One file over HTTP onto a `.part` file: resumed, retried with growing pauses, refused on a wrong hash."""

import errno
import hashlib
import random
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

import requests
import urllib3

from gauntlet.errors import DataError, RetryableError, UnavailableError
from stages.progress import track

MEBIBYTE = 1 << 20
ATTEMPTS = 4
"""Failures in a row, without a byte gained, until the registry counts as away."""
PATIENCE_S = 12.0
"""Seconds without a byte gained after which no attempt is made: a dead name server alone takes ten each time."""
PAUSE_S = 1.0
"""Pause after the first failure; it doubles with each further one."""
TIMEOUT_S = (5.0, 30.0)
"""Most seconds to connect, and to wait for the next bytes."""
TRANSIENT = {408, 425, 429, 500, 502, 503, 504}


class _Lost(Exception):
    """The connection or the server failed in a way that may pass."""


def download(url: str, part: Path, *, sha256: str, max_bytes: int, what: str) -> None:
    """Bring `part` to the whole file behind `url`, going on from what it already holds.

    Args:
        url: http, https or file.
        part: Kept when the download fails, so that the next run goes on; deleted on a wrong hash.
        sha256: What the whole file must hash to.
        max_bytes: Most bytes that it may have.
        what: Its name in messages and progress lines.

    Raises:
        DataError: The file has another hash or is too large.
        UnavailableError: Nothing answers, or the server refuses.
        RetryableError: The disk is full.
    """
    part.parent.mkdir(parents=True, exist_ok=True)
    resumed = _size(part) > 0
    if resumed and _sha256(part) == sha256:
        return
    _persist(url, part, max_bytes=max_bytes, what=what)
    got = _sha256(part)
    if got != sha256 and resumed:
        print(f"{what}: the rest of an earlier run does not fit; starting over", file=sys.stderr, flush=True)
        part.unlink()
        _persist(url, part, max_bytes=max_bytes, what=what)
        got = _sha256(part)
    if got != sha256:
        part.unlink()
        raise DataError(
            f"{what} must have sha256 {sha256}; got {got} from {_plain(url)}; "
            "another version in params.yaml, or a tampered mirror?"
        )


def _persist(url: str, part: Path, *, max_bytes: int, what: str) -> None:
    """Try until the file is whole; an attempt that gained bytes does not count as failed."""
    failures, gained = 0, time.monotonic()
    while True:
        before = _size(part)
        try:
            return _continue(url, part, max_bytes=max_bytes, what=what)
        except _Lost as error:
            failures += 1
            if _size(part) > before:
                failures, gained = 1, time.monotonic()
            if failures >= ATTEMPTS or time.monotonic() - gained > PATIENCE_S:
                raise UnavailableError(
                    f"{what} must come from {_plain(url)}; {error}, {failures} times in a row; is the network away? "
                    "The next run goes on where this one stopped"
                ) from None
            pause = PAUSE_S * 2 ** (failures - 1) * random.uniform(1.0, 1.3)
            print(f"{what}: {error}; again in {pause:.1f} s", file=sys.stderr, flush=True)
            time.sleep(pause)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise RetryableError(
                f"{what} needs room in {part.parent}; the disk is full after {_size(part) / 1e6:.0f} MB; "
                "free some space and run again: it goes on where it stopped"
            ) from None


def _continue(url: str, part: Path, *, max_bytes: int, what: str) -> None:
    if urlsplit(url).scheme == "file":
        shutil.copyfile(unquote(urlsplit(url).path), part)
        return
    have = _size(part)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
            if response.status_code == 416:
                return
            _check_status(response, what=what)
            start = _start(response, have=have)
            length = int(response.headers.get("Content-Length", 0))
            _check_size(start + length, max_bytes=max_bytes, what=what)
            with part.open("ab" if start else "wb") as file:
                pour = _pour(response, file, start=start, max_bytes=max_bytes, what=what)
                for _ in track(pour, what=f"{what}, MiB", total=length // MEBIBYTE or None):
                    pass
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _Lost(_cause(error)) from None


def _pour(response: requests.Response, file: BinaryIO, *, start: int, max_bytes: int, what: str) -> Iterator[None]:
    """Write the body in small pieces, so that little is lost with the connection; yield once a mebibyte."""
    size = reported = start
    for piece in response.raw.stream(1 << 16, decode_content=False):
        file.write(piece)
        size += len(piece)
        _check_size(size, max_bytes=max_bytes, what=what)
        while size - reported >= MEBIBYTE:
            reported += MEBIBYTE
            yield


def _start(response: requests.Response, *, have: int) -> int:
    """Tell where the answer begins: at `have` if the server took the range, else at 0."""
    return have if response.headers.get("Content-Range", "").startswith(f"bytes {have}-") else 0


def _check_status(response: requests.Response, *, what: str) -> None:
    status = response.status_code
    if status in TRANSIENT:
        raise _Lost(f"the server answered {status}")
    if status not in (200, 206):
        raise UnavailableError(
            f"{what} must come from {_plain(response.url)}; the server answered {status} {response.reason}; "
            "was the version withdrawn, or does the mirror want a login?"
        )


def _check_size(size: int, *, max_bytes: int, what: str) -> None:
    if size > max_bytes:
        raise DataError(f"{what} must hold at most max_bytes = {max_bytes}; got {size} or more; another package?")


def _cause(error: BaseException) -> str:
    """Say what was lost in a few words, without the address again."""
    if isinstance(error, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError):
        return "no answer in time"
    text = str(error)
    for sign, words in {
        "resolve": "its host name cannot be resolved",
        "refused": "the connection was refused",
        "unreachable": "the network is unreachable",
        "certificate": "its certificate is not trusted",
    }.items():
        if sign in text.lower():
            return words
    return f"the connection was lost ({type(error).__name__})"


def _plain(url: str) -> str:
    """Drop login and query from an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
