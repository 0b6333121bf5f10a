"""StarGAN: the edit's code is tiled onto the picture; strided convolutions, residual blocks, and back."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class StarGanShape:
    """What a StarGAN generator is built from.

    Attributes:
        codes: Length of the code.
        width: Channels at full size, doubled at each of the two reductions; 64 in the paper.
        blocks: Residual blocks at a quarter of the size; 6 in the paper.
        kernel: Side of the first and the last convolution, odd; 7 in the paper.
    """

    codes: int
    width: int = 64
    blocks: int = 6
    kernel: int = 7


class Residual(nn.Module):
    """Two 3 x 3 convolutions with instance normalisation around a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(width, width, 3, 1, 1, bias=False),
            nn.InstanceNorm2d(width, affine=True),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, 1, 1, bias=False),
            nn.InstanceNorm2d(width, affine=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape B x C x H x W."""
        return x + self.main(x)


def trunk(shape: StarGanShape) -> list[nn.Module]:
    """Return all layers before the last convolution: B x (3 + codes) x H x W to B x width x H x W."""
    half, width = shape.kernel // 2, shape.width
    layers: list[nn.Module] = [
        nn.Conv2d(3 + shape.codes, width, shape.kernel, 1, half, bias=False),
        nn.InstanceNorm2d(width, affine=True),
        nn.ReLU(inplace=True),
    ]
    for inside in (width, 2 * width):
        layers += [nn.Conv2d(inside, 2 * inside, 4, 2, 1, bias=False), *_normed(2 * inside)]
    layers += [Residual(4 * width) for _ in range(shape.blocks)]
    for inside in (4 * width, 2 * width):
        layers += [nn.ConvTranspose2d(inside, inside // 2, 4, 2, 1, bias=False), *_normed(inside // 2)]
    return layers


def _normed(width: int) -> list[nn.Module]:
    return [nn.InstanceNorm2d(width, affine=True), nn.ReLU(inplace=True)]


def tiled(x: Tensor, code: Tensor) -> Tensor:
    """Return B x (3 + A) x H x W: the picture and the code at every pixel."""
    return torch.cat([x, code[:, :, None, None].expand(-1, -1, *x.shape[2:])], 1)


class StarGan(nn.Module):
    """The generator, its weights named as in the authors' checkpoints.

    The published network keeps running statistics and never uses them: it is run in training mode. Here the
    normalisation has none.

    Source: Choi et al., StarGAN, CVPR 2018, and its code.
    """

    def __init__(self, shape: StarGanShape) -> None:
        super().__init__()
        self.shape = shape
        last = nn.Conv2d(shape.width, 3, shape.kernel, 1, shape.kernel // 2, bias=False)
        self.main = nn.Sequential(*trunk(shape), last, nn.Tanh())

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """Map pixels on [-1, 1], B x 3 x H x W with H and W multiples of 4, and a code B x A to pixels on [-1, 1]."""
        return self.main(tiled(x, code))
