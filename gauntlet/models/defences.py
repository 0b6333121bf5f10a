"""Input defences: a model behind coarser pixels, JPEG, or random rescaling.

The first two have no gradient, the third has another one at each call: all three may only seem robust. Attack
them with `straight_through=True` (backward pass differentiable approximation) before believing them.
"""

import io
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.errors import ArgumentError


class Defended(nn.Module):
    """A model that sees what a defence makes of its input.

    Attributes:
        network: The model behind it.
        straight_through: The defence's gradient: that of the identity if true, zero if false.
    """

    def __init__(self, network: nn.Module, filtered: Callable[[Tensor], Tensor], *, straight_through: bool) -> None:
        super().__init__()
        self.network = network
        self.filtered = filtered
        self.straight_through = straight_through
        self.train(network.training)

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W pixels in [0, 1] to the logits of the defended model."""
        with torch.no_grad():
            seen = self.filtered(x)
        # Zero in value, and in gradient one or nought: autograd still finds a path where the defence has none.
        return self.network(seen + float(self.straight_through) * (x - x.detach()))


class Randomised(nn.Module):
    """A model that sees its input shrunk and moved at random, anew for each image at each call.

    Attributes:
        network: The model behind it.
        smallest: Least scale.
        generator: On the CPU; moves on at each call.
    """

    def __init__(self, network: nn.Module, *, smallest: float, generator: torch.Generator) -> None:
        super().__init__()
        self.network = network
        self.smallest = smallest
        self.generator = generator
        self.train(network.training)

    def forward(self, x: Tensor) -> Tensor:
        """Map B x C x H x W pixels in [0, 1] to the logits of the defended model."""
        chance = torch.rand(len(x), 3, generator=self.generator).to(x)
        scale = self.smallest + (1 - self.smallest) * chance[:, :1]
        # grid_sample asks where each output pixel comes from: hence the inverse of the map.
        move = (1 - scale) * (2 * chance[:, 1:] - 1)
        grow = torch.diag_embed((1 / scale).expand(-1, 2))
        grid = functional.affine_grid(
            torch.cat([grow, -(move / scale)[..., None]], 2), list(x.shape), align_corners=False
        )
        return self.network(functional.grid_sample(x, grid, padding_mode="zeros", align_corners=False))


def bit_depth(model: nn.Module, *, bits: int = 4, straight_through: bool = False) -> Defended:
    """Round pixels to 2^bits levels before the model.

    Args:
        model: Pixels in [0, 1] to logits.
        bits: 1 to 8.
        straight_through: Give attacks the gradient of the identity instead of zero.

    Raises:
        ArgumentError: Bits outside 1 to 8.

    Source: Xu et al., Feature squeezing, NDSS 2018; 4 bits as in ARES.
    """
    if bits not in range(1, 9):
        raise ArgumentError(f"bits must be a whole number from 1 to 8 (not a number of levels); got {bits}")
    levels = 2**bits - 1
    return Defended(model, lambda x: (x * levels).round() / levels, straight_through=straight_through)


def jpeg(model: nn.Module, *, quality: int = 75, straight_through: bool = False) -> Defended:
    """Compress and decompress images before the model.

    Args:
        model: Pixels in [0, 1], of one channel or three, to logits.
        quality: 1 to 95, as in PIL.
        straight_through: Give attacks the gradient of the identity instead of zero.

    Raises:
        ArgumentError: A quality outside 1 to 95.

    Source: Dziugaite et al. 2016, arXiv 1608.00853; Athalye et al., ICML 2018, for the straight-through gradient.
    """
    if quality not in range(1, 96):
        raise ArgumentError(f"quality must be a whole number from 1 to 95 (not a share); got {quality}")
    return Defended(model, lambda x: _compressed(x, quality), straight_through=straight_through)


def randomisation(model: nn.Module, *, generator: torch.Generator, smallest: float = 0.875) -> Randomised:
    """Shrink each image at random and put it at a random place on black before the model.

    Args:
        model: Pixels in [0, 1] to logits.
        generator: On the CPU.
        smallest: Least scale, in (0, 1]; 1 changes nothing.

    Raises:
        ArgumentError: A scale outside (0, 1].

    Source: Xie et al., ICLR 2018, shrinking rather than growing, as ARES does. Differs from ARES: scales are drawn
    evenly from an interval and places from the whole room, for each image, where ARES draws once a batch from a few.
    """
    if not 0 < smallest <= 1:
        raise ArgumentError(f"smallest must lie in (0, 1], a share of the side; got {smallest}")
    return Randomised(model, smallest=smallest, generator=generator)


def _compressed(x: Tensor, quality: int) -> Tensor:
    if x.shape[1] not in (1, 3):
        raise ArgumentError(f"JPEG needs images of one channel or three; got {x.shape[1]}")
    pixels = (x * 255).round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()
    decoded = np.stack([_coded(each.squeeze(-1) if each.shape[-1] == 1 else each, quality) for each in pixels])
    return torch.from_numpy(decoded).reshape(pixels.shape).permute(0, 3, 1, 2).to(x) / 255


def _coded(pixels: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


DEFENCES = {defence.__name__: defence for defence in (bit_depth, jpeg, randomisation)}
