"""The 55 of ARES-Bench: all there, all known to their packages, with the statistics that the zoo lists."""

import pytest
import timm
import torch
from torch import nn
from torchvision import models

from gauntlet.errors import ArgumentError
from gauntlet.models.ares_models import ARES_MODELS, GROUPS, ares_model, counts
from gauntlet.models.feature_denoising import NonLocalMean, pad_same
from gauntlet.models.preprocessing import NAMED, of_timm, of_torchvision
from gauntlet.models.t2t_vit import sinusoids, t2t_vit_14

PACKAGED = [model for model in ARES_MODELS.values() if not model.checkpoint]
SIZES_M = {
    "t2t14_normal": 21.5, "t2t19_normal": 39.2, "t2t24_normal": 64.1, "xcits_sota": 26.3, "xcitm_sota": 46.4,
    "xcitl_sota": 104.0, "resnet50_at": 25.6, "wresnet50_sota": 68.9, "resnet152_at": 60.2, "vitl_mae": 304.3,
    "swinl_at": 196.5, "convnextl_at": 197.8,
}  # fmt: skip


def test_the_papers_counts():
    assert counts() == GROUPS == dict(zip(GROUPS, (24, 9, 3, 12, 7), strict=True))
    assert len(ARES_MODELS) == 55
    assert len(PACKAGED) == 25
    assert len({model.checkpoint for model in ARES_MODELS.values()} - {None}) == 30


@pytest.mark.parametrize("model", ARES_MODELS.values(), ids=lambda model: model.name)
def test_every_name_is_known_to_its_package(model):
    family, _, name = model.architecture.partition(":")
    if family == "timm":
        assert name in timm.list_models() or name in timm.list_models(pretrained=True)
        assert bool(model.checkpoint) == ("." not in name)
    elif family == "torchvision":
        assert name in models.list_models()
        assert model.checkpoint or model.weights in models.get_model_weights(name).__members__
    else:
        assert model.checkpoint
        assert family.startswith("gauntlet.models.")


@pytest.mark.parametrize("model", PACKAGED, ids=lambda model: model.name)
def test_listed_statistics_are_the_packages(model):
    family, _, name = model.architecture.partition(":")
    own = _timm_metadata(name) if family == "timm" else of_torchvision(name, model.weights)
    listed = NAMED[model.preprocessing]
    assert (own.mean, own.deviation) == (listed.mean, listed.deviation)
    assert own.input_px == 224


def _timm_metadata(name):
    network = nn.Module()
    network.pretrained_cfg = timm.get_pretrained_cfg(name).to_dict()
    return of_timm(network)


def test_the_zoos_own_cases():
    assert [name for name, model in ARES_MODELS.items() if model.act_gelu] == ["resnet152_at", "wresnet50_at"]
    assert [name for name, model in ARES_MODELS.items() if model.preprocessing == "none"] == [
        *("resnet152_fd", "xcits_sota", "xcitm_sota", "xcitl_sota")
    ]
    assert {name[:4] for name, model in ARES_MODELS.items() if model.preprocessing == "inception"} == {
        *("vits", "vitb", "vitl")
    }
    assert ARES_MODELS["vits_at"].preprocessing == ARES_MODELS["vitb_mae"].preprocessing == "imagenet"


@pytest.mark.parametrize(("name", "millions"), SIZES_M.items())
def test_networks_with_a_checkpoint_have_the_published_size(name, millions):
    with torch.device("meta"):
        model = ares_model(name)
    assert sum(weight.numel() for weight in model.parameters()) / 1e6 == pytest.approx(millions, rel=0.015)
    assert any(isinstance(module, nn.ReLU) for module in model.modules()) == (name in ("resnet50_at", "wresnet50_sota"))


def test_mae_pools_its_patches_under_their_own_norm():
    with torch.device("meta"):
        keys = ares_model("vitb_mae").state_dict()
    assert "network.fc_norm.weight" in keys
    assert "network.norm.weight" not in keys


def test_an_unknown_model_lists_the_known():
    with pytest.raises(ArgumentError, match="has 55 models, resnet50_normal"):
        ares_model("resnet51")


def test_t2t_gives_logits_and_has_the_authors_names():
    model = t2t_vit_14(classes=3).eval()
    assert model(torch.rand(1, 3, 224, 224)).shape == (1, 3)
    keys = model.network.state_dict()
    for key in ("tokens_to_token.attention1.attn.qkv.weight", "blocks.13.mlp.fc2.bias", "cls_token", "norm.weight"):
        assert key in keys
    assert not [key for key in keys if key.endswith("qkv.bias")]


def test_the_position_code_is_the_closed_form():
    code = sinusoids(5, 6)
    assert code[3, 4].item() == pytest.approx(torch.sin(torch.tensor(3 / 10000 ** (4 / 6))).item(), abs=1e-6)
    assert code[3, 5].item() == pytest.approx(torch.cos(torch.tensor(3 / 10000 ** (4 / 6))).item(), abs=1e-6)


@pytest.mark.parametrize(
    ("side", "size", "stride", "before", "after"),
    [(224, 7, 2, 2, 3), (112, 3, 2, 0, 1), (57, 3, 2, 1, 1), (56, 3, 1, 1, 1), (4, 1, 2, 0, 0)],
)
def test_tensorflows_padding(side, size, stride, before, after):
    padded = pad_same(torch.ones(1, 1, side, side), size, stride)
    assert (padded.shape[-1] - size) // stride + 1 == -(-side // stride)
    inside = padded[0, 0].nonzero()
    assert padded.shape[-2:] == (side + before + after,) * 2
    assert inside.min(0).values.tolist() == [before, before]
    assert inside.max(0).values.tolist() == [before + side - 1] * 2


def test_a_non_local_mean_of_equal_features_is_the_feature():
    layer = NonLocalMean(4).eval()
    x = torch.rand(2, 4, 1, 1).expand(2, 4, 3, 3)
    torch.testing.assert_close(layer(x), x + layer.bn(layer.conv(x)))
    y = torch.rand(1, 4, 3, 2)
    turned = layer(y.flip(2))
    torch.testing.assert_close(turned.flip(2), layer(y))
