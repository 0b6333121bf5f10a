"""Sizes that are published, features under the head, and blocks against torchvision's."""

import pytest
import torch
from torchvision.models.resnet import BasicBlock as TorchvisionBlock

from gauntlet.errors import ArgumentError
from gauntlet.models.convnet import convnet
from gauntlet.models.registry import build
from gauntlet.models.resnet import RESNETS, BasicBlock, preact_resnet18, resnet18, wide_resnet


def weights(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("name", "settings", "published"),
    [
        ("resnet18", {}, 11_173_962),
        ("preact_resnet18", {}, 11_171_146 + 2 * 512),  # the figure for small images has no last norm
        ("wide_resnet", {}, 46_160_474),
        ("wide_resnet", {"depth": 28}, 36_479_194),
    ],
)
def test_the_published_number_of_weights(name, settings, published):
    with torch.device("meta"):
        model = RESNETS[name](classes=10, **settings)
    assert weights(model) == published


def test_the_block_is_torchvisions():
    torch.manual_seed(0)
    ours, theirs = BasicBlock(8, 16, stride=2, activation="relu"), TorchvisionBlock(8, 16, 2, None)
    theirs.downsample = torch.nn.Sequential(torch.nn.Conv2d(8, 16, 1, 2, bias=False), torch.nn.BatchNorm2d(16))
    names = {"conv1": "first", "bn1": "first_norm", "conv2": "second", "bn2": "second_norm", "downsample": "shortcut"}
    state = {}
    for key, value in theirs.state_dict().items():
        head, _, tail = key.partition(".")
        state[f"{names[head]}.{tail}"] = value
    ours.load_state_dict(state)
    x = torch.randn(4, 8, 6, 6)
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=0)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size_px", [28, 32, 64])
@pytest.mark.parametrize("name", RESNETS)
def test_logits_are_the_head_on_the_features(name, size_px, channels):
    settings = {"depth": 10, "factor": 1} if name == "wide_resnet" else {}
    model = RESNETS[name](classes=7, width=4, channels=channels, **settings).eval()
    x = torch.rand(2, channels, size_px, size_px)
    assert model.embed(x).shape == (2, 16 if name == "wide_resnet" else 32)
    torch.testing.assert_close(model(x), model.head(model.embed(x)), rtol=0, atol=0)


def test_the_tiny_imagenet_network_has_2048_features_pooled_as_torch_does():
    model = preact_resnet18(classes=200, pooled_px=2).eval()
    assert model.head.in_features == 2048
    small = preact_resnet18(classes=2, width=2, pooled_px=2).eval()
    x = torch.rand(3, 3, 64, 64)
    last = small.last_norm(small.stages(small.stem(x)))
    torch.testing.assert_close(small.embed(x), torch.nn.functional.avg_pool2d(last, 4).flatten(1))


def test_pixels_are_normalised_only_where_that_is_asked_for():
    torch.manual_seed(0)
    plain, inside = resnet18(classes=3, width=2).eval(), resnet18(classes=3, width=2, normalise=True).eval()
    inside.load_state_dict(plain.state_dict())
    x = torch.rand(2, 3, 32, 32)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(inside(x), plain((x - mean.view(3, 1, 1)) / deviation.view(3, 1, 1)))
    assert (inside(x) != plain(x)).any()


def test_gelu_replaces_every_relu():
    model = wide_resnet(classes=2, depth=10, factor=1, activation="gelu")
    kinds = [type(module) for module in model.modules()]
    assert torch.nn.GELU in kinds
    assert torch.nn.ReLU not in kinds


@pytest.mark.parametrize(
    ("builder", "settings", "part"),
    [
        (wide_resnet, {"depth": 33}, "6 n"),
        (resnet18, {"activation": "swish"}, "relu, gelu; got 'swish'"),
        (resnet18, {"normalise": True, "channels": 4}, "channels must be 3, or 1"),
    ],
)
def test_bad_settings_are_named(builder, settings, part):
    with pytest.raises(ArgumentError, match=part):
        builder(classes=10, **settings)


def test_the_small_network_is_what_it_was():
    """Its keys are in the model folders of earlier runs."""
    model = convnet(classes=5, width=4)
    keys = list(model.state_dict())
    assert keys[0] == "body.stem.0.weight"
    assert keys[-2:] == ["head.weight", "head.bias"]
    assert len(keys) == 74
    x = torch.rand(2, 3, 96, 96)
    model.eval()
    torch.testing.assert_close(model(x), model.head(model.embed(x)), rtol=0, atol=0)
    assert convnet(classes=5, width=4, channels=1).eval()(torch.rand(2, 1, 28, 28)).shape == (2, 5)


def test_the_registry_knows_them():
    assert build("gauntlet:wide_resnet", classes=4, settings={"depth": 10, "factor": 1}).head.out_features == 4
