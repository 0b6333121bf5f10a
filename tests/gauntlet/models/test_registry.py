"""Models by name take pixels in [0, 1]; their preprocessing is torchvision's and timm's own."""

import pytest
import timm
import torch
from PIL import Image
from torch import nn
from torchvision import models

from gauntlet.errors import ArgumentError, UnavailableError
from gauntlet.models.preprocessing import NAMED, Normalized, of_timm, of_torchvision
from gauntlet.models.registry import build, own_weights
from gauntlet.readers.labelled import CentreCrop


class Taken(nn.Module):
    """Give back what comes in."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def made(*, classes: int, scale: int = 1) -> nn.Module:
    return nn.Linear(scale, classes)


@pytest.mark.parametrize(
    ("name", "weights"),
    [("resnet50", "IMAGENET1K_V1"), ("resnet50", "IMAGENET1K_V2"), ("vit_b_16", "IMAGENET1K_SWAG_E2E_V1")],
)
def test_reader_and_wrapper_together_are_torchvisions_own_transform(name, weights):
    """From a file's pixels to the network's input, as torchvision's preset does it in one go."""
    generator = torch.Generator().manual_seed(0)
    raw = torch.randint(0, 256, (60, 80, 3), generator=generator, dtype=torch.uint8)
    picture = Image.fromarray(raw.numpy()).resize((640, 480), Image.Resampling.BICUBIC)
    own = of_torchvision(name, weights)
    cropped = CentreCrop(own.resize_px, own.input_px, own.interpolation)(picture)
    preset = models.get_model_weights(name)[weights].transforms()
    x = torch.frombuffer(bytearray(cropped.tobytes()), dtype=torch.uint8).view(1, own.input_px, own.input_px, 3)
    ours = Normalized(Taken(), own)(x.permute(0, 3, 1, 2).float() / 255)
    torch.testing.assert_close(ours, preset(picture)[None], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "mean", "size", "resize", "interpolation"),
    [
        ("vit_base_patch16_224.augreg_in1k", 0.5, 224, 248, "bicubic"),
        ("resnet50.tv_in1k", 0.485, 224, 256, "bilinear"),
        ("convnext_base.fb_in22k_ft_in1k_384", 0.485, 384, 384, "bicubic"),
        ("xcit_small_12_p16_224.fb_in1k", 0.485, 224, 224, "bicubic"),
    ],
)
def test_timm_metadata(name, mean, size, resize, interpolation):
    with torch.device("meta"):
        own = of_timm(timm.create_model(name))
    assert (own.mean[0], own.input_px, own.resize_px, own.interpolation) == (mean, size, resize, interpolation)


def test_images_of_another_size_are_scaled_inside_and_pass_their_gradient():
    model = build("timm:test_vit", classes=5, settings={"preprocessing": "own"}).eval()
    x = torch.rand(2, 3, 97, 64, requires_grad=True)
    (gradient,) = torch.autograd.grad(model(x).sum(), x)
    assert gradient.abs().sum((1, 2, 3)).min() > 0
    right = torch.rand(2, 3, 160, 160)
    assert torch.equal(model(right), model.network(model.normalize(right)))


@pytest.mark.parametrize(("name", "mean"), [("imagenet", 0.485), ("inception", 0.5), ("none", 0.0)])
def test_statistics_by_name(name, mean):
    x = torch.rand(1, 3, 4, 4)
    model = Normalized(Taken(), NAMED[name])
    deviation = {"imagenet": 0.229, "inception": 0.5, "none": 1.0}[name]
    torch.testing.assert_close(model(x)[:, 0], (x[:, 0] - mean) / deviation)


