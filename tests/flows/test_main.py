"""`python -m flows` as a person meets it."""

import os
import subprocess
import sys

import pytest


@pytest.fixture
def ask(toy):
    """Run the command line in the toy project; its own `stages --check` leaves with CHECK."""
    (toy.root / "stages").mkdir()
    (toy.root / "stages" / "__init__.py").touch()
    check = "import os, sys; code = int(os.environ['CHECK']); code and print('epochs must be whole'); sys.exit(code)"
    (toy.root / "stages" / "__main__.py").write_text(check)

    def run(*words, check=0):
        env = os.environ | {"PYTHONPATH": f"{toy.root}{os.pathsep}{os.getcwd()}", "CHECK": str(check)}
        command = [sys.executable, "-m", "flows", *words]
        return subprocess.run(command, cwd=toy.root, env=env, capture_output=True, text=True)

    return run


def test_up_to_date_starts_no_server(ask, toy):
    toy.stage("a", deps=()).repro()
    done = ask()
    assert (done.returncode, done.stdout) == (0, "everything is up to date (1 stages)\n")
    assert not toy.path(".prefect").exists()


def test_bad_params_are_one_line_and_78(ask, toy):
    toy.stage("a")
    done = ask(check=78)
    assert (done.returncode, done.stderr) == (78, "epochs must be whole\n")


def test_an_unknown_target_is_one_line_and_78(ask, toy):
    toy.stage("coco_o-build")
    done = ask("coco")
    assert (done.returncode, done.stderr.count("\n")) == (78, 1)
    assert "did you mean coco_o" in done.stderr


def test_no_pipeline_here(ask):
    done = ask()
    assert (done.returncode, done.stderr.count("\n")) == (78, 1)


def test_a_failing_stage_gives_its_code(ask, toy, prefect_server):
    toy.stage("good").stage("bad", "say=row-3", "exit=65")
    done = ask()
    assert done.returncode == 65
    assert "= bad failed" in done.stdout
    assert "exit 65: row-3" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stderr == ""
    assert toy.path("good.txt").exists()
