"""StarGAN: the edit's code is tiled onto the picture; strided convolutions, residual blocks, and back."""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gauntlet.models.normalisations import normalisation


@dataclass(frozen=True)
class StarGanShape:
    """What a StarGAN generator is built from.

    Attributes:
        codes: Length of the code.
        width: Channels at full size, doubled at each reduction; 64 in the paper.
        blocks: Residual blocks at the least size; 6 in the paper.
        kernel: Side of the first and the last convolution, odd; 7 in the paper.
        downs: Reductions by two; 2 in the paper. More of them put fewer, wider maps in the middle, where an edit can
            be decided from the whole face.
        norm: A key of NORMALISATIONS. The paper's instance normalisation takes away what a code adds to a whole map, so
            that the code comes in from the padded borders alone, which takes many epochs to learn; "batch" keeps it.
        reductions: The same after the layers that halve the size; `norm` without. "instance" there, as in the paper,
            is what a small perturbation is made larger by where the picture is flat.
        residual: The last layer changes the picture; in the paper it draws it anew.
        shortcuts: Reductions, from the least size, whose maps are carried over and added after the enlargement, at
            most `downs`; none in the paper, AttGAN has one. A short training draws sharp edges only with them.
    """

    codes: int
    width: int = 64
    blocks: int = 6
    kernel: int = 7
    downs: int = 2
    norm: str = "instance"
    reductions: str | None = None
    residual: bool = False
    shortcuts: int = 0


class Residual(nn.Module):
    """Two 3 x 3 convolutions with normalisation around a shortcut."""

    def __init__(self, width: int, *, norm: str = "instance") -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(width, width, 3, 1, 1, bias=False),
            *_normed(width, norm),
            nn.Conv2d(width, width, 3, 1, 1, bias=False),
            normalisation(norm, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape B x C x H x W."""
        return x + self.main(x)


class Shortcut(nn.Module):
    """Layers around which the maps are carried over."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.main = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape B x C x H x W."""
        return x + self.main(x)


def trunk(shape: StarGanShape) -> list[nn.Module]:
    """Return all layers before the last convolution: B x (3 + codes) x H x W to B x width x H x W.

    Raises:
        ArgumentError: There is no such normalisation.
    """
    width, norm = shape.width, shape.norm
    first = nn.Conv2d(3 + shape.codes, width, shape.kernel, 1, shape.kernel // 2, bias=False)
    layers: list[nn.Module] = [first, *_normed(width, norm)]
    inner: list[nn.Module] = [Residual(width * 2**shape.downs, norm=norm) for _ in range(shape.blocks)]
    for level in reversed(range(shape.downs)):
        outside, inside = width * 2**level, 2 * width * 2**level
        inner = [
            nn.Conv2d(outside, inside, 4, 2, 1, bias=False),
            *_normed(inside, shape.reductions or norm),
            *inner,
            nn.ConvTranspose2d(inside, outside, 4, 2, 1, bias=False),
            *_normed(outside, norm),
        ]
        if level >= shape.downs - shape.shortcuts:
            inner = [Shortcut(*inner)]
    layers += inner
    return layers


class Coded(nn.Module):
    """Tiles one code onto every picture."""

    def __init__(self, code: Tensor) -> None:
        super().__init__()
        self.register_buffer("code", code)

    def forward(self, x: Tensor) -> Tensor:
        """Map B x 3 x H x W to B x (3 + A) x H x W."""
        return tiled(x, self.code.expand(len(x), -1))


def descent(layers: Iterable[nn.Module], code: Tensor) -> list[nn.Module]:
    """Return a copy of the layers of a trunk down to the least size, from pixels on [-1, 1] under a code, 1 x A."""
    flat = deepcopy(_downwards(layers))
    blocks = [nn.Sequential(*flat[at : at + 3]) for at in range(0, len(flat), 3)]
    return [nn.Sequential(Coded(code), *blocks[0]), *blocks[1:]]


def _downwards(layers: Iterable[nn.Module]) -> list[nn.Module]:
    """Return convolutions, normalisations and activations before the first residual block or enlargement."""
    found = []
    for layer in layers:
        if isinstance(layer, Shortcut):
            return found + _downwards(layer.main)
        if isinstance(layer, Residual | nn.ConvTranspose2d):
            break
        found.append(layer)
    return found


def _normed(width: int, norm: str) -> list[nn.Module]:
    return [normalisation(norm, width), nn.ReLU(inplace=True)]


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

    def descent(self, code: Tensor) -> list[nn.Module]:
        """Return `descent` of its trunk."""
        return descent(self.main, code)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """Map pixels on [-1, 1], B x 3 x H x W (multiples of 2**downs), and a code B x A to pixels on [-1, 1].

        A residual may leave that range a little; `Editor` clips it.
        """
        drawn = self.main(tiled(x, code))
        return x + 2 * drawn if self.shape.residual else drawn
