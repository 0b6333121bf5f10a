"""`python -m flows` as a person meets it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from flows.__main__ import main

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pygtrie, through DVC
CHECK = "import os, sys; code = int(os.environ['CHECK']); code and print('epochs must be whole'); sys.exit(code)"


@pytest.fixture
def here(toy, monkeypatch):
    """The toy project as working folder; its own `stages --check` leaves with CHECK."""
    (toy.root / "stages").mkdir()
    (toy.root / "stages" / "__init__.py").touch()
    (toy.root / "stages" / "__main__.py").write_text(CHECK)
    monkeypatch.setenv("CHECK", "0")
    monkeypatch.chdir(toy.root)
    return toy


def test_up_to_date_starts_no_server(here, capfd):
    here.stage("a", params=["n"]).repro()
    assert main([]) == 0
    assert capfd.readouterr().out == "everything is up to date (1 stages)\n"
    assert not here.path(".prefect").exists()


def test_bad_params_are_one_line_and_78(here, capfd, monkeypatch):
    monkeypatch.setenv("CHECK", "78")
    here.stage("a")
    assert main([]) == 78
    assert capfd.readouterr().err == "epochs must be whole\n"


def test_an_unreadable_pipeline_is_one_line_and_78(here, capfd):
    here.path("dvc.yaml").write_text("stages: [")
    assert main([]) == 78
    assert "DVC must be able to read dvc.yaml" in capfd.readouterr().err


def test_an_unknown_target_is_one_line_and_78(here, capfd):
    here.stage("coco_o-build")
    assert main(["coco"]) == 78
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert "did you mean coco_o" in said


def test_a_run_at_work_is_one_line_and_75(here, capfd):
    here.stage("a", "pid=pid", "sleep=20")
    process = subprocess.Popen([sys.executable, "-m", "dvc", "repro"], start_new_session=True)
    while not here.path("pid").exists():
        time.sleep(0.1)
    assert main([]) == 75
    said = capfd.readouterr().err
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert "one run at a time in one folder; DVC says: " in said
    assert said.count("\n") == 1


def test_no_pipeline_here(here, capfd):
    assert main([]) == 78
    assert capfd.readouterr().err.count("\n") == 1


@pytest.fixture
def command(here, prefect_server):
    """Start `python -m flows` in the toy project."""
    env = os.environ | {"PYTHONPATH": f"{here.root}{os.pathsep}{Path(__file__).parents[2]}"}
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return lambda: subprocess.Popen([sys.executable, "-m", "flows"], cwd=here.root, env=env, **pipe)


def test_a_failing_stage_gives_its_code(here, command):
    here.stage("good").stage("bad", "say=row-3", "exit=65")
    done = command()
    out, err = done.communicate()
    assert (done.returncode, err) == (65, "")
    assert "= bad failed" in out
    assert "exit 65: row-3" in out
    assert "Traceback" not in out
    assert here.path("good.txt").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_leaves_nothing_alive_and_no_traceback(here, command, number, code):
    here.stage("a", "pid=pid", "sleep=60")
    done = command()
    while not here.path("pid").exists() or not here.path("pid").read_text():
        time.sleep(0.1)
    time.sleep(0.5)
    done.send_signal(number)
    out, err = done.communicate(timeout=40)
    assert done.returncode == code
    assert "Traceback" not in out + err
    with contextlib.suppress(psutil.NoSuchProcess):  # gone, or dead and not yet reaped
        assert psutil.Process(int(here.path("pid").read_text())).status() == psutil.STATUS_ZOMBIE
