"""A toy project with toy stages, so that the door is tested without the real ones."""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import stages
from stages.__main__ import main

COPY = '''"""Copy a file, or fail on the way."""
import errno
import os
import time
from pathlib import Path

from gauntlet.errors import ArgumentError, DataError, RetryableError, UnavailableError
from stages import Out
from stages import Params as StageParams
from stages import Ratio

FAULTS = {
    "data": DataError("data/in.txt, row 3: must be a number; got x; a header?"),
    "argument": ArgumentError("eps must lie in [0, 1] (8/255, not 8);\\n got 8"),
    "away": UnavailableError("the network must be there; it is not"),
    "again": RetryableError("another run is at work"),
    "full": OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "data/out.txt"),
    "full library": RuntimeError("I/O error: No space left on device (os error 28)"),
    "memory": MemoryError(),
    "locked": PermissionError(errno.EACCES, "Permission denied", "data/in.txt"),
    "package": ModuleNotFoundError("No module named 'timm'", name="timm"),
    "bug": ZeroDivisionError("division by zero"),
}


class Params(StageParams):
    eps: Ratio
    seed: int
    fault: str | None = None
    wait_s: float = 0.0


def run(params: Params, *, source: Path, copy: Out, notes: Out) -> None:
    copy.write_text("half")
    notes.mkdir()
    (notes / "seed.txt").write_text(str(params.seed))
    Path("pid.txt").write_text(str(os.getpid()))
    end = time.monotonic() + params.wait_s
    while time.monotonic() < end:
        time.sleep(0.01)
    if params.fault == "lost":
        copy.unlink()
    elif params.fault:
        raise FAULTS[params.fault]
    else:
        copy.write_text(source.read_text())
'''

VARIED = '''"""A stage with variants."""
from stages import Out
from stages import Params as StageParams


class Params(StageParams):
    seed: int


def run(params: Params, *, source: str, archive: Out) -> None:
    archive.write_text(f"{source} {params.seed}")
'''

ROOT = Path(__file__).resolve().parents[2]
ARGUMENTS = ["--source", "data/in.txt", "--copy", "data/built/out.txt", "--notes", "data/built/notes"]


class Toy:
    """A folder with params.yaml, one input, and the stages toy.copy and toy.varied."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.copy, self.notes = root / "data/built/out.txt", root / "data/built/notes"
        (root / "data").mkdir()
        (root / "data/in.txt").write_text("whole")
        self.params("{eps: 8/255, seed: 0}")

    def params(self, copy: str, *, varied: str = "{a: {seed: 1}, b: {seed: 2}}", more: str = "") -> None:
        (self.root / "params.yaml").write_text(f"toy:\n  copy: {copy}\n  varied: {varied}\n{more}")

    def outputs(self) -> set[str]:
        return {path.relative_to(self.root / "data/built").as_posix() for path in self.root.glob("data/built/**/*")}


def write_stages(folder: Path) -> None:
    (folder / "toy").mkdir(parents=True)
    for name, text in {"__init__": '"""Toys."""\n', "copy": COPY, "varied": VARIED}.items():
        (folder / "toy" / f"{name}.py").write_text(text)


@pytest.fixture
def toy(tmp_path, monkeypatch) -> Iterator[Toy]:
    """Stand in a toy project whose stages are the only ones."""
    write_stages(tmp_path / "stages")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stages, "__path__", [str(tmp_path / "stages")])
    monkeypatch.setattr("stages.__main__.unwind_on_sigterm", lambda: None)
    monkeypatch.setattr("stages.__main__.limit_threads", lambda threads: None)
    yield Toy(tmp_path)
    for name in [name for name in sys.modules if name.startswith("stages.toy")]:
        del sys.modules[name]
    vars(stages).pop("toy", None)


@pytest.fixture
def door(toy, capfd) -> Callable[..., tuple[int, list[str]]]:
    """Call the door and give the exit code and the lines of stderr."""

    def call(*words: str) -> tuple[int, list[str]]:
        code = main(list(words) or ["toy.copy", *ARGUMENTS])
        return code, capfd.readouterr().err.splitlines()

    return call


@pytest.fixture
def project(tmp_path) -> Toy:
    """Lay a toy project out with a copy of the real door, to be run by `python -m stages` in a process of its own."""
    write_stages(tmp_path / "stages")
    for file in (ROOT / "stages").glob("*.py"):
        shutil.copy(file, tmp_path / "stages")
    return Toy(tmp_path)


@pytest.fixture
def empty_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder, where stages leave this process's signals and threads alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("stages.__main__.unwind_on_sigterm", lambda: None)
    monkeypatch.setattr("stages.__main__.limit_threads", lambda threads: None)
    return tmp_path
