"""Outputs appear whole or not at all, and one process at a time writes them."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from gauntlet.errors import RetryableError

LOCK_WAIT_S = 5.0
"""How long a writer waits for the one before it: a killed stage needs a moment to clean up."""


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _beside(final: Path, word: str) -> Path:
    return final.with_name(f".{final.stem}.{word}{final.suffix}")


@contextmanager
def _only_writer(path: Path) -> Iterator[None]:
    """Hold the lock of one output; the kernel drops it with the process, so a killed run leaves none behind."""
    folder = Path(".checkpoints/locks")
    folder.mkdir(parents=True, exist_ok=True)
    place = hashlib.sha256(os.path.abspath(path).encode()).hexdigest()[:16]
    with (folder / f"{place}-{path.name}").open("w") as lock:
        if not _acquire(lock):
            raise RetryableError(
                f"{path} must have one writer; another is writing it now; two runs in one folder? wait for the first"
            )
        yield


def _acquire(lock: TextIO) -> bool:
    limit = time.monotonic() + LOCK_WAIT_S
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if time.monotonic() >= limit:
            return False
        time.sleep(0.05)


def _mend(final: Path) -> None:
    """Clear what an unfinished run has left beside an output; bring back what it had put aside."""
    _remove(_beside(final, "partial"))
    aside = _beside(final, "aside")
    if os.path.lexists(aside) and not os.path.lexists(final):
        os.replace(aside, final)
    _remove(aside)


def _swap(partial: Path, final: Path) -> None:
    """Put `partial` in the place of `final`, which stays whole at every moment."""
    if partial.is_dir() or final.is_dir():
        aside = _beside(final, "aside")
        if os.path.lexists(final):
            os.replace(final, aside)
        os.replace(partial, final)
        _remove(aside)
    else:
        os.replace(partial, final)


@contextmanager
def whole(finals: Mapping[str, Path]) -> Iterator[dict[str, Path]]:
    """Hand out a temporary place beside each output and move them all when the block ends well.

    Args:
        finals: Output paths by name; their parent folders are made.

    Yields:
        Temporary paths by name, on the same file system, with nothing there yet.

    Raises:
        RetryableError: Another process is writing one of the outputs.
        RuntimeError: The block ended without having written one of them; none is moved.
    """
    with ExitStack() as stack:
        for final in finals.values():
            final.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_only_writer(final))
            _mend(final)
        partial = {name: _beside(final, "partial") for name, final in finals.items()}
        try:
            yield partial
            if lost := [finals[name] for name, path in partial.items() if not path.exists()]:
                raise RuntimeError(f"the stage must write all its outputs; {lost[0]} was not written")
            for name, final in finals.items():
                _swap(partial[name], final)
        finally:
            for final in finals.values():
                with contextlib.suppress(OSError):
                    _mend(final)
