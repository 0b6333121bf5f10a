"""AttGAN: strided convolutions down to a few pixels, the edit's code put in there, and back with shortcuts."""

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gauntlet.models.normalisations import normalisation


@dataclass(frozen=True)
class AttGanShape:
    """What an AttGAN generator is built from.

    Attributes:
        codes: Length of the code.
        width: Channels after the first layer, doubled at each further one; 64 in the paper.
        layers: Reductions by two, and as many enlargements; 5 in the paper.
        shortcuts: Layers, from the bottom, whose features go over to the decoder; 1 in the paper.
        injections: Layers of the decoder beyond the first that get the code again; 1 in the authors' code.
        most: Channels at most.
        reductions: A key of NORMALISATIONS, after the layers that halve the size; "batch" in the paper. The code enters
            behind them, so that "instance" does not take it away.
    """

    codes: int
    width: int = 64
    layers: int = 5
    shortcuts: int = 1
    injections: int = 1
    most: int = 1024
    reductions: str = "batch"


class ConvBlock(nn.Module):
    """A convolution, or a transposed one, that halves or doubles the size, then normalisation and activation."""

    def __init__(self, convolution: nn.Module, *rest: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(convolution, *rest)

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W."""
        return self.layers(x)


def halve(inside: int, outside: int, *, norm: str = "batch") -> ConvBlock:
    """Halve the size."""
    convolution = nn.Conv2d(inside, outside, 4, 2, 1, bias=False)
    return ConvBlock(convolution, normalisation(norm, outside), nn.LeakyReLU(0.01, inplace=True))


def double(inside: int, outside: int) -> ConvBlock:
    """Double the size."""
    return ConvBlock(
        nn.ConvTranspose2d(inside, outside, 4, 2, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(inplace=True)
    )


class AttGan(nn.Module):
    """The generator, its weights named as in the checkpoints of AttGAN-PyTorch.

    Source: He et al., AttGAN, TIP 2019; layers as in elvisyjlin/AttGAN-PyTorch.
    """

    def __init__(self, shape: AttGanShape) -> None:
        super().__init__()
        self.shape = shape
        sizes = [min(shape.width * 2**n, shape.most) for n in range(shape.layers)]
        self.enc_layers = nn.ModuleList(
            halve(inside, outside, norm=shape.reductions)
            for inside, outside in zip([3, *sizes[:-1]], sizes, strict=True)
        )
        self.dec_layers = nn.ModuleList()
        inside = sizes[-1] + shape.codes
        for n in range(shape.layers - 1):
            outside = sizes[shape.layers - 1 - n]
            self.dec_layers.append(double(inside, outside))
            inside = outside
            inside += sizes[shape.layers - 2 - n] if n < shape.shortcuts else 0
            inside += shape.codes if n < shape.injections else 0
        self.dec_layers.append(ConvBlock(nn.ConvTranspose2d(inside, 3, 4, 2, 1), nn.Tanh()))

    def descent(self) -> list[nn.Module]:
        """Return a copy of the layers that halve the size, from pixels on [-1, 1]; the code comes in behind them."""
        return list(deepcopy(self.enc_layers))

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """Map pixels on [-1, 1], B x 3 x H x W with H and W multiples of 2**layers, and a code B x A to [-1, 1]."""
        skips = []
        for layer in self.enc_layers:
            x = layer(x)
            skips.append(x)
        y = _with_code(x, code)
        for n, layer in enumerate(self.dec_layers):
            y = layer(y)
            if n < self.shape.shortcuts:
                y = torch.cat([y, skips[-2 - n]], 1)
            if n < self.shape.injections:
                y = _with_code(y, code)
        return y


def _with_code(maps: Tensor, code: Tensor) -> Tensor:
    return torch.cat([maps, code[:, :, None, None].expand(-1, -1, *maps.shape[2:])], 1)
