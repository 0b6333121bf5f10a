import json
from pathlib import Path

import pytest
import yaml

from stages.__main__ import main
from stages.fgsm_law import score, train
from stages.machine import Machine
from tests.fixtures.classification import write_images

SIDE_PX = 16
COUNTS = {"train": 48, "val": 15, "test": 12}
TRAIN = {
    "seed": 0,
    "data": {"layout": "objects"},
    "method": "fgsm_law",
    "settings": {},
    "architecture": "gauntlet:convnet",
    "network": {"width": 4, "input_px": SIDE_PX},
    "eps": "8/255",
    "epochs": 3,
    "batch": 16,
    "lr": 0.05,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "schedule": "one_cycle",
    "turns": [0.3],
    "clip_norm": None,
    "augmentation": {"crop_px": 1, "mirror": True},
    "averaging": {"rule": "awa"},
    "speed": {},
    "measured": None,
}
SCORE = {"seed": 0, "variants": ["x"], "images": None, "batch": 5, "autoattack": {"images": 0, "variants": None}}


@pytest.fixture(scope="session", autouse=True)
def one_core():
    """Hold the stages to the CPU and to one process."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("stages.machine", "stages.checkpoint", "stages.scores", train.__name__, score.__name__):
            patch.setattr(f"{module}.machine", lambda: Machine("cpu", 1, 1))
        yield


@pytest.fixture(scope="session")
def sources(tmp_path_factory) -> dict[str, Path]:
    """Write objects32, a folders.json without folders, and a tar of digits that nobody should open."""
    folder = tmp_path_factory.mktemp("sources")
    for seed, (split, count) in enumerate(COUNTS.items()):
        write_images(folder / "objects32", split=split, count=count, seed=seed, side_px=SIDE_PX)
    (folder / "digits.tar").write_bytes(b"no tar")
    (folder / "folders.json").write_text("{}")
    return {"images": folder / "objects32", "digits": folder / "digits.tar", "folders": folder / "folders.json"}


@pytest.fixture
def trained(sources, tmp_path, monkeypatch):
    """Return a function that trains in a folder of its own; parameters and inputs may be replaced."""
    monkeypatch.chdir(tmp_path)

    def run(model: Path, *, paths: dict[str, Path] | None = None, **changes: object) -> Path:
        params = train.Params.model_validate(TRAIN | changes)
        train.run(params, variant=model.name, **(sources | (paths or {})), model=model)
        return model

    return run


@pytest.fixture(scope="session")
def models(sources, tmp_path_factory) -> Path:
    """Train three tiny models once."""
    folder = tmp_path_factory.mktemp("trained") / "models"
    changes = {
        "plain": {"method": "plain", "averaging": {"rule": "none"}, "epochs": 4},
        "fgsm": {"method": "fgsm", "averaging": {"rule": "none"}, "epochs": 2},
        "law": {"epochs": 2, "seed": 5},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder.parent)
        for name, change in changes.items():
            train.run(train.Params.model_validate(TRAIN | change), variant=name, **sources, model=folder / name)
    return folder


class Door:
    """The real door in an empty project; the stage's section of params.yaml may be changed."""

    def __init__(self, root: Path, sources: dict[str, Path], capfd) -> None:
        self.root, self.sources, self.capfd = root, sources, capfd
        self.model, self.scores = root / "data/models/x", root / "data/scores"

    def params(self, *, train: dict | None = None, score: dict | None = None) -> None:
        values = {"fgsm_law": {"train": {"x": TRAIN | (train or {})}, "score": SCORE | (score or {})}}
        (self.root / "params.yaml").write_text(yaml.safe_dump(values))

    def call(self, stage: str, **paths: Path) -> tuple[int, list[str]]:
        """Run a stage; give the exit code and the lines of stderr."""
        words = [word for name, path in (self.sources | paths).items() for word in (f"--{name}", str(path))]
        code = main([stage, *words])
        return code, self.capfd.readouterr().err.splitlines()

    def train(self) -> tuple[int, list[str]]:
        return self.call("fgsm_law.train", variant="x", model=self.model)

    def score(self, models: Path) -> tuple[int, list[str]]:
        return self.call("fgsm_law.score", models=models, scores=self.scores)


@pytest.fixture
def door(sources, empty_project, capfd) -> Door:
    """Stand in an empty project in front of the real door."""
    return Door(empty_project, sources, capfd)


@pytest.fixture
def card():
    """Return a function that reads a model folder's card."""
    return lambda folder: json.loads((folder / "model.json").read_text())
