"""Models opened by name, from a folder, from a file: each gives the logits of what was saved."""

import json
from dataclasses import dataclass

import pytest
import timm
import torch
from safetensors.torch import save_file

from gauntlet.errors import ArgumentError, DataError
from gauntlet.models.ares_models import ares_model
from gauntlet.models.registry import build
from gauntlet.readers.named_models import open_model

NAMES = ["cat", "dog", "newt"]
ARCHITECTURE, SETTINGS = "gauntlet:preact_resnet18", {"width": 2}


@pytest.fixture
def source():
    return build(ARCHITECTURE, classes=3, settings=SETTINGS).eval()


def agree(model, source):
    x = torch.rand(2, 3, 32, 32)
    return not model.training and torch.equal(model(x), source(x))


def write_folder(folder, source):
    folder.mkdir(exist_ok=True)
    save_file(source.state_dict(), folder / "model.safetensors")
    card = {"architecture": ARCHITECTURE, "classes": NAMES, "settings": SETTINGS, "seed": 0}
    (folder / "model.json").write_text(json.dumps(card))
    return folder


def test_a_model_folder_or_its_file(tmp_path, source):
    folder = write_folder(tmp_path / "model", source)
    for name in (folder, folder / "model.safetensors"):
        model, card = open_model(str(name), class_names=["other"])
        assert agree(model, source)
        assert (card.classes, card.architecture) == (NAMES, ARCHITECTURE)


@pytest.mark.parametrize("classes", [NAMES, None])
def test_a_file_that_says_what_it_is(tmp_path, source, classes):
    header = {"architecture": ARCHITECTURE, "settings": json.dumps(SETTINGS)}
    header |= {"classes": json.dumps(classes)} if classes else {}
    save_file(source.state_dict(), tmp_path / "a.safetensors", metadata=header)
    model, card = open_model(str(tmp_path / "a.safetensors"), class_names=["a", "b", "c"])
    assert agree(model, source)
    assert card.classes == (classes or ["a", "b", "c"])


def test_a_name_with_a_checkpoint(tmp_path, source):
    torch.save({"state_dict": source.state_dict()}, tmp_path / "a.pth")
    model, card = open_model(ARCHITECTURE, class_names=NAMES, settings=SETTINGS, checkpoint=tmp_path / "a.pth")
    assert agree(model, source)
    assert card.settings == SETTINGS


def test_a_package_is_asked_for_its_own_weights(monkeypatch):
    asked = {}
    create = timm.create_model

    def without_network(name, *, pretrained, num_classes):
        asked.update(name=name, pretrained=pretrained, num_classes=num_classes)
        return create(name, num_classes=num_classes)

    monkeypatch.setattr(timm, "create_model", without_network)
    model, _ = open_model("timm:test_vit", class_names=[str(n) for n in range(1000)])
    assert asked == {"name": "test_vit", "pretrained": True, "num_classes": 1000}
    assert model.preprocessing.input_px == 160
    with pytest.raises(ArgumentError, match="must have the data's 3 classes; it has 1000"):
        open_model("timm:test_vit", class_names=NAMES)


def test_one_of_ares_bench_from_the_folder_of_its_files(tmp_path, monkeypatch):
    @dataclass(frozen=True)
    class Entry:
        checkpoint: str = "ARES_Small.pth"

    monkeypatch.setitem(open_model.__globals__["ARES_MODELS"], "small", Entry())
    small = lambda name: build(ARCHITECTURE, classes=3, settings=SETTINGS)  # noqa: E731
    monkeypatch.setitem(open_model.__globals__, "ares_model", small)
    source = small("small").eval()
    torch.save(source.state_dict(), tmp_path / "ARES_Small.pth")
    for place in (tmp_path, tmp_path / "ARES_Small.pth"):
        assert agree(open_model("ares:small", class_names=NAMES, checkpoint=place)[0], source)
    with pytest.raises(ArgumentError, match=r"needs the authors' ARES_Small\.pth"):
        open_model("ares:small", class_names=NAMES)
    with pytest.raises(ArgumentError, match="has 56 models"):
        ares_model("resnet51")


def spoilt(tmp_path, source, what):
    path = tmp_path / "a.safetensors"
    if what == "header":
        save_file(source.state_dict(), path)
    elif what == "json":
        save_file(source.state_dict(), path, metadata={"architecture": ARCHITECTURE, "classes": "cat, dog"})
    elif what == "truncated":
        save_file(source.state_dict(), path)
        path.write_bytes(path.read_bytes()[:-100])
    elif what == "classes":
        metadata = {"architecture": ARCHITECTURE, "settings": json.dumps(SETTINGS), "classes": '["cat"]'}
        save_file(source.state_dict(), path, metadata=metadata)
    return str(path)


@pytest.mark.parametrize(
    ("what", "part"),
    [
        ("missing", "must exist"),
        ("header", "must name its architecture in its header"),
        ("json", "must be JSON"),
        ("truncated", "a whole safetensors file"),
        ("classes", "must have 1 classes; it has 3"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path, source, what, part):
    with pytest.raises(DataError, match=part) as caught:
        open_model(spoilt(tmp_path, source, what), class_names=NAMES)
    assert "\n" not in str(caught.value)
