"""A small residual network for two-core machines: four stages, pixels in [0, 1] in, features or logits out."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.errors import ArgumentError

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


class Normalize(nn.Module):
    """Take the mean and deviation, ImageNet's unless others are given, out of pixels in [0, 1]."""

    def __init__(self, mean: Sequence[float] = MEAN, deviation: Sequence[float] = DEVIATION) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation).view(1, -1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W pixels to roughly unit variance."""
        return (x - self.mean) / self.deviation


def normalization(channels: int) -> Normalize:
    """Return ImageNet's normalisation for three channels, or for one channel that stands for all three.

    Raises:
        ArgumentError: Another number of channels.
    """
    if channels not in (1, 3):
        raise ArgumentError(f"channels must be 3, or 1 for grey images; got {channels}")
    return Normalize() if channels == 3 else Normalize((sum(MEAN) / 3,), (sum(DEVIATION) / 3,))


class Block(nn.Module):
    """Two 3 x 3 convolutions with batch normalisation around a shortcut."""

    def __init__(self, inside: int, outside: int, *, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outside)
        self.second = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(outside)
        self.shortcut = nn.Identity()
        if stride > 1 or inside != outside:
            pool = nn.AvgPool2d(stride, ceil_mode=True) if stride > 1 else nn.Identity()
            self.shortcut = nn.Sequential(pool, nn.Conv2d(inside, outside, 1, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W features to B x C' x H/stride x W/stride."""
        y = functional.relu(self.first_norm(self.first(x)), inplace=True)
        return functional.relu(self.second_norm(self.second(y)) + self.shortcut(x), inplace=True)


class Stages(nn.Module):
    """A stem of stride 4 and residual stages of stride 4, 8, 16 and 32.

    Attributes:
        channels: Channels of each stage.
    """

    def __init__(self, *, width: int, channels: int = 3) -> None:
        super().__init__()
        self.channels = (width, 2 * width, 4 * width, 6 * width)
        self.stem = nn.Sequential(
            nn.Conv2d(channels, width, 6, 4, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        sizes = (width, *self.channels)
        self.stages = nn.ModuleList(
            Block(inside, outside, stride=1 if n == 0 else 2)
            for n, (inside, outside) in enumerate(zip(sizes, self.channels, strict=False))
        )

    def forward(self, x: Tensor) -> "OrderedDict[str, Tensor]":
        """Return the features of each stage, finest first."""
        features = OrderedDict()
        x = self.stem(x)
        for number, stage in enumerate(self.stages):
            x = stage(x)
            features[str(number)] = x
        return features


class ConvNet(nn.Module):
    """The stages under mean pooling and a linear layer.

    Attributes:
        input_px: Side to which larger images are scaled first.
        head: Linear, features to logits.
    """

    def __init__(self, *, classes: int, width: int, input_px: int, channels: int) -> None:
        super().__init__()
        self.input_px = input_px
        self.normalize = normalization(channels)
        self.body = Stages(width=width, channels=channels)
        self.head = nn.Linear(self.body.channels[-1], classes)

    def embed(self, x: Tensor) -> Tensor:
        """Map B x C x H x W pixels in [0, 1] to B x D features."""
        if x.shape[-1] > self.input_px:
            x = functional.interpolate(x, size=(self.input_px, self.input_px), mode="bilinear", antialias=True)
        features = self.body(self.normalize(x))
        return features[next(reversed(features))].mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W pixels in [0, 1] to B x classes logits."""
        return self.head(self.embed(x))


def convnet(*, classes: int, width: int = 32, input_px: int = 64, channels: int = 3) -> ConvNet:
    """Build the small classifier.

    Args:
        classes: Number of logits.
        width: Channels of the first stage; the last one has six times as many.
        input_px: Larger images are scaled to this side first.
        channels: Of the images: 3, or 1 for grey ones.

    Raises:
        ArgumentError: Another number of channels.
    """
    return ConvNet(classes=classes, width=width, input_px=input_px, channels=channels)
