"""Start one Prefect server on loopback in the background, or find the one that already runs.

    python -m flows.server [start|stop|status]

Its home is `.prefect/` in the repository: database, log, and `server.json` with its address. Nobody waits
for an ephemeral server, and nothing is told to anyone outside (telemetry off).
"""

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

import psutil

START_S = 180.0
_STARTED: list[subprocess.Popen] = []  # kept, so that Python does not complain of children it has lost


class Server(NamedTuple):
    """A server of this repository: process id, when that process began, and its address."""

    pid: int
    since: float
    url: str

    @property
    def api(self) -> str:
        """The address of its API, as PREFECT_API_URL wants it."""
        return f"{self.url}/api"


class ServerError(RuntimeError):
    """The server did not come up."""


def configure(root: Path) -> None:
    """Set Prefect's environment; before the first import of prefect. What the user has set stays.

    Args:
        root: The repository; Prefect's home becomes its `.prefect/`.
    """
    settings = {
        "PREFECT_HOME": str(root / ".prefect"),
        "PREFECT_CLI_PROMPT": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_TASKS_DEFAULT_NO_CACHE": "true",
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
        "DO_NOT_TRACK": "1",
        "DVC_NO_ANALYTICS": "1",
    }
    for name, value in settings.items():
        os.environ.setdefault(name, value)
    (root / ".prefect").mkdir(exist_ok=True)


def running(root: Path) -> Server | None:
    """Return this repository's server if its process lives and its health check answers."""
    try:
        server = Server(**json.loads(_note(root).read_text()))
        alive = psutil.Process(server.pid).create_time() == server.since
    except (FileNotFoundError, ValueError, TypeError, psutil.Error):
        return None
    return server if alive and _healthy(server.url) else None


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def ensure(root: Path, *, port: int | None = None) -> Server:
    """Return the running server, after starting one where there is none.

    Args:
        root: The repository.
        port: Where to start it; none means a free port.

    Raises:
        ServerError: It ended, or did not answer within three minutes; the message names its log.
    """
    configure(root)
    with (root / ".prefect" / "start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs that begin together start one server
        return running(root) or _start(root, port or free_port())


def _start(root: Path, port: int) -> Server:
    stop(root)
    log = root / ".prefect" / "server.log"
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    told = {"PREFECT_SERVER_LOGGING_LEVEL": "WARNING", "PREFECT_SERVER_UI_API_URL": f"{url}/api"}
    with log.open("w") as lines:
        process = subprocess.Popen(
            command,
            cwd=root,
            env=os.environ | told,
            stdin=subprocess.DEVNULL,
            stdout=lines,
            stderr=lines,
            start_new_session=True,
        )
    _STARTED.append(process)
    server = Server(process.pid, psutil.Process(process.pid).create_time(), url)
    _note(root).write_text(json.dumps(server._asdict()))
    end = time.monotonic() + START_S
    try:
        while not _healthy(server.url):
            if process.poll() is not None or time.monotonic() > end:
                state = "ended" if process.poll() is not None else f"did not answer within {START_S:g} s"
                raise ServerError(f"the Prefect server must answer on {server.url}; it {state}; see {log}")
            time.sleep(0.2)
    except BaseException:
        stop(root)
        raise
    return server


def stop(root: Path, *, grace_s: float = 10.0) -> bool:
    """End this repository's server, by force after `grace_s`; False where none ran."""
    try:
        server = Server(**json.loads(_note(root).read_text()))
        process = psutil.Process(server.pid)
        if process.create_time() != server.since:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(grace_s)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
    except (FileNotFoundError, ValueError, TypeError, psutil.Error):
        return False
    finally:
        for child in _STARTED:
            child.poll()
        _note(root).unlink(missing_ok=True)
    return True


def _note(root: Path) -> Path:
    return root / ".prefect" / "server.json"


def _healthy(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback never goes through a proxy
    try:
        with opener.open(f"{url}/api/health", timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError, ValueError):
        return False


def main(argv: list[str]) -> int:
    """Start, stop or look for the server of the repository in the working folder."""
    root = Path.cwd()
    verb = argv[0] if argv else "status"
    if verb == "start":
        print(ensure(root).url)
    elif verb == "stop":
        print("stopped" if stop(root) else "no server was running")
    elif verb == "status":
        found = running(root)
        print(found.url if found else "no server is running")
    else:
        print(f"the word must be start, stop or status; got {verb!r}", file=sys.stderr)
        return 78
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
