"""A toy DVC project without git, so that the flows are tested without the real pipeline."""

import atexit
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.leash import dvc
from flows.server import ensure, free_port, stop

# Before anything imports prefect: these tests leave no trace in the repository or the user's home.
HOME = tempfile.mkdtemp(prefix="gauntlet-flows-")
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
PORT = free_port()
os.environ |= {
    "PREFECT_HOME": f"{HOME}/.prefect",
    "PREFECT_API_URL": f"http://127.0.0.1:{PORT}/api",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "DVC_SITE_CACHE_DIR": f"{HOME}/dvc",
    "GAUNTLET_CHECKED": "1",
}

WORK = """
import os, pathlib, sys, time
out, *words = sys.argv[1:]
for word in words:
    verb, _, value = word.partition("=")
    if verb == "pid":
        pathlib.Path(value).write_text(str(os.getpid()))
    elif verb == "say":
        print(value, flush=True)
    elif verb == "sleep":
        time.sleep(float(value))
    elif verb == "once":  # leave with this code the first time only
        mark = pathlib.Path(out + ".tried")
        if not mark.exists():
            mark.touch()
            sys.exit(int(value))
    elif verb == "if":  # leave with 65 if the file exists
        if pathlib.Path(value).exists():
            sys.exit(65)
    elif verb == "exit":
        sys.exit(int(value))
    elif verb == "kill":
        os.kill(os.getpid(), int(value))
    elif verb == "read":
        out_text = pathlib.Path(value).read_text()
pathlib.Path(out).write_text(f"{words} {pathlib.Path('params.yaml').read_text()}")
"""


class Toy:
    """One toy project: `stage` adds stages to its dvc.yaml."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / ".dvc").mkdir(parents=True)
        (root / ".dvc" / "config").write_text("[core]\nno_scm = true\nanalytics = false\ncheck_update = false\n")
        (root / "work.py").write_text(WORK)
        (root / "params.yaml").write_text("n: 1\n")
        self.stages: dict[str, Any] = {}

    def stage(self, name: str, *words: str, deps: tuple[str, ...] = (), **more: Any) -> "Toy":
        """Add a stage that writes NAME.txt; `deps` are stages."""
        return self.entry(
            name,
            cmd=f"{sys.executable} work.py {name}.txt {' '.join(words)}",
            deps=[f"{dep}.txt" for dep in deps],
            outs=[f"{name}.txt"],
            **more,
        )

    def entry(self, name: str, **entry: Any) -> "Toy":
        """Add a stage as it stands in dvc.yaml."""
        self.stages[name] = {key: value for key, value in entry.items() if value}
        (self.root / "dvc.yaml").write_text(yaml.safe_dump({"stages": self.stages}, sort_keys=False))
        return self

    def path(self, name: str) -> Path:
        return self.root / name

    def lock(self) -> dict[str, Any]:
        return yaml.safe_load(self.path("dvc.lock").read_text())["stages"]

    def repro(self) -> None:
        """Plain `dvc repro`."""
        ended = dvc(["repro"], root=self.root)
        assert ended.exit_code == 0, ended.lines


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy(tmp_path / "toy")


@pytest.fixture
def another_toy(tmp_path: Path) -> Toy:
    return Toy(tmp_path / "another")


def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Let tests that need the server come last: it takes 15 s to start, beside the others."""
    late = [item for item in items if "prefect_server" in getattr(item, "fixturenames", ())]
    items[:] = [item for item in items if item not in late] + late


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin to start the server if a test of this session wants it."""
    if not session.config.option.collectonly and any("prefect_server" in i.fixturenames for i in session.items):
        threading.Thread(target=lambda: ensure(Path(HOME), port=PORT), daemon=True).start()


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """One Prefect server for all tests of flows, for subprocesses too."""
    ensure(Path(HOME), port=PORT)
    yield
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    APILogWorker.instance().drain()  # or it goes on trying to reach the server at exit
    EventsWorker.drain_all()
    stop(Path(HOME), grace_s=0.5)
