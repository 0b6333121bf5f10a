"""The 55 ImageNet classifiers of ARES-Bench: where each one's weights come from, and how it wants its pixels.

Those that a package brings are built with its own weights; the others need the file that the authors published, by
its name, in a folder of the user's: load it with `gauntlet.readers.checkpoints.load_checkpoint`.

Source: ARES-Bench (IJCV 133:567-589), the model zoo of its code, under the names that timm 1 gives the same weights.
"""

from collections import Counter
from dataclasses import dataclass

from torch import nn

from gauntlet.errors import ArgumentError
from gauntlet.models.registry import build

GROUPS = {"normal": 24, "pretrained_21k": 9, "self_supervised": 3, "adversarial": 12, "other_robust": 7}
"""How many there are of each kind of training."""


@dataclass(frozen=True)
class AresModel:
    """One of the 55.

    Attributes:
        name: The authors' name of it.
        group: A key of `GROUPS`.
        architecture: As `gauntlet.models.registry.build` takes it.
        weights: torchvision's name of its own weights, "pretrained" for timm's, or the authors' file.
        preprocessing: "imagenet", "inception" or "none": mean and deviation.
        act_gelu: GELU stands in the place of ReLU.
        pooling: What the head of a timm transformer takes, where that is not its default.
    """

    name: str
    group: str
    architecture: str
    weights: str
    preprocessing: str = "imagenet"
    act_gelu: bool = False
    pooling: str | None = None

    @property
    def checkpoint(self) -> str | None:
        """The name of the authors' file, or None where a package brings the weights."""
        return self.weights if self.weights.endswith(".pth") else None

    @property
    def settings(self) -> dict[str, object]:
        """Keyword arguments for `build`."""
        settings: dict[str, object] = {"preprocessing": self.preprocessing}
        if self.act_gelu:
            settings["activation"] = "gelu"
        if self.pooling:
            settings["global_pool"] = self.pooling
        if not self.checkpoint:
            settings |= {"pretrained": True} if self.architecture.startswith("timm:") else {"weights": self.weights}
        return settings


def _packaged(group: str, names: dict[str, str], *, preprocessing: str = "imagenet") -> list[AresModel]:
    return [
        AresModel(name, group, where, "pretrained" if where.startswith("timm:") else "IMAGENET1K_V1", preprocessing)
        for name, where in names.items()
    ]


SWIN, VIT, XCIT = "timm:swin_{}_patch4_window7_224", "timm:vit_{}_patch16_224", "timm:xcit_{}_p16_224"
SIZES = {"s": "small", "b": "base", "l": "large"}

