"""Three tiny classifiers that know the discs by their colour: two trained here, one named."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image
from torch import Tensor, nn

from stages.__main__ import main
from stages.ares_bench import attack, score
from stages.files import write_json
from stages.machine import Machine
from stages.training import write_model
from tests.fixtures.classification import COLOURS, ColourClassifier, pictures, write_images

SIDE_PX, COUNT = 32, 6
SHADES = ((200, 180, 60), (190, 60, 60), (60, 90, 190))
"""Duller than the discs: who looks for these errs sooner."""


class Spoilt(nn.Module):
    """Knows the discs, but returns what no attack can use."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.network, self.how = ColourClassifier(), how

    def forward(self, x: Tensor) -> Tensor:
        logits = self.network(x)
        return {"softmax": logits.softmax(1), "nan": logits * torch.nan, "two": logits[:, :2]}[self.how]


def colours() -> nn.Module:
    return ColourClassifier()


def spoilt(*, how: str) -> nn.Module:
    return Spoilt(how)


HERE = __name__
ATTACK = {
    "seed": 0,
    "variants": ["one", "two"],
    "images": None,
    "batch": 4,
    "budgets": 4,
    "steps": 5,
    "step_counts": [1, 6],
    "attacks": {"fgsm": {}, "mim": {"steps": 5}},
    "transfer": {"mim": {"steps": 5}},
    "transfer_sources": None,
    "low_pass": [2, 16],
    "corruptions": ["brightness", "contrast"],
    "defences": {"bit_depth": {"bits": 3}},
    "checked": 3,
    "tests": {
        "discs": {
            "data": {"layout": "objects"},
            "eps": "24/255",
            "largest": {"linf": 0.4, "l2": 8.0},
            "named": {"stranger": {"model": f"{HERE}:colours"}},
        }
    },
    "samples": {"images": 2, "models": ["one"]},
}
SCORE = {"seed": 0, "resamples": 50}


def write_classifier(folder: Path, *, shades=None, eps: float = 24 / 255, **about) -> Path:
    """Write a model folder as fgsm_law.train does; what is None in `about` is left out."""
    known = {"data": {"layout": "objects", "folder": None, "held_out": None, "seed": 0}, "method": "fgsm", "eps": eps}
    known = {key: value for key, value in (known | {"classes": list(COLOURS)} | about).items() if value is not None}
    model = ColourClassifier(shades) if shades else ColourClassifier()
    classes = known.pop("classes")
    write_model(folder, model, architecture=f"{HERE}:colours", classes=classes, settings={}, about=known, history=[])
    return folder


@pytest.fixture(scope="session", autouse=True)
def one_core():
    """Hold the stages to the CPU and to one process."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("stages.machine", "stages.scores", "stages.ares_bench.models", attack.__name__):
            patch.setattr(f"{module}.machine", lambda: Machine("cpu", 1, 1))
        yield


@pytest.fixture(scope="session")
def sources(tmp_path_factory) -> dict[str, Path]:
    """Write objects32, a tar that nobody should open, and folders.json with the same discs as class folders."""
    folder = tmp_path_factory.mktemp("sources")
    write_images(folder / "objects32", count=COUNT, side_px=SIDE_PX)
    (folder / "digits.tar").write_bytes(b"no tar")
    x, _, labels = pictures(COUNT, side_px=SIDE_PX)
    for place, (picture, label) in enumerate(zip(x, labels, strict=True)):
        for split in ("train", "val"):
            path = folder / "official" / split / list(COLOURS)[label] / f"{place}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(path)
    write_json(folder / "folders.json", {"mine": {"path": str(folder / "official")}})
    return {"images": folder / "objects32", "digits": folder / "digits.tar", "folders": folder / "folders.json"}


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> Path:
    """Write two classifiers: "one" is the named one's copy, "two" errs sooner and was trained at a smaller eps."""
    folder = tmp_path_factory.mktemp("trained") / "models"
    write_classifier(folder / "one")
    write_classifier(folder / "two", shades=SHADES, eps=8 / 255, method="fgsm_law")
    return folder


@pytest.fixture(scope="session")
def attacked(sources, models, tmp_path_factory) -> Path:
    """Run ares_bench.attack once for all tests that only read."""
    outcomes = tmp_path_factory.mktemp("attacked") / "ares_bench"
    attack.run(attack.Params.model_validate(ATTACK), models=models, **sources, outcomes=outcomes)
    return outcomes


@pytest.fixture(scope="session")
def scored(attacked, tmp_path_factory) -> dict[str, dict]:
    """Score those outcomes."""
    folder = tmp_path_factory.mktemp("scored") / "scores"
    score.run(score.Params.model_validate(SCORE), outcomes=attacked, scores=folder)
    return {file.stem: json.loads(file.read_text()) for file in sorted(folder.iterdir())}


class Door:
    """The real door in an empty project, with earlier outputs that a failure must leave as they are."""

    def __init__(self, root: Path, sources: dict[str, Path], capfd) -> None:
        self.root, self.sources, self.capfd = root, sources, capfd
        self.outcomes, self.models = root / "data/attacked/ares_bench", root / "models"
        self.outcomes.mkdir(parents=True)
        (self.outcomes / "earlier.txt").write_text("earlier outcomes")
        self.models.mkdir()

    def attack(self, test: dict | None = None, **changes: object) -> tuple[int, list[str]]:
        """Run ares_bench.attack on all models of the folder; give the exit code and the lines of stderr."""
        tests = {"discs": ATTACK["tests"]["discs"] | (test or {})}
        variants = [folder.name for folder in self.models.iterdir()]
        params = ATTACK | {"tests": tests, "variants": variants} | changes
        (self.root / "params.yaml").write_text(yaml.safe_dump({"ares_bench": {"attack": params, "score": SCORE}}))
        paths = {**self.sources, "models": self.models, "outcomes": self.outcomes}
        code = main(["ares_bench.attack", *(word for name, path in paths.items() for word in (f"--{name}", str(path)))])
        return code, self.capfd.readouterr().err.splitlines()

    def untouched(self) -> bool:
        """Tell whether the earlier outcomes are all that there is."""
        left = [path.name for path in (self.root / "data").rglob("*")]
        return left == ["attacked", "ares_bench", "earlier.txt"]


@pytest.fixture
def door(sources, empty_project, capfd) -> Door:
    """Stand in an empty project in front of the real door."""
    return Door(empty_project, sources, capfd)
