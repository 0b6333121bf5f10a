"""What cannot be tried is refused at the door: one line, its exit code, earlier outcomes as they were."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from gauntlet.models.registry import build
from tests.fixtures.classification import COLOURS
from tests.stages.ares_bench.conftest import ATTACK, HERE, write_classifier


def refused(door, *, code: int, text: str, **changes) -> str:
    found, lines = door.attack(**changes)
    assert len(lines) == 1, lines
    assert found == code, lines
    assert lines[0].startswith("ares_bench.attack: ")
    assert text in lines[0]
    assert door.untouched()
    return lines[0]


def spoilt(how: str) -> dict:
    return {"named": {"theirs": {"model": f"{HERE}:spoilt", "settings": {"how": how}}}}


TESTS = [
    ({"eps": 8}, 78, "tests.discs.eps: must lie in [0, 1] (8/255, not 8); got 8"),
    ({"eps": 0}, 78, "eps must lie in (0, 1] (8/255, not 8); got 0"),
    ({"largest": {"linf": 32, "l2": 4.0}}, 78, "eps must lie in [0, 1] for linf (8/255, not 8); got 32"),
    ({"largest": {"linf": 0}}, 78, "largest must be above 0, for linf at least; got {'linf': 0.0}"),
    ({"largest": {"l2": 4.0}}, 78, "largest must be above 0, for linf at least; got {'l2': 4.0}"),
    ({"largest": {"linf": 0.1, "l0": 4.0}}, 78, "budgets must be among linf, l2, l1; got 'l0'; misspelt?"),
    ({"data": {"layout": "cifar10", "folder": "theirs"}}, 65, "must hold 'theirs'; it has mine"),
    (spoilt("softmax"), 78, "theirs: the model must return logits; its rows are probabilities: leave its softmax out"),
    (spoilt("nan"), 78, "theirs: logits must be finite; 4 of 4 images got NaN or infinity"),
    (spoilt("two"), 78, "theirs: labels must lie in [0, 1], the model's classes; got 2"),
    ({"named": {"theirs": {"model": "timm:resnet5O"}}}, 78, "timm must know the model"),
    ({"named": {"theirs": {"model": f"{HERE}:nobody"}}}, 78, "must define nobody; it does not; misspelt?"),
    ({"named": {"theirs": {"model": f"{HERE}:colours", "checkpoint": "none"}}}, 65, "must hold 'none'; it has mine"),
    ({"named": {"theirs": {"model": f"{HERE}:colours", "weights": 1}}}, 78, "named.theirs.weights is not a parameter"),
]


@pytest.mark.parametrize(("test", "code", "text"), TESTS, ids=lambda value: str(value)[:50])
def test_a_bad_test_or_model_is_one_line(door, test, code, text):
    if "named" not in test:
        test = test | {"named": {"theirs": {"model": f"{HERE}:colours"}}}
    refused(door, test=test, code=code, text=text)


PARAMS = [
    ({"attacks": {"pdg": {}}}, "attacks must be among fgsm, "),
    ({"transfer": {"mmi": {}}}, "got 'mmi'; misspelt?"),
    ({"corruptions": ["fogg"]}, "corruptions must be among gaussian_noise, "),
    ({"defences": {"jpg": {}}}, "defences must be among bit_depth, jpeg, randomisation; got 'jpg'"),
    ({"defences": {"bit_depth": {"bits": 9}}}, "bits must be a whole number from 1 to 8"),
    ({"step_counts": [5, 1]}, "step_counts must rise; got (5, 1)"),
    ({"steps": 0}, "steps: Input should be greater than or equal to 1; got 0"),
    ({"image": 5}, "image is not a parameter of this stage; misspelt?; did you mean 'images'?"),
]


@pytest.mark.parametrize(("change", "text"), PARAMS, ids=lambda value: str(value)[:50])
def test_a_bad_parameter_is_one_line(door, change, text):
    refused(door, code=78, text=text, **change)


@pytest.mark.parametrize("where", ["trained here", "in another test"])
def test_two_models_of_one_name_are_not_mixed(door, where):
    tests = ATTACK["tests"]
    if where == "trained here":
        write_classifier(door.models / "stranger")
    else:
        tests = dict.fromkeys(("discs", "again"), tests["discs"])
    refused(door, code=78, text="tests: each model must have a name of its own; 'stranger' is there twice", tests=tests)


def test_nothing_to_try_is_one_line(door):
    refused(door, code=65, text="models must hold models trained on discs; it holds none", test={"named": {}})


def test_a_named_model_that_is_missing_is_one_line(door):
    write_classifier(door.models / "one")
    gone = door.models / "gone"
    text = f"{gone}/model.json must exist; is {gone} a model folder, and its training finished?"
    refused(door, code=65, text=text, variants=["one", "gone"])


CARDS = [
    ({"classes": ["banana", "bus"]}, "must have the data's 3 classes; got 2; built anew since?"),
    ({"classes": ["banana", "bus", "shark"]}, "class 2 must be the data's 'whale'; got 'shark'; built anew since?"),
    ({"data": None}, "model.json must name data; written by another stage than fgsm_law.train?"),
    ({"eps": None}, "model.json must name eps; written by another stage than fgsm_law.train?"),
]


@pytest.mark.parametrize(("change", "text"), CARDS, ids=lambda value: str(value)[:40])
def test_a_model_trained_on_something_else_is_one_line(door, change, text):
    write_classifier(door.models / "old", **change)
    assert str(door.models / "old") in refused(door, code=65, text=text)


@pytest.fixture
def weights(door, tmp_path):
    """Return the folder of weights that folders.json enters as "theirs"."""
    folder = tmp_path / "weights"
    folder.mkdir()
    (tmp_path / "folders.json").write_text(json.dumps({"theirs": {"path": str(folder)}}))
    door.sources = door.sources | {"folders": tmp_path / "folders.json"}
    return folder


CONVNET = {
    "named": {
        "theirs": {
            "model": "gauntlet:convnet",
            "settings": {"width": 4, "input_px": 32},
            "checkpoint": "theirs",
        }
    }
}


class Code:
    """A pickle that touches a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["a.pth", "a.pt", "a.safetensors"])
def test_a_pickle_with_code_is_not_run(door, weights, name):
    torch.save({"state_dict": Code(door.root / "touched")}, weights / name)
    text = "safetensors file" if name.endswith("safetensors") else "it is a pickle with code, which is not run"
    refused(door, code=65, text=text, test=CONVNET)
    assert not (door.root / "touched").exists()


def test_a_class_count_that_does_not_fit_is_one_line(door, weights):
    model = build("gauntlet:convnet", classes=len(COLOURS) + 2, settings={"width": 4, "input_px": 32})
    save_file(model.state_dict(), weights / "a.safetensors")
    refused(door, code=65, text="must have 3 classes; it has 5", test=CONVNET)


@pytest.mark.parametrize("count", [0, 2])
def test_one_file_of_weights_is_meant(door, weights, count):
    for number in range(count):
        (weights / f"{number}.pth").write_bytes(b"")
    got = "0.pth, 1.pth" if count else "none"
    refused(door, code=65, text=f"must hold one file of weights (.safetensors, .pt, .pth); got {got}", test=CONVNET)
