"""Features of our networks through `embed`, of any other through its last linear layer."""

import pytest
import torch
from torch import nn

from gauntlet.errors import ArgumentError
from gauntlet.models.convnet import convnet
from gauntlet.models.features import logits_and_features
from gauntlet.models.registry import build


class Counted(nn.Module):
    """A network that counts its forward passes."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.passes = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.passes += 1
        return self.layers(x)


def test_one_pass_gives_both_with_their_graph():
    torch.manual_seed(0)
    model = Counted(nn.Flatten(), nn.Linear(12, 5), nn.Tanh(), nn.Linear(5, 3))
    x = torch.rand(4, 3, 2, 2, requires_grad=True)
    logits, features = logits_and_features(model, x)
    assert model.passes == 1
    torch.testing.assert_close(features, torch.tanh(model.layers[1](x.flatten(1))))
    torch.testing.assert_close(logits, model.layers[3](features))
    assert torch.autograd.grad(features.sum(), x)[0].abs().sum() > 0
    assert not model.layers[3]._forward_pre_hooks


def test_our_networks_and_others_agree_on_what_features_are():
    model = convnet(classes=4, width=4).eval()
    x = torch.rand(2, 3, 32, 32)
    by_hook = logits_and_features(Counted(model), x)
    ours = logits_and_features(model, x)
    torch.testing.assert_close(ours.features, by_hook.features, rtol=0, atol=0)
    torch.testing.assert_close(ours.logits, model(x), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("name", "size"),
    [("torchvision:resnet18", 512), ("torchvision:mobilenet_v3_small", 1024), ("timm:test_vit", 64)],
)
def test_any_model_by_name(name, size):
    model = build(name, classes=6, settings={}).eval()
    x = torch.rand(2, 3, 160, 160)
    logits, features = logits_and_features(model, x)
    assert logits.shape == (2, 6)
    assert features.shape == (2, size)


@pytest.mark.parametrize(
    "model", [Counted(nn.Conv2d(3, 2, 1)), Counted(nn.Flatten(0), nn.Unflatten(0, (4, 3)), nn.Linear(3, 2))]
)
def test_a_model_without_features_is_named(model):
    with pytest.raises(ArgumentError, match="give the model `embed` and `head`"):
        logits_and_features(model, torch.rand(2, 3, 1, 2))


def test_the_hook_is_gone_after_a_failure():
    model = Counted(nn.Linear(3, 2))
    with pytest.raises(RuntimeError):
        logits_and_features(model, torch.rand(2, 4))
    assert not model.layers[0]._forward_pre_hooks
