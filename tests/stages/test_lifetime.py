"""A stage that is ended, or whose dvc is, leaves nothing behind and no second writer."""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.stages.conftest import ARGUMENTS, ROOT

WAIT_S = 60
COMMAND = ["python", "-m", "stages", "toy.copy", *ARGUMENTS]
RUNNER = "import os, subprocess, sys; subprocess.run([sys.argv[1], '-c', sys.argv[2]])"


def environment(**more: str) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "DVC_NO_ANALYTICS": "1"} | more


@pytest.fixture
def start(project):
    """Start commands in the toy project, with a stage that waits; what still runs at the end is killed."""
    started = []

    def begin(command: list[str], **more: str) -> subprocess.Popen:
        project.params(f"{{eps: 0, seed: 1, wait_s: {WAIT_S}}}")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, cwd=project.root, env=environment(**more), **quiet))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait()
        process.stderr.close()


def until(condition, *, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def begun(project) -> int:
    """Wait until the stage has written half of its output and give its process id."""
    mark = project.root / "pid.txt"
    until(lambda: mark.exists() and mark.read_text())
    return int(mark.read_text())


def alive(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.usefixtures("heard")
def test_an_ended_stage_cleans_up(project, start, number):
    stage = start(COMMAND)
    begun(project)
    assert project.outputs() == {".out.partial.txt", ".notes.partial", ".notes.partial/seed.txt"}
    stage.send_signal(number)
    _, error = stage.communicate(timeout=10)
    assert stage.returncode == 128 + number
    assert len(error.splitlines()) == 1
    assert "earlier outputs stay as they were" in error
    assert project.outputs() == set()


def test_a_killed_stage_is_cleaned_up_by_the_next_and_a_second_is_refused(project, start):
    first = start(COMMAND)
    begun(project)
    hasty = "import sys, stages.outputs as o, stages.__main__ as m; o.LOCK_WAIT_S = 0.1; sys.exit(m.main(sys.argv[1:]))"
    command = [sys.executable, "-c", hasty, *COMMAND[3:]]
    second = subprocess.run(command, cwd=project.root, env=environment(), capture_output=True, text=True)
    assert second.returncode == 75
    assert second.stderr.startswith("toy.copy: data/built/out.txt must have one writer; another is writing it now;")
    assert len(second.stderr.splitlines()) == 1
    first.kill()
    first.communicate()
    assert ".out.partial.txt" in project.outputs()
    project.params("{eps: 0, seed: 2}")
    third = subprocess.run(COMMAND, cwd=project.root, env=environment(), capture_output=True, text=True, check=True)
    assert third.stderr == ""
    assert project.outputs() == {"out.txt", "notes", "notes/seed.txt"}
    assert project.copy.read_text() == "whole"


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_stage_ends_with_what_runs_it(project, start, shell):
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    command = [sys.executable, "-c", RUNNER, shell, shlex.join(COMMAND)]
    runner = start(command, DVC_STAGE="toy-copy")
    stage = begun(project)
    runner.kill()
    until(lambda: not alive(stage), seconds=2.0)
    runner.communicate()
    assert project.outputs() == set()


def test_a_stage_whose_runner_lives_is_left_alone(project, start):
    start([sys.executable, "-c", RUNNER, "dash", shlex.join(COMMAND)], DVC_STAGE="toy-copy")
    stage = begun(project)
    time.sleep(0.7)
    assert alive(stage)
    os.kill(stage, signal.SIGTERM)
    until(lambda: not alive(stage))


def test_a_killed_dvc_takes_its_stage_along_and_the_next_run_finishes(project, start):
    content = {"cmd": shlex.join(COMMAND), "deps": ["data/in.txt"], "params": ["toy.copy"]}
    content["outs"] = ["data/built/out.txt", "data/built/notes"]
    (project.root / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"toy-copy": content}}))
    more = {"SHELL": shutil.which("dash"), "DVC_SITE_CACHE_DIR": str(project.root / "site")}
    dvc = [sys.executable, "-m", "dvc"]
    (project.root / ".dvc").mkdir()
    (project.root / ".dvc/config").write_text("[core]\n    no_scm = True\n")
    run = start([*dvc, "repro"], **more)
    stage = begun(project)
    run.kill()
    until(lambda: not alive(stage), seconds=2.0)
    run.communicate()
    project.params("{eps: 0, seed: 2}")
    subprocess.run([*dvc, "repro", "-q"], cwd=project.root, env=environment(**more), check=True)
    assert project.copy.read_text() == "whole"
    assert {path for path in project.outputs() if "partial" in path} == set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_stage(project, start, number):
    code = (
        "import os, time, pathlib; from functools import partial\n"
        "from stages.lifetime import unwind_on_sigterm\nfrom stages.machine import parallel\n"
        "def work(n):\n    pathlib.Path(f'worker{n}').write_text(str(os.getpid()))\n    time.sleep(60)\n"
        "unwind_on_sigterm()\nparallel(work, range(2), workers=2)\n"
    )
    stage = start([sys.executable, "-c", code])
    marks = [project.root / f"worker{n}" for n in range(2)]
    until(lambda: all(mark.exists() and mark.read_text() for mark in marks))
    stage.send_signal(number)
    until(lambda: not any(alive(int(mark.read_text())) for mark in marks), seconds=2.0)
    assert stage.wait(3) == (143 if number == signal.SIGTERM else -signal.SIGKILL)
