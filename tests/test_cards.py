"""The four lines of every data card load the data, in the layout that the card describes."""

import contextlib
import io
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from gauntlet.metrics.imagenet_e import SETTINGS
from tests.fixtures.classification import write_images
from tests.fixtures.coco import write_coco_o, write_scenes
from tests.fixtures.objects import write_backgrounds, write_objects

CARDS = Path(__file__).parents[1] / "data" / "cards"
WRITERS = {
    "backgrounds": write_backgrounds,
    "coco_o": write_coco_o,
    "imagenet_e": partial(write_images, split="background_complex"),
    "objects": write_objects,
    "objects128": partial(write_images, split="test"),
    "objects32": partial(write_images, split="test"),
    "scenes": write_scenes,
}


@pytest.fixture
def loaded(request, tmp_path, monkeypatch):
    card = request.param
    WRITERS[card](tmp_path / "data" / "built" / card)
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


@pytest.mark.parametrize("loaded", ["imagenet_e", "objects", "backgrounds", "objects32", "objects128"], indirect=True)
def test_picture_cards(loaded):
    assert loaded["picture"].dtype == np.uint8
    assert loaded["picture"].ndim == 3


@pytest.mark.parametrize("loaded", ["imagenet_e", "objects", "objects32", "objects128"], indirect=True)
def test_cards_with_names(loaded):
    assert isinstance(loaded["name"], str)


def test_the_card_names_every_setting_of_imagenet_e():
    text = (CARDS / "imagenet_e.md").read_text()
    assert all(f"`{slug}`" in text and name in text for slug, name in SETTINGS.items())