@pytest.mark.parametrize(
    ("name", "settings", "mean"),
    [
        ("torchvision:resnet18", {}, 0.485),
        ("torchvision:resnet18", {"preprocessing": "none"}, 0.0),
        ("timm:test_vit", {}, 0.485),
        ("timm:test_vit", {"preprocessing": "own"}, 0.5),
        ("timm:vit_tiny_patch16_224.augreg_in21k_ft_in1k", {"preprocessing": "own", "img_size": 32}, 0.5),
    ],
)
def test_what_is_asked_for_is_built(name, settings, mean):
    model = build(name, classes=4, settings=settings)
    assert model.preprocessing.mean[0] == mean
    assert all(key.startswith("network.") for key in model.state_dict())


def test_gelu_takes_the_place_of_relu_and_keeps_the_weights():
    plain = build("torchvision:resnet18", classes=3, settings={})
    model = build("torchvision:resnet18", classes=3, settings={"activation": "gelu"})
    model.load_state_dict(plain.state_dict())
    assert not [module for module in model.modules() if isinstance(module, nn.ReLU)]
    theirs = timm.create_model("resnet18", num_classes=3, act_layer=timm.layers.GELU).eval()
    theirs.load_state_dict(plain.network.state_dict())
    x = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(model.eval()(x), theirs(model.normalize(x)))


@pytest.mark.parametrize(
    ("name", "settings", "part"),
    [
        ("torchvision:resnet18", {"preprocessing": "mean"}, "preprocessing must be one of own, imagenet"),
        ("torchvision:resnet18", {"activation": "swish"}, "activation must be one of relu, gelu"),
        ("torchvision:resnet18", {"preprocessing": "own", "weights": "V9"}, "IMAGENET1K_V1, DEFAULT; got 'V9'"),
        ("gauntlet:resnet18", {"widht": 2}, "unexpected keyword argument 'widht'; misspelt"),
        ("timm:botnet50ts_256", {"pretrained": True}, "has no weights of its own; give a checkpoint"),
        ("timm:resnet50.nobody_in1k", {}, "none named 'resnet50.nobody_in1k'"),
        ("timm:test_vit", {"size": 2}, "unexpected keyword argument 'size'; misspelt"),
        ("timm:test_vit", {"activation": "gelu"}, "has none; already GELU"),
        ("torchvision:resnet19", {}, "none named 'resnet19'"),
        ("timm:resnet19.tv_in1k", {}, "none named"),
        ("gauntlet:resnet19", {}, "wide_resnet.*got 'resnet19'"),
        ("resnet18", {}, "family:name"),
        (f"{__name__}:makes", {}, "must define makes"),
    ],
)
def test_a_bad_name_or_setting_is_one_line(name, settings, part):
    with pytest.raises(ArgumentError, match=part) as caught:
        build(name, classes=3, settings=settings)
    assert "\n" not in str(caught.value)


def test_a_missing_package_is_unavailable():
    with pytest.raises(UnavailableError, match="needs the package not_there"):
        build("not_there:model", classes=3, settings={})


def test_any_function():
    assert build("tests.gauntlet.models.test_registry:made", classes=3, settings={"scale": 2}).weight.shape == (3, 2)


@pytest.mark.parametrize(
    ("name", "fetch"),
    [
        ("torchvision:resnet18", "torchvision.models.resnet.WeightsEnum.get_state_dict"),
        ("timm:test_vit", "timm.create_model"),
    ],
)
def test_weights_out_of_reach_are_one_line(name, fetch, monkeypatch):
    def fail(*arguments, **settings):
        raise ConnectionError("cannot resolve the host\nwith a long explanation")

    monkeypatch.setattr(fetch, fail)
    own = own_weights(name)
    with pytest.raises(UnavailableError, match="cannot resolve the host; no network") as caught:
        build(name, classes=1000, settings=own)
    assert "\n" not in str(caught.value)


def test_own_weights_are_asked_for_as_each_package_wants():
    assert own_weights("timm:test_vit") == {"pretrained": True, "preprocessing": "own"}
    assert own_weights("torchvision:resnet18") == {"weights": "DEFAULT", "preprocessing": "own"}
    assert own_weights("torchvision:fcos_resnet50_fpn") == {"weights": "DEFAULT"}
    assert own_weights("gauntlet:resnet18") == own_weights("some.module:function") == {}
