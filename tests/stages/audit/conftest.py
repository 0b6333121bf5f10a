"""A folder as the project's root looks, with tiny data, and models that have learned nothing."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gauntlet.metrics.imagenet_e import SETTINGS
from stages.audit import __main__ as door
from tests.fixtures.classification import write_images
from tests.fixtures.coco import write_coco_o, write_scenes

SIDE_PX, COUNT = 32, 12
ADVERSARIAL = "background_adversarial"

MODELS = '''"""Models under audit."""
import torch
from torch import nn

from tests.fixtures.classification import ColourClassifier
from tests.fixtures.detectors import ColourDetector


class Given(nn.Module):
    """Return what a function makes of a colour classifier's logits."""

    def __init__(self, change):
        super().__init__()
        self.network, self.change = ColourClassifier(), change

    def forward(self, x):
        return self.change(self.network(x))


def colour():
    return ColourClassifier()


def constant():
    return Given(lambda logits: 0 * logits + torch.tensor([0.0, 3.0, -1.0]))


def probabilities():
    return Given(lambda logits: logits.softmax(1))


def nans():
    return Given(lambda logits: logits * float("nan"))


def four():
    return Given(lambda logits: torch.cat([logits, logits[:, :1]], 1))


def pair():
    return Given(lambda logits: (logits, logits))


def grey():
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def finder():
    return ColourDetector(("banana", "bus", "elephant"))
'''


def lay_out(root: Path) -> Path:
    """Write data/built and models of one's own into a folder."""
    write_images(root / "data/built/objects32", count=COUNT, side_px=SIDE_PX)
    write_scenes(root / "data/built/scenes")
    write_coco_o(root / "data/built/coco_o")
    (root / "audited_models.py").write_text(MODELS)
    return root


def write_edits(root: Path, *, changed: str) -> None:
    """Write ImageNet-E whose settings are the originals, but for one, which holds other pictures of the same keys."""
    built, attacked = root / "data/built/imagenet_e", root / "data/attacked/imagenet_e"
    write_images(built, split="original", count=COUNT, side_px=SIDE_PX)
    other = write_images(root / "other", split="original", count=COUNT, seed=1, side_px=SIDE_PX)
    write_images(root / "other", split="blank", count=COUNT, side_px=SIDE_PX)
    attacked.mkdir(parents=True)
    shutil.copy(built / "classes.json", attacked)
    for setting in SETTINGS:
        source = other if setting == changed else built
        folder = attacked if setting == ADVERSARIAL else built
        shutil.copy(source / "original-0000.tar", folder / f"{setting}-0000.tar")


@pytest.fixture(scope="session")
def laid_out(tmp_path_factory) -> Path:
    """Lay the data out once, for copies."""
    return lay_out(tmp_path_factory.mktemp("audit"))


@pytest.fixture
def root(laid_out, tmp_path, monkeypatch) -> Path:
    """Stand in a copy of the data whose models can be imported."""
    shutil.copytree(laid_out, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.syspath_prepend(str(tmp_path / "project"))
    monkeypatch.delitem(__import__("sys").modules, "audited_models", raising=False)
    for name in ("limit_threads", "unwind_on_sigterm"):
        monkeypatch.setattr(door, name, lambda *_: None)
    return tmp_path / "project"


@pytest.fixture
def audit(root, capfd) -> Callable[..., tuple[int, list[str]]]:
    """Call the command and give its exit code and the lines of stderr."""

    def call(*words: str) -> tuple[int, list[str]]:
        code = door.main(list(words))
        return code, capfd.readouterr().err.splitlines()

    return call
