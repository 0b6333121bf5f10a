"""A folder of pictures, and the commands over a protector without training."""

import numpy as np
import pytest
from PIL import Image

from stages.faces import __main__ as door
from tests.fixtures.marking_stub import Amplifier, Idle, StubProtector


def ramp(width, height, *, phase=0):
    """Return a smooth picture, uint8, that leaves room for a change."""
    y, x = np.mgrid[:height, :width]
    picture = np.stack([60 + 120 * x / width, 200 - 120 * y / height, 100 + 40 * (x + y) / (width + height)], 2)
    return (picture + phase).astype(np.uint8)


def write(path, picture=None, **how):
    """Save a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(ramp(96, 80) if picture is None else picture).save(path, **how)
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder in the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def faces(folder, monkeypatch, capfd):
    """Call the commands over the stubs: exit code, stdout, lines of stderr."""
    monkeypatch.setattr("gauntlet.readers.protectors.read_protector", lambda *_: StubProtector())
    stubs = {"amplifier": Amplifier(), "idle": Idle()}
    monkeypatch.setattr("gauntlet.readers.manipulators.read_manipulators", lambda *_: stubs)
    for name in ("limit_threads", "unwind_on_sigterm"):
        monkeypatch.setattr(door, name, lambda *_: None)

    def call(*words):
        code = door.main([str(word) for word in words])
        said = capfd.readouterr()
        return code, said.out, said.err.splitlines()

    return call
