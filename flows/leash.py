"""Run `dvc` commands in process sessions that can be ended whole, through the forks of `flows/forks.py`."""

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

GRACE_S = 10.0
POLL_S = 0.2
STOP = threading.Event()  # set when the flow is being ended: every command in hand ends itself


class Stopped(BaseException):
    """The run was asked to stop while a command was in hand; not an Exception, so that nothing retries it."""


class TimedOut(Exception):
    """A command ran past its limit and was ended."""


class Ended(NamedTuple):
    """What a command left: its exit code (negative: the signal that ended it) and its lines."""

    exit_code: int
    lines: tuple[str, ...]


def environment() -> dict[str, str]:
    """Return this process's environment with the interpreter's own folder first on PATH and DVC kept quiet."""
    binaries = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", os.defpath)
    return os.environ | {
        "PATH": path if path.split(os.pathsep)[0] == binaries else binaries + os.pathsep + path,
        "PYTHONUNBUFFERED": "1",
        "DVC_NO_ANALYTICS": "1",
    }


class Command:
    """One running `dvc` command: its process group, the pipe of its lines and the socket of its exit code."""

    def __init__(self, reply: socket.socket, out: int) -> None:
        """Wait for the process group's id on `reply`; `out` is the reading end of the pipe of its lines."""
        self._reply, self._out = reply, out
        self._words = self._read_words()
        self.pid = next(self._words)
        self.exit_code: int | None = None

    def _read_words(self) -> Iterator[int]:
        with self._reply.makefile("r") as words:
            for word in words:
                yield int(word)

    def lines(self, timeout_s: float | None) -> Iterator[str]:
        """Yield the command's lines as they come, until it ends.

        Raises:
            TimedOut: It ran longer than `timeout_s` (polled, so it fires on a silent command too).
            Stopped: `STOP` was set.
        """
        limit = time.monotonic() + timeout_s if timeout_s else float("inf")
        rest, streams = b"", [self._out, self._reply]
        while self.exit_code is None:
            ready, _, _ = select.select(streams, [], [], POLL_S)
            if self._out in ready:
                block = os.read(self._out, 1 << 16)
                if not block:
                    streams.remove(self._out)
                *whole, rest = (rest + block).replace(b"\r", b"\n").split(b"\n")
                yield from (line.decode(errors="replace") for line in whole if line.strip())
            elif self._reply in ready:  # only when the pipe has run dry, so that no line is lost
                self.exit_code = next(self._words, -signal.SIGKILL)
            if STOP.is_set():
                raise Stopped
            if time.monotonic() > limit:
                raise TimedOut
        if rest.strip():
            yield rest.decode(errors="replace")

    def end(self) -> None:
        """End the whole process group: TERM, ten seconds, KILL; and wait until the leader is gone."""
        for number, grace_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, None)):
            if self.exit_code is not None:
                break
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)
            if select.select([self._reply], [], [], grace_s)[0]:
                self.exit_code = next(self._words, -number)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Close the pipe and the socket."""
        os.close(self._out)
        self._words.close()
        self._reply.close()


class Leash:
    """The one process that has DVC loaded, started on the first command and again if it was killed."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._lock = threading.Lock()
        self._process: subprocess.Popen | None = None
        self._control: socket.socket | None = None

    def _ensure(self) -> socket.socket:
        if self._process is None or self._process.poll() is not None or self._control is None:
            self.close()
            self._control, theirs = socket.socketpair()
            script = str(Path(__file__).with_name("forks.py"))
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", script], stdin=theirs, start_new_session=True, env=environment()
                )
        return self._control

    def start(self, argv: Sequence[str], *, root: Path, env: Mapping[str, str]) -> Command:
        """Start `dvc ARGV` in `root` with `env` added to the environment."""
        request = json.dumps({"argv": list(argv), "cwd": str(root), "env": dict(env)}).encode()
        ours, theirs = socket.socketpair()
        reader, writer = os.pipe()
        with self._lock:
            control = self._ensure()
            socket.send_fds(control, [request], [theirs.fileno(), writer])
            theirs.close()
            os.close(writer)
            return Command(ours, reader)

    def warm(self) -> None:
        """Start loading DVC now, beside whatever the caller does next."""
        with self._lock:
            self._ensure()

    def close(self) -> None:
        """Hang up: the forking process ends every group still at work, then itself."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE_S + 5)
            self._process = None


LEASH = Leash()
atexit.register(LEASH.close)


def dvc(
    argv: Sequence[str],
    *,
    root: Path,
    env: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
    on_start: Callable[[int], None] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> Ended:
    """Run one `dvc` command to its end, always with `--wait-for-lock`.

    Args:
        argv: The words after `dvc`.
        root: The folder to run in.
        env: Variables added to this process's environment.
        timeout_s: Seconds until the whole process group is ended; None waits for ever.
        on_start: Called with the process group's id.
        on_line: Called with each line as it comes.

    Raises:
        TimedOut: The limit passed; the group is gone.
        Stopped: The run is being ended; the group is gone.
    """
    command = LEASH.start(["--wait-for-lock", *argv], root=root, env=env or {})
    kept: list[str] = []
    try:
        if on_start:
            on_start(command.pid)
        for line in command.lines(timeout_s):
            kept.append(line)
            if on_line:
                on_line(line)
    finally:
        command.end()
        command.close()
    return Ended(command.exit_code, tuple(kept))
