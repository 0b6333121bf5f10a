"""The runner against real `dvc` processes: outcomes, exit codes, time-outs, and nothing left alive."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from flows import leash
from flows.plan import Busy
from flows.runner import TOKEN, Outcome, end_leftover, run


def wait_for(path: Path, *, timeout_s: float = 20) -> int:
    """Wait until a stage has written its process id."""
    end = time.monotonic() + timeout_s
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < end, f"{path} did not come"
        time.sleep(0.05)
    return int(path.read_text())


def gone(pid: int, *, timeout_s: float = 10) -> bool:
    """Say whether a process ends in time."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        with contextlib.suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.05)
                continue
        return True
    return False


def test_ran_skipped_restored(toy):
    toy.stage("a", "say=hello", params=["n"])
    lines = []
    first = run("a", root=toy.root, on_line=lines.append)
    assert (first.result, first.exit_code) == ("ran", 0)
    assert "hello" in lines
    assert run("a", root=toy.root).result == "skipped"
    toy.path("params.yaml").write_text("n: 2\n")
    assert run("a", root=toy.root).result == "ran"
    toy.path("params.yaml").write_text("n: 1\n")
    assert run("a", root=toy.root).result == "restored"
    assert run("a", root=toy.root, force=True).result == "ran"


@pytest.mark.parametrize(("word", "code"), [("exit=65", 65), ("exit=75", 75), ("kill=9", -9), ("exit=137", -9)])
def test_the_stage_s_own_exit_code_is_recovered(toy, word, code):
    toy.stage("a", "say=reason", word)
    outcome = run("a", root=toy.root)
    assert (outcome.result, outcome.exit_code, outcome.reason) == ("failed", code, "reason")


def test_a_silent_stage_is_timed_out_and_gone(toy):
    toy.stage("a", "pid=pid", "sleep=60")
    outcome = run("a", root=toy.root, timeout_s=1.5)
    assert (outcome.result, outcome.exit_code) == ("failed", 124)
    assert outcome.seconds < 10
    assert "must end within 1.5 s" in outcome.reason
    assert gone(int(toy.path("pid").read_text()), timeout_s=0.1)


def test_a_killed_dvc_takes_its_stage_along(toy):
    toy.stage("a", "pid=pid", "sleep=60")

    def kill():
        stage = wait_for(toy.path("pid"))
        os.kill(os.getpgid(stage), signal.SIGKILL)  # the group's leader is dvc

    threading.Thread(target=kill).start()
    outcome = run("a", root=toy.root)
    assert (outcome.result, outcome.exit_code) == ("failed", -9)
    assert gone(int(toy.path("pid").read_text()), timeout_s=1)


def test_a_killed_forking_process_takes_all_along_and_is_replaced(toy):
    toy.stage("a", "pid=pid", "sleep=60").stage("b")

    def kill():
        wait_for(toy.path("pid"))
        leash.LEASH._process.kill()

    threading.Thread(target=kill).start()
    assert run("a", root=toy.root).exit_code == -9
    assert gone(int(toy.path("pid").read_text()), timeout_s=1)
    assert run("b", root=toy.root).result == "ran"


def test_stop_ends_the_stage_before_anything_else(toy):
    toy.stage("a", "pid=pid", "sleep=60")

    def ask():
        wait_for(toy.path("pid"))
        leash.STOP.set()

    threading.Thread(target=ask).start()
    try:
        with pytest.raises(leash.Stopped):
            run("a", root=toy.root)
    finally:
        leash.STOP.clear()
    assert gone(int(toy.path("pid").read_text()), timeout_s=0.1)


def test_a_failure_leaves_the_earlier_results(toy):
    toy.entry(
        "a",
        cmd=f"{sys.executable} work.py cached.txt if=bad && {sys.executable} work.py loose.txt",
        params=["n"],
        outs=["cached.txt"],
        metrics=[{"loose.txt": {"cache": False}}],
    )
    run("a", root=toy.root, loose=["loose.txt"])
    before = toy.path("cached.txt").read_text(), toy.path("loose.txt").read_text()
    toy.path("bad").touch()
    toy.path("params.yaml").write_text("n: 2\n")
    assert run("a", root=toy.root, loose=["loose.txt"]).exit_code == 65
    assert (toy.path("cached.txt").read_text(), toy.path("loose.txt").read_text()) == before


def leftover(toy, owner: dict) -> subprocess.Popen:
    """A process that an earlier run of stage a left behind, with the note of that run."""
    code = "import os, time; os.setsid(); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], env=os.environ | {TOKEN: "earlier"})
    note = toy.path(".checkpoints/runner/a.json")
    note.parent.mkdir(parents=True)
    note.write_text(json.dumps({"token": "earlier", "group": process.pid, "owner": owner}))
    return process


def test_what_a_dead_run_left_is_ended_first(toy):
    process = leftover(toy, {"pid": 2**22 + 1, "since": 1.0})
    toy.stage("a")
    assert run("a", root=toy.root).result == "ran"
    assert gone(process.pid, timeout_s=0.1)
    process.wait()


def test_a_living_run_is_left_alone(toy):
    living = psutil.Process(os.getppid())
    process = leftover(toy, {"pid": living.pid, "since": living.create_time()})
    toy.stage("a")
    with pytest.raises(Busy, match=f"process {living.pid} has it in hand"):
        run("a", root=toy.root)
    assert process.poll() is None
    process.kill()
    process.wait()


def test_sigkill_of_the_flow_s_process_ends_the_stage(toy):
    toy.stage("a", "pid=pid", "sleep=4")
    code = "import sys; from flows.runner import run; run('a')"
    env = os.environ | {"PYTHONPATH": os.getcwd()}
    flow = subprocess.Popen([sys.executable, "-c", code], cwd=toy.root, env=env)
    stage = wait_for(toy.path("pid"))
    flow.kill()
    flow.wait()
    assert gone(stage, timeout_s=3)
    assert not toy.path("a.txt").exists()
    assert run("a", root=toy.root).result == "ran"


def test_reason_is_the_stage_s_last_word():
    tail = (
        "Running stage 'a':",
        "> python -m stages x.y",
        "bad row 3",
        "ERROR: failed to reproduce 'a': exited with 65",
    )
    assert Outcome("a", "failed", 65, 1.0, tail).reason == "bad row 3"
    assert Outcome("a", "failed", 255, 1.0, tail[3:]).reason == tail[3]
    assert Outcome("a", "failed", 255, 1.0, ()).reason == "no output"


def test_no_note_no_leftover(tmp_path):
    end_leftover(tmp_path / "a.json")
