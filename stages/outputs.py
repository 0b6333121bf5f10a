"""Outputs appear whole or not at all, and one process at a time writes them."""

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gauntlet.errors import RetryableError


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _only_writer(path: Path) -> Iterator[None]:
    """Hold the lock of one output; the kernel drops it with the process, so a killed run leaves none behind."""
    folder = Path(".checkpoints/locks")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / path.as_posix().replace("/", "__")).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RetryableError(
                f"{path} must have one writer; another is writing it now; two runs in one folder? wait for the first"
            ) from None
        yield


@contextmanager
def whole(finals: Mapping[str, Path]) -> Iterator[dict[str, Path]]:
    """Hand out a temporary place beside each output and move them all when the block ends well.

    Args:
        finals: Output paths by name; their parent folders are made.

    Yields:
        Temporary paths by name, on the same file system, with nothing there yet.

    Raises:
        RetryableError: Another process is writing one of the outputs.
    """
    with ExitStack() as stack:
        partial = {}
        for name, final in finals.items():
            final.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_only_writer(final))
            partial[name] = final.with_name(f".{final.stem}.partial{final.suffix}")
            _remove(partial[name])
        try:
            yield partial
            for name, final in finals.items():
                _remove(final)
                os.replace(partial[name], final)
        finally:
            for path in partial.values():
                _remove(path)
