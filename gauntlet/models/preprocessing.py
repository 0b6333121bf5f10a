"""What a pretrained classifier wants done to pixels in [0, 1], read from its own metadata and done inside the model."""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.models.convnet import DEVIATION, MEAN, Normalize


@dataclass(frozen=True)
class Preprocessing:
    """A classifier's statistics and sizes.

    Attributes:
        mean: Per channel, on pixels in [0, 1].
        deviation: Per channel.
        input_px: Side of the square that the network takes; None takes any.
        resize_px: Shorter side to which a picture is scaled before its middle square of `input_px` is cut; the data
            set's reader does that.
        interpolation: "bilinear" or "bicubic", of both scalings.
    """

    mean: tuple[float, ...] = MEAN
    deviation: tuple[float, ...] = DEVIATION
    input_px: int | None = None
    resize_px: int | None = None
    interpolation: str = "bicubic"


NAMED = {
    "imagenet": Preprocessing(),
    "inception": Preprocessing(mean=(0.5,) * 3, deviation=(0.5,) * 3),
    "none": Preprocessing(mean=(0.0,) * 3, deviation=(1.0,) * 3),
}
"""Statistics by name; "own" stands beside them, where a model's metadata say."""


class Normalized(nn.Module):
    """A classifier that takes pixels in [0, 1], scales them to its own size and normalises inside.

    Attributes:
        network: Normalised pixels to logits.
        preprocessing: What is done first; images that have `input_px` already are not scaled.
    """

    def __init__(self, network: nn.Module, preprocessing: Preprocessing = NAMED["imagenet"]) -> None:
        super().__init__()
        self.normalize = Normalize(preprocessing.mean, preprocessing.deviation)
        self.network = network
        self.preprocessing = preprocessing

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W pixels in [0, 1] to B x classes logits."""
        size = self.preprocessing.input_px
        if size is not None and x.shape[-2:] != (size, size):
            x = functional.interpolate(x, size=(size, size), mode=self.preprocessing.interpolation, antialias=True)
            x = x.clamp(0, 1)  # bicubic overshoots at edges
        return self.network(self.normalize(x))


def of_torchvision(name: str, weights: str = "DEFAULT") -> Preprocessing:
    """Read the preprocessing of torchvision's weights for a classifier.

    Args:
        name: Of the model.
        weights: Of its weights, such as "IMAGENET1K_V1".

    Raises:
        ArgumentError: The model has no such weights.
    """
    from torchvision import models

    known = models.get_model_weights(name)
    if weights not in known.__members__:
        raise ArgumentError(f"weights of {name} must be one of {', '.join(known.__members__)}; got {weights!r}")
    preset = known[weights].transforms()
    return Preprocessing(
        mean=tuple(preset.mean),
        deviation=tuple(preset.std),
        input_px=preset.crop_size[0],
        resize_px=preset.resize_size[0],
        interpolation=preset.interpolation.value,
    )


def of_timm(network: nn.Module) -> Preprocessing:
    """Read the preprocessing that timm notes beside a network's weights."""
    from timm.data import resolve_model_data_config

    data = resolve_model_data_config(network)
    size = data["input_size"][-1]
    return Preprocessing(
        mean=tuple(data["mean"]),
        deviation=tuple(data["std"]),
        input_px=size,
        resize_px=int(size / data["crop_pct"]),
        interpolation=data["interpolation"] if data["interpolation"] == "bilinear" else "bicubic",
    )


def with_gelu(network: nn.Module) -> nn.Module:
    """Put GELU in the place of every ReLU, in the same order of modules; weights keep their names.

    Raises:
        ArgumentError: The network has no ReLU of its own, as where it calls the function instead.
    """
    found = [
        (parent, name)
        for parent in network.modules()
        for name, child in parent.named_children()
        if isinstance(child, nn.ReLU)
    ]
    if not found:
        raise ArgumentError(f"activation: gelu replaces ReLU modules; {type(network).__name__} has none; already GELU?")
    for parent, name in found:
        setattr(parent, name, nn.GELU())
    return network
