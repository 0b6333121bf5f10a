"""The IAP encoder-decoder: a perturbation in an eps-ball that disrupts manipulators and carries a message."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.shifts.spectral import SpectralCode


@dataclass(frozen=True)
class Shape:
    """What a protector is built from.

    Attributes:
        bits: Of a message, L.
        size_px: Side at which it works; pictures of other sizes are resampled for it.
        eps: Largest change of a pixel, on [0, 1].
        width: Channels at half the side; twice that at a quarter.
        blocks: Squeeze-and-excitation residual blocks of the encoder.
        side_px: Of the message map.
        seed: Of the code.
    """

    bits: int = 30
    size_px: int = 64
    eps: float = 0.025
    width: int = 24
    blocks: int = 2
    side_px: int = 32
    seed: int = 0


def quantise(x: Tensor, *, straight_through: bool = False) -> Tensor:
    """Round pixels in [0, 1] to the levels of uint8; the gradient passes where `straight_through`."""
    levels = (x.clamp(0, 1) * 255).round() / 255
    return x + (levels - x).detach() if straight_through else levels


class Protector(nn.Module):
    """Encoder and decoder; pixels in [0, 1] of any size."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape

    @property
    def bits(self) -> int:
        """Bits of a message."""
        return self.shape.bits

    @property
    def eps(self) -> float:
        """Largest change of a pixel, on [0, 1]."""
        return self.shape.eps

    def residual(self, x: Tensor, message: Tensor) -> Tensor:
        """Return the perturbation, [B, 3, H, W] in [-eps, eps], for pictures of any size (differentiable)."""
        raise NotImplementedError

    def protect(self, x: Tensor, message: Tensor) -> Tensor:
        """Return x_p on uint8 levels in [0, 1], |x_p - x| <= eps; the gradient passes straight through the rounding.

        Args:
            x: [B, 3, H, W] in [0, 1], any size.
            message: [B, L], 0 or 1.
        """
        raise NotImplementedError

    def decode(self, x: Tensor) -> Tensor:
        """Return logits, [B, L], positive for a 1, of pictures of any size in [0, 1]."""
        raise NotImplementedError
