"""The real command in a process of its own, killed without warning in the middle of training."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.stages.fgsm_law.conftest import TRAIN

ROOT = Path(__file__).resolve().parents[3]
METHODS = {"fgsm_law": {}, "fgsm_mep": {"averaging": {"rule": "ema", "settings": {"decay": 0.9}}}}


def start(folder: Path, sources: dict[str, Path], log: Path) -> subprocess.Popen:
    words = [word for name, path in sources.items() for word in (f"--{name}", str(path))]
    command = [sys.executable, "-m", "stages", "fgsm_law.train", "--variant", "x", *words, "--model", "data/x"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "GAUNTLET_DEVICE": "cpu"}
    with log.open("w") as errors:
        return subprocess.Popen(command, cwd=folder, env=environment, stderr=errors, stdout=subprocess.DEVNULL)


def project(folder: Path, change: dict) -> Path:
    folder.mkdir()
    train = TRAIN | {"epochs": 8, "measured": 3} | change
    (folder / "params.yaml").write_text(yaml.safe_dump({"fgsm_law": {"train": {"x": train}}}))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_killed_without_warning_and_started_again_it_ends_with_the_same_bits(sources, tmp_path, method):
    change = {"method": method, **METHODS[method]}
    straight, killed = project(tmp_path / "straight", change), project(tmp_path / "killed", change)
    assert start(straight, sources, tmp_path / "straight.log").wait(120) == 0

    log, end = tmp_path / "killed.log", time.monotonic() + 120
    process = start(killed, sources, log)
    while "epoch 3," not in log.read_text() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, log.read_text()
    assert not (killed / "data/x").exists()

    assert start(killed, sources, log).wait(120) == 0
    lines = log.read_text().splitlines()
    assert lines[0].startswith("resuming from .checkpoints/fgsm_law-train@x/")
    assert lines[1].split(",")[0] in ("epoch 4", "epoch 5", "epoch 6", "epoch 7", "epoch 8")
    assert len(json.loads((killed / "data/x/history.json").read_text())) == 8
    files = {file.name: file.read_bytes() for file in (killed / "data/x").iterdir()}
    assert files == {file.name: file.read_bytes() for file in (straight / "data/x").iterdir()}
    assert len(files) == 4
