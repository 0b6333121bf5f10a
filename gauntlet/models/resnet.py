"""The residual networks of fast adversarial training, for images of 28 to 64 px: ResNet18, PreActResNet18, WideResNet.

Pixels in [0, 1] in, logits out; `embed` gives the features under `head`. All start at full resolution with a 3 x 3
convolution, so that a 32 px image reaches the last stage with 4 px (ResNets) or 8 px (wide ones).
"""

from collections.abc import Callable

from torch import Tensor, nn

from gauntlet.errors import ArgumentError
from gauntlet.models.convnet import normalization

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"relu": lambda: nn.ReLU(inplace=True), "gelu": nn.GELU}


def _conv(inside: int, outside: int, size: int, *, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inside, outside, size, stride, size // 2, bias=False)


class BasicBlock(nn.Module):
    """Convolution, norm, activation, twice, the second activation after the sum (He et al., CVPR 2016)."""

    def __init__(self, inside: int, outside: int, *, stride: int, activation: str) -> None:
        super().__init__()
        self.first, self.first_norm = _conv(inside, outside, 3, stride=stride), nn.BatchNorm2d(outside)
        self.second, self.second_norm = _conv(outside, outside, 3), nn.BatchNorm2d(outside)
        self.act = ACTIVATIONS[activation]()
        self.shortcut = nn.Identity()
        if stride > 1 or inside != outside:
            self.shortcut = nn.Sequential(_conv(inside, outside, 1, stride=stride), nn.BatchNorm2d(outside))

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W features to B x C' x H/stride x W/stride."""
        y = self.act(self.first_norm(self.first(x)))
        return self.act(self.second_norm(self.second(y)) + self.shortcut(x))


class PreActBlock(nn.Module):
    """Norm, activation, convolution, twice (He et al., ECCV 2016; Zagoruyko and Komodakis, BMVC 2016).

    Where the shape changes, the shortcut's convolution takes the activated input, elsewhere the input passes as it is.
    """

    def __init__(self, inside: int, outside: int, *, stride: int, activation: str) -> None:
        super().__init__()
        self.first_norm, self.first = nn.BatchNorm2d(inside), _conv(inside, outside, 3, stride=stride)
        self.second_norm, self.second = nn.BatchNorm2d(outside), _conv(outside, outside, 3)
        self.act = ACTIVATIONS[activation]()
        self.shortcut = None if stride == 1 and inside == outside else _conv(inside, outside, 1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W features to B x C' x H/stride x W/stride."""
        active = self.act(self.first_norm(x))
        y = self.second(self.act(self.second_norm(self.first(active))))
        return y + (x if self.shortcut is None else self.shortcut(active))


class ResidualNetwork(nn.Module):
    """A 3 x 3 stem, stages of residual blocks, mean pooling and a linear layer.

    Attributes:
        head: Linear, features to logits.
        pooled_px: Side of the map to which the last stage is pooled; features are its D = channels x side^2 values.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[PreActBlock],
        widths: tuple[int, ...],
        *,
        blocks: int,
        stem: int,
        classes: int,
        channels: int,
        activation: str,
        normalise: bool,
        pooled_px: int,
    ) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ArgumentError(f"activation must be one of {', '.join(ACTIVATIONS)}; got {activation!r}")
        self.normalize = normalization(channels) if normalise else nn.Identity()
        self.stem = _conv(channels, stem, 3)
        before = block is BasicBlock
        self.stem_norm = nn.Sequential(nn.BatchNorm2d(stem), ACTIVATIONS[activation]()) if before else nn.Identity()
        stages, inside = [], stem
        for number, width in enumerate(widths):
            for place in range(blocks):
                stride = 2 if number and not place else 1
                stages.append(block(inside, width, stride=stride, activation=activation))
                inside = width
        self.stages = nn.Sequential(*stages)
        self.last_norm = nn.Identity() if before else nn.Sequential(nn.BatchNorm2d(inside), ACTIVATIONS[activation]())
        self.pooled_px = pooled_px
        self.head = nn.Linear(inside * pooled_px**2, classes)

    def embed(self, x: Tensor) -> Tensor:
        """Map B x C x H x W pixels in [0, 1] to B x D features."""
        x = self.last_norm(self.stages(self.stem_norm(self.stem(self.normalize(x)))))
        if self.pooled_px == 1:
            return x.mean((2, 3))
        # torch's own pooling to a given size has no deterministic gradient on CUDA
        return x.unflatten(3, (self.pooled_px, -1)).unflatten(2, (self.pooled_px, -1)).mean((3, 5)).flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W pixels in [0, 1] to B x classes logits."""
        return self.head(self.embed(x))


def resnet18(
    *, classes: int, width: int = 64, channels: int = 3, activation: str = "relu", normalise: bool = False
) -> ResidualNetwork:
    """Build ResNet18 with a stem for small images (11,173,962 weights at ten classes).

    Args:
        classes: Number of logits.
        width: Channels of the first stage, >= 1; the last one has eight times as many.
        channels: Of the images: 3, or 1 for grey ones.
        activation: "relu" or "gelu".
        normalise: Take ImageNet's mean and deviation out first. Off, as in FGSM-LAW's code.

    Raises:
        ArgumentError: An unknown activation.
    """
    return ResidualNetwork(
        BasicBlock,
        tuple(width * 2**stage for stage in range(4)),
        blocks=2,
        stem=width,
        classes=classes,
        channels=channels,
        activation=activation,
        normalise=normalise,
        pooled_px=1,
    )


def preact_resnet18(
    *,
    classes: int,
    width: int = 64,
    channels: int = 3,
    activation: str = "relu",
    normalise: bool = False,
    pooled_px: int = 1,
) -> ResidualNetwork:
    """Build PreActResNet18, with a last norm and activation before the pooling (11,172,170 weights at ten classes).

    Args:
        classes: Number of logits.
        width: Channels of the first stage, >= 1.
        channels: Of the images: 3 or 1.
        activation: "relu" or "gelu".
        normalise: Take ImageNet's mean and deviation out first.
        pooled_px: Side of the pooled map, which must divide the last stage's; 2 gives the 2,048 features that FGSM-LAW
            has on Tiny ImageNet at 64 px.

    Raises:
        ArgumentError: An unknown activation.
    """
    return ResidualNetwork(
        PreActBlock,
        tuple(width * 2**stage for stage in range(4)),
        blocks=2,
        stem=width,
        classes=classes,
        channels=channels,
        activation=activation,
        normalise=normalise,
        pooled_px=pooled_px,
    )


def wide_resnet(
    *,
    classes: int,
    depth: int = 34,
    factor: int = 10,
    width: int = 16,
    channels: int = 3,
    activation: str = "relu",
    normalise: bool = False,
) -> ResidualNetwork:
    """Build WideResNet-depth-factor (WRN-34-10: 46,160,474 weights at ten classes).

    Args:
        classes: Number of logits.
        depth: Convolutions on the longest path, 6 n + 4.
        factor: How many times wider than `width` the first stage is.
        width: Channels of the stem.
        channels: Of the images: 3 or 1.
        activation: "relu" or "gelu".
        normalise: Take ImageNet's mean and deviation out first.

    Raises:
        ArgumentError: A depth that is not 6 n + 4, or an unknown activation.

    Source: Zagoruyko and Komodakis, BMVC 2016; initialised as in TRADES' code, normal with the fan-out's gain.
    """
    if depth < 10 or (depth - 4) % 6:
        raise ArgumentError(f"depth must be 6 n + 4, such as 28 or 34; got {depth}")
    network = ResidualNetwork(
        PreActBlock,
        tuple(width * factor * 2**stage for stage in range(3)),
        blocks=(depth - 4) // 6,
        stem=width,
        classes=classes,
        channels=channels,
        activation=activation,
        normalise=normalise,
        pooled_px=1,
    )
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    nn.init.zeros_(network.head.bias)
    return network


RESNETS = {build.__name__: build for build in (resnet18, preact_resnet18, wide_resnet)}
