"""How a stage ends before its time: on SIGTERM it unwinds, and with the dvc that started it it ends too.

A killed `dvc repro` must leave no writer behind. Linux signals a child when its parent ends, but dvc starts a stage
through a shell, and dash stays in between; then a thread watches the process that started the shell.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType

PR_SET_PDEATHSIG = 1
GRACE_S = 3
"""Seconds that a stage has to clean up after SIGTERM."""

LAUNCHERS = {"sh", "dash", "bash", "zsh", "ksh", "fish", "csh", "tcsh", "busybox", "env", "uv", "nice", "time"}
"""Programs that pass a command on and would outlive the one that called them."""


def unwind_on_sigterm() -> None:
    """Turn the first SIGTERM into SystemExit, so that partial outputs are removed; the kernel ends what then hangs."""
    signal.signal(signal.SIGTERM, _unwind)


def _unwind(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(GRACE_S)
    os.write(2, b"ended by SIGTERM; earlier outputs stay as they were\n")
    sys.exit(128 + number)


def tie_to_parent(number: int) -> None:
    """Have Linux send this process the signal `number` when its parent ends; leave at once if it has ended."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:
            os._exit(75)


def end_with_dvc() -> None:
    """End this stage when the dvc that runs it ends, even by SIGKILL and with a shell in between."""
    if "DVC_STAGE" not in os.environ or sys.platform != "linux":
        return
    tie_to_parent(signal.SIGTERM)
    runner = _runner()
    if runner == 1 and not _name(1).startswith(("dvc", "python")):
        sys.exit(75)
    if runner != os.getppid():
        with contextlib.suppress(ProcessLookupError):
            threading.Thread(target=_watch, args=(os.pidfd_open(runner),), daemon=True).start()
            return
        sys.exit(75)


def _runner() -> int:
    """Return the nearest ancestor that is no launcher: dvc."""
    pid = os.getppid()
    while pid > 1 and _name(pid) in LAUNCHERS:
        pid = int(_status(pid).rpartition(")")[2].split()[1])
    return pid


def _name(pid: int) -> str:
    return _status(pid).partition("(")[2].rpartition(")")[0]


def _status(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return f"{pid} () X 1"


def _watch(runner: int) -> None:
    select.select([runner], [], [])
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os.kill(os.getpid(), signal.SIGKILL)
