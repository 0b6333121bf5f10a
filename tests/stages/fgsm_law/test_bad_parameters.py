"""What cannot be trained is refused at the door: one line, its exit code, nothing overwritten, nothing left."""

import pytest

from tests.fixtures.minibatch import CLASSES, Network
from tests.stages.fgsm_law.conftest import SIDE_PX


def four_classes() -> Network:
    """Stand for a network of the user's that brings its own classes."""
    return Network()


HERE = f"{__name__}:{four_classes.__name__}"
BAD = [
    ({"eps": 8}, 78, "eps: must lie in [0, 1] (8/255, not 8); got 8;"),
    ({"method": "fgsm_lwa"}, 78, "the method must be one of plain, fgsm, "),
    ({"settings": {"beta": 1}}, 78, "fgsm_law must be given its own settings ("),
    ({"settings": {"gamma": "much"}}, 78, "fgsm_law"),
    ({"averaging": {"rule": "awe"}}, 78, "averaging.rule must be one of none, ema, awa; got 'awe'; misspelt?"),
    ({"averaging": {"rule": "none", "settings": {"decay": 0.9}}}, 78, "must be those of none; got decay; misspelt?"),
    ({"averaging": {"rule": "ema", "settings": {"decay": 1}}}, 78, "decay must lie in [0, 1); got 1"),
    ({"epochs": 0}, 78, "epochs: Input should be greater than or equal to 1; got 0"),
    ({"epoch": 3}, 78, "epoch is not a parameter of this stage; misspelt?; did you mean 'epochs'?"),
    ({"schedule": "multi_step"}, 78, "schedule must be one of multistep, cyclic, one_cycle; got 'multi_step'"),
    ({"turns": [0.5, 104]}, 78, "turns.1: must lie in [0, 1]"),
    ({"augmentation": {"mirrors": True}}, 78, "augmentation.mirrors: Unexpected keyword argument"),
    ({"augmentation": {"auto_augment": "cifar"}}, 78, "auto_augment must be one of cifar10, imagenet, svhn"),
    ({"speed": {"precision": "half"}}, 78, "precision must be one of float32, bfloat16, float16; got 'half'"),
    ({"architecture": "gauntlet:resnet"}, 78, "must be followed by one of convnet, resnet18"),
    ({"network": {"widht": 4}}, 78, "settings of gauntlet:convnet: got an unexpected keyword argument 'widht'"),
    ({"network": {"width": 4, "channels": 1}}, 78, f"must take the data's 3 x {SIDE_PX} x {SIDE_PX} pictures; "),
    ({"architecture": HERE, "network": {}}, 78, f"must have the data's 3 classes; got {CLASSES}; "),
    ({"data": {"layout": "object"}}, 78, "data.layout: Input should be 'objects', 'digits', 'cifar10'"),
    ({"data": {"layout": "objects", "folder": "mine"}}, 78, "got 'mine' with the layout objects"),
    ({"data": {"layout": "cifar10"}}, 78, "else a name of raw.folder; got None with the layout cifar10"),
    ({"data": {"layout": "cifar10", "folder": "mine"}}, 65, "folders.json: must hold 'mine'; it has none yet"),
    ({"data": {"layout": "objects", "held_out": 9}}, 78, "held_out must be null for objects, split already; got 9"),
    ({"data": {"layout": "digits"}}, 65, "digits.tar"),
    ({"lr": 1e30}, 78, "the loss must stay finite; got nan in epoch 1; is lr too high?"),
]


@pytest.mark.parametrize(("change", "code", "text"), BAD, ids=lambda value: str(value)[:60])
def test_a_bad_parameter_is_one_line(door, change, code, text):
    door.model.mkdir(parents=True)
    (door.model / "model.json").write_text("an earlier model")
    door.params(train=change)
    found, lines = door.train()
    assert len(lines) == 1, lines
    assert found == code, lines
    assert lines[0].startswith("fgsm_law.train: ")
    assert text in lines[0]
    assert [path.name for path in door.model.parent.rglob("*")] == ["x", "model.json"]
    assert (door.model / "model.json").read_text() == "an earlier model"
    assert not list(door.root.glob(".checkpoints/fgsm_law-train@x/**/state.pt"))


def test_the_check_of_params_yaml_finds_misspelt_names():
    from pydantic import ValidationError

    from stages.fgsm_law.train import Params
    from tests.stages.fgsm_law.conftest import TRAIN

    for change in ({"method": "law"}, {"settings": {"beta": 1}}, {"averaging": {"rule": "swa"}}):
        with pytest.raises(ValidationError, match="must be"):
            Params.model_validate(TRAIN | change)
