"""Load DVC once and fork it for each command; run by `flows.leash` as a script, never imported by a flow.

A fresh `dvc` process spends about a second on imports; a fork of this one spends less than a tenth. It is
also the leash itself: each command is the leader of its own session, and when the flow goes away, however
it goes (the control socket closes even after SIGKILL), every process group still at work is ended.
"""

import contextlib
import ctypes
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PRELOAD = (
    "dvc.cli.parser dvc.commands.repro dvc.commands.experiments.run dvc.repo dvc.repo.reproduce dvc.repo.status "
    "dvc.repo.checkout dvc.repo.experiments dvc.repo.params dvc.repo.metrics dvc.repo.index dvc.repo.graph dvc.stage "
    "dvc.stage.cache dvc.rwlock dvc.lock dvc.cachemgr dvc.data_cloud dvc.scm dvc.utils.strictyaml dvc.analytics "
    "dvc_data.hashfile.db.local dvc_data.index sqltrie diskcache networkx dulwich scmrepo.git psutil ruamel.yaml"
)
GRACE_S = 10.0
PR_SET_PDEATHSIG = 1


def _die_with_parent(parent: int) -> None:
    """Ask Linux for SIGKILL when the parent ends; elsewhere the control socket alone has to do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _child(request: dict, *, reply: socket.socket, out: int, parent: int) -> None:
    """Run one `dvc` command in this fork and leave with its exit code."""
    code = 70
    try:
        os.setsid()
        reply.sendall(f"{os.getpid()}\n".encode())  # not before: now the whole group can be ended
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _die_with_parent(parent)
        quiet = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((quiet, 0), (out, 1), (out, 2)):
            os.dup2(source, target)
        os.closerange(3, 256)
        sys.stdout.reconfigure(line_buffering=True)
        os.environ.update(request["env"])
        os.chdir(request["cwd"])
        sys.argv = ["dvc", *request["argv"]]  # the name under which DVC's lock files know this process
        from dvc.cli import main as dvc

        code = dvc(request["argv"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code & 0xFF)


def _signal(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _reap() -> Iterator[tuple[int, int]]:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, os.waitstatus_to_exitcode(status)


def _end_all(groups: set[int]) -> None:
    """TERM, a moment, KILL: nothing that this process started may outlive it."""
    for group in groups:
        _signal(group, signal.SIGTERM)
    end = time.monotonic() + GRACE_S
    while groups and time.monotonic() < end:
        list(_reap())
        groups = {group for group in groups if _signal(group, 0)}
        time.sleep(0.05)
    for group in groups:
        _signal(group, signal.SIGKILL)


def _start(control: socket.socket, running: dict[int, socket.socket]) -> bool:
    """Fork for one request; False when the flow has hung up."""
    text, handles, _, _ = socket.recv_fds(control, 1 << 20, 2)
    if not text:
        return False
    reply, out = socket.socket(fileno=handles[0]), handles[1]
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _child(json.loads(text), reply=reply, out=out, parent=parent)
    os.close(out)
    running[pid] = reply
    return True


def main() -> None:
    """Serve the control socket on standard input until it closes or SIGTERM comes."""
    control = socket.socket(fileno=os.dup(0))
    for module in PRELOAD.split():
        with contextlib.suppress(ImportError):  # a module that moved is only loaded later
            importlib.import_module(module)
    wake, woken = os.pipe()
    for end in (wake, woken):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: None)
    running: dict[int, socket.socket] = {}
    listening = True
    while listening:
        ready, _, _ = select.select([control, wake], [], [])
        if wake in ready:
            listening = signal.SIGTERM not in os.read(wake, 4096)
            for pid, code in _reap():
                _signal(pid, signal.SIGKILL)  # what the leader left behind would be a second writer
                with contextlib.suppress(OSError), running.pop(pid) as reply:
                    reply.sendall(f"{code}\n".encode())
        if control in ready and listening:
            listening = _start(control, running)
    _end_all(set(running))


if __name__ == "__main__":
    sys.path[:] = [entry for entry in sys.path if entry != str(Path(__file__).parent)]
    main()