_NORMAL = [
    *_packaged("normal", {f"resnet{depth}_normal": f"torchvision:resnet{depth}" for depth in (50, 101, 152)}),
    *_packaged("normal", {"wresnet50_normal": "timm:wide_resnet50_2.racm_in1k"}),
    *_packaged("normal", {f"vgg{depth}_normal": f"torchvision:vgg{depth}" for depth in (13, 16, 19)}),
    *_packaged("normal", {f"densenet{depth}_normal": f"torchvision:densenet{depth}" for depth in (121, 161, 201)}),
    *_packaged("normal", {f"conv{size}_normal": f"timm:convnext_{word}.fb_in1k" for size, word in SIZES.items()}),
    *_packaged("normal", {"swins_normal": f"{SWIN.format('small')}.ms_in1k"}),
    AresModel("swinb_normal", "normal", SWIN.format("base"), "ARES_Swin_base_patch4_window7_224_Normal.pth"),
    *(
        AresModel(
            f"vit{size}_normal", "normal", VIT.format(word), f"ARES_ViT_{word}_patch16_224_Normal.pth", "inception"
        )
        for size, word in SIZES.items()
    ),
    *(
        AresModel(
            f"t2t{depth}_normal",
            "normal",
            f"gauntlet.models.t2t_vit:t2t_vit_{depth}",
            f"ARES_T2T_ViT_{depth}_Normal.pth",
        )
        for depth in (14, 19, 24)
    ),
    *_packaged(
        "normal",
        {
            f"xcit{size}_normal": f"timm:xcit_{word}_24_p16_224.fb_in1k"
            for size, word in {"s": "small", "m": "medium", "l": "large"}.items()
        },
    ),
]
_PRETRAINED_21K = [
    *_packaged(
        "pretrained_21k",
        {f"conv{size}_21k": f"timm:convnext_{word}.fb_in22k_ft_in1k" for size, word in SIZES.items()},
    ),
    AresModel("swins_21k", "pretrained_21k", SWIN.format("small"), "ARES_Swin_small_patch4_window7_224_21K.pth"),
    *_packaged(
        "pretrained_21k",
        {f"swin{size}_21k": f"{SWIN.format(SIZES[size])}.ms_in22k_ft_in1k" for size in "bl"},
    ),
    *_packaged(
        "pretrained_21k",
        {f"vit{size}_21k": f"{VIT.format(word)}.augreg_in21k_ft_in1k" for size, word in SIZES.items()},
        preprocessing="inception",
    ),
]
_SELF_SUPERVISED = [
    AresModel("resnet50_moco", "self_supervised", "torchvision:resnet50", "ARES_ResNet50_MOCO.pth"),
    *(
        AresModel(
            f"vit{size}_mae",
            "self_supervised",
            VIT.format(SIZES[size]),
            f"ARES_ViT_{SIZES[size]}_patch16_224_MAE.pth",
            pooling="avg",
        )
        for size in "bl"
    ),
]
_ADVERSARIAL = [
    AresModel("resnet50_at", "adversarial", "timm:resnet50", "ARES_ResNet50_AT.pth"),
    AresModel("resnet101_at", "adversarial", "timm:resnet101", "ARES_ResNet101_AT.pth"),
    AresModel("resnet152_at", "adversarial", "timm:resnet152", "ARES_ResNet152_AT.pth", act_gelu=True),
    AresModel("wresnet50_at", "adversarial", "timm:wide_resnet50_2", "ARES_Wide_ResNet50_2_AT.pth", act_gelu=True),
    *(
        AresModel(
            f"convnext{size}_at", "adversarial", f"timm:convnext_{word}", f"ARES_ConvNext_{word.capitalize()}_AT.pth"
        )
        for size, word in SIZES.items()
    ),
    *(
        AresModel(f"swin{size}_at", "adversarial", SWIN.format(word), f"ARES_Swin_{word}_patch4_window7_224_AT.pth")
        for size, word in SIZES.items()
    ),
    *(
        AresModel(f"vit{size}_at", "adversarial", VIT.format(SIZES[size]), f"ARES_ViT_{SIZES[size]}_patch16_224_AT.pth")
        for size in "sb"
    ),
]
_OTHER_ROBUST = [
    AresModel("resnet50_sota1", "other_robust", "torchvision:resnet50", "ARES_ResNet50_RB1.pth"),
    AresModel("resnet50_sota2", "other_robust", "torchvision:resnet50", "ARES_ResNet50_RB2.pth"),
    AresModel("wresnet50_sota", "other_robust", "torchvision:wide_resnet50_2", "ARES_Wide_ResNet50_2_RB.pth"),
    AresModel(
        "resnet152_fd",
        "other_robust",
        "gauntlet.models.feature_denoising:resnet152_fd",
        "ARES_ResNet152_FD.pth",
        "none",
    ),
    AresModel("xcits_sota", "other_robust", XCIT.format("small_12"), "ARES_XciT_small_12_p16_224_RB.pth", "none"),
    *(
        AresModel(
            f"xcit{word[0]}_sota",
            "other_robust",
            f"gauntlet.models.xcit:xcit_{word}_12",
            f"ARES_XciT_{word}_12_p16_224_RB.pth",
            "none",
        )
        for word in ("medium", "large")
    ),
]

ARES_MODELS = {
    model.name: model for model in (*_NORMAL, *_PRETRAINED_21K, *_SELF_SUPERVISED, *_ADVERSARIAL, *_OTHER_ROBUST)
}
"""All 55 by name, in the paper's groups."""


def ares_model(name: str) -> nn.Module:
    """Build one of the 55 for pixels in [0, 1] and 1,000 classes; a model with a checkpoint still needs it loaded.

    Raises:
        ArgumentError: No such model.
        UnavailableError: Its package is not installed.
    """
    if name not in ARES_MODELS:
        raise ArgumentError(f"ARES-Bench has {len(ARES_MODELS)} models, {', '.join(ARES_MODELS)}; got {name!r}")
    return build(ARES_MODELS[name].architecture, classes=1000, settings=ARES_MODELS[name].settings)


def counts() -> Counter[str]:
    """Count the models of each group."""
    return Counter(model.group for model in ARES_MODELS.values())
