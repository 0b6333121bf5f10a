import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from gauntlet.errors import DataError
from gauntlet.readers.classification import read_images
from stages.imagenet_e import attack as stage
from tests.fixtures.classification import COLOURS, ColourClassifier

SLUG = "background_adversarial"


@pytest.fixture
def attack(edited, sources, tmp_path, monkeypatch):
    """Run the stage against a classifier that knows `classes`."""

    def attacked(*, classes=tuple(COLOURS), name="attacked", **changes):
        colours = tuple(COLOURS.get(name, (0, 0, 0)) for name in classes)
        victim = (ColourClassifier(colours), SimpleNamespace(classes=list(classes)))
        monkeypatch.setattr(stage, "load_model", lambda folder: victim)
        monkeypatch.setattr(stage, "read_card", lambda folder: victim[1])
        stage._victim.cache_clear()
        stage.run(
            stage.Params(**({"seed": 0, "classifier_scale": 2.0, "samples": 2} | changes)),
            edited=edited,
            victim=tmp_path,
            folders=sources / "folders.json",
            adversarial=tmp_path / name,
        )
        stage._victim.cache_clear()
        return tmp_path / name

    return attacked


def _likelihood(x, labels):
    logits = ColourClassifier()(torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255)
    return logits.log_softmax(1).numpy()[np.arange(len(labels)), labels]


def test_the_classifier_trusts_the_true_class_less_than_on_the_busier_background(attack, edited):
    attacked = attack()
    original, busier = read_images(edited, "original"), read_images(edited, "background_complex")
    data = read_images(attacked, SLUG)
    assert data.keys == original.keys
    assert np.array_equal(data.labels, original.labels)
    assert np.array_equal(data.x[data.masks], original.x[original.masks])
    assert _likelihood(data.x, data.labels).mean() < _likelihood(busier.x, busier.labels).mean()


def test_it_says_what_was_done(attack):
    attacked = attack()
    row = pd.read_parquet(attacked / "manifest.parquet").iloc[0]
    assert (row["setting"], row["name"], row["lambda"], row["steps"], row["licence"]) == (SLUG, "20-adv", 20, 2, "MIT")
    gallery = json.loads((attacked / "samples" / "gallery.json").read_text())
    assert [image["label"] for image in gallery["rows"][0]["images"]] == ["original", "20", "20-adv"]


def test_the_order_of_the_victims_classes_does_not_matter(attack):
    first, second = attack(), attack(classes=("whale", "banana", "bus"), name="again")
    change = read_images(first, SLUG).x.astype(int) - read_images(second, SLUG).x
    assert np.abs(change).max() <= 1  # a sum in another order


def test_a_victim_of_other_classes_is_refused(attack):
    with pytest.raises(DataError, match="'bus' is missing"):
        attack(classes=("banana", "whale"))
