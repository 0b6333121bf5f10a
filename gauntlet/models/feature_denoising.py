"""ResNet152 with a non-local mean after each stage; weights have the names of ARES-Bench's file.

Source: Xie et al., CVPR 2019 (embedded Gaussian). As in ARES-Bench's code, and unlike a usual ResNet: the channels
are turned to BGR, paddings are TensorFlow's, and GELU stands in the place of ReLU.
"""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

from gauntlet.models.preprocessing import NAMED, Normalized


def pad_same(x: Tensor, size: int, stride: int) -> Tensor:
    """Pad as TensorFlow's "same" does for a kernel of `size`: the odd pixel goes to the right and the bottom."""
    borders = []
    for side in (x.shape[3], x.shape[2]):
        total = max(size - (side % stride or stride), 0)
        borders += [total // 2, total - total // 2]
    return functional.pad(x, borders)


class NonLocalMean(nn.Module):
    """A mean over all places, weighted by the likeness of features, under a 1 x 1 convolution and a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.embedding_theta = nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.embedding_phi = nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.conv = nn.Conv2d(channels, channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W features to the same shape."""
        queries, keys, values = (
            each.flatten(2).transpose(1, 2) for each in (self.embedding_theta(x), self.embedding_phi(x), x)
        )
        mean = functional.scaled_dot_product_attention(queries, keys, values, scale=x.shape[1] ** -0.5)
        return x + self.bn(self.conv(mean.transpose(1, 2).reshape(x.shape)))


class Bottleneck(nn.Module):
    """The block of ResNet50 and deeper, the stride in its 3 x 3 convolution."""

    def __init__(self, inside: int, middle: int, *, stride: int, activation: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inside, middle, 1, bias=False), nn.BatchNorm2d(middle)
        self.conv2, self.bn2 = nn.Conv2d(middle, middle, 3, stride, bias=False), nn.BatchNorm2d(middle)
        self.conv3, self.bn3 = nn.Conv2d(middle, 4 * middle, 1, bias=False), nn.BatchNorm2d(4 * middle)
        self.act, self.stride = activation(), stride
        self.downsample = None
        if stride > 1 or inside != 4 * middle:
            shortcut = nn.Conv2d(inside, 4 * middle, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(4 * middle))

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W features to B x C' x H/stride x W/stride."""
        y = self.act(self.bn1(self.conv1(x)))
        y = self.act(self.bn2(self.conv2(pad_same(y, 3, self.stride))))
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.act(self.bn3(self.conv3(y)) + shortcut)


class DenoisingResNet(nn.Module):
    """A ResNet of bottlenecks with a non-local mean at the end of each stage."""

    def __init__(self, *, classes: int, blocks: tuple[int, ...], activation: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.conv0, self.bn0, self.act = nn.Conv2d(3, 64, 7, 2, bias=False), nn.BatchNorm2d(64), activation()
        inside = 64
        for stage, count in enumerate(blocks):
            middle, layers = 64 * 2**stage, []
            for place in range(count):
                stride = 2 if stage and not place else 1
                layers.append(Bottleneck(inside, middle, stride=stride, activation=activation))
                inside = 4 * middle
            self.add_module(f"group{stage}", nn.Sequential(*layers, NonLocalMean(inside)))
        self.linear = nn.Linear(inside, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map B x 3 x H x W pixels, RGB, to B x classes logits."""
        x = self.act(self.bn0(self.conv0(pad_same(x.flip(1), 7, 2))))
        x = functional.max_pool2d(pad_same(x, 3, 2), 3, 2)
        for stage in (self.group0, self.group1, self.group2, self.group3):
            x = stage(x)
        return self.linear(x.mean((2, 3)))


def resnet152_fd(*, classes: int = 1000, preprocessing: str = "none") -> Normalized:
    """Build the denoising ResNet152 for pixels in [0, 1], which it takes as they are."""
    network = DenoisingResNet(classes=classes, blocks=(3, 8, 36, 3), activation=nn.GELU)
    return Normalized(network, NAMED[preprocessing])
