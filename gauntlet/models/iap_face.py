"""The IAP encoder-decoder: a perturbation in an eps-ball that disrupts manipulators and carries a message."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.models.pullback import Pullback
from gauntlet.shifts.spectral import SpectralCode, octaves

PATTERN_RATE = 10.0
"""How much faster than the other weights the pattern of all pictures learns: Adam moves each by the same step."""


@dataclass(frozen=True)
class Shape:
    """What a protector is built from.

    Attributes:
        bits: Of a message, L.
        size_px: Side at which it works, a multiple of 4; pictures of other sizes are resampled for it.
        eps: Largest change of a pixel, on [0, 1], at least 1/255.
        width: Channels at half the side; twice that at a quarter.
        blocks: Squeeze-and-excitation residual blocks of the encoder, and of the decoder.
        band: Frequencies that carry the message, along each side.
        seed: Of the code, and of the universal pattern.
    """

    bits: int = 30
    size_px: int = 64
    eps: float = 0.025
    width: int = 24
    blocks: int = 2
    band: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 / 255 <= self.eps < 1:
            raise ArgumentError(f"eps must lie in [1/255, 1), on pixels in [0, 1]; got {self.eps}; in levels of uint8?")
        if self.size_px % 4 or self.size_px < 16:
            raise ArgumentError(f"size_px must be a multiple of 4, at least 16; got {self.size_px}")


class Excited(nn.Module):
    """A residual block of two convolutions whose channels are weighed by squeeze and excitation.

    Source: SENet (Hu et al., CVPR 2018); without batch norms, whose statistics would move what is bounded by eps.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.squeeze = nn.Linear(channels, max(4, channels // 4))
        self.excite = nn.Linear(max(4, channels // 4), channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return like x: [B, C, H, W]."""
        y = self.second(functional.relu(self.first(x)))
        weights = torch.sigmoid(self.excite(functional.relu(self.squeeze(y.mean((2, 3))))))
        return functional.relu(x + y * weights[:, :, None, None])


class Encoder(nn.Module):
    """From a picture and a message to a perturbation in (-1, 1)."""

    def __init__(self, shape: Shape, code: SpectralCode, guides: Mapping[str, Pullback]) -> None:
        super().__init__()
        width = shape.width
        self.code, self.eps = code, shape.eps
        self.gain = nn.Parameter(_first_gain(shape))
        self.guides = nn.ModuleDict(guides)
        self.pattern = nn.Parameter(_first_pattern(shape))
        self.stem = nn.Conv2d(24, width, 3, padding=1)
        self.down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.blocks = nn.Sequential(*(Excited(2 * width) for _ in range(shape.blocks)))
        self.up = nn.Conv2d(2 * width, 4 * width, 1)
        self.out = nn.Conv2d(width, 12, 3, padding=1)
        nn.init.normal_(self.out.weight, std=0.01)

    def forward(self, x: Tensor, message: Tensor) -> Tensor:
        """Return [B, 3, side, side] for pictures of the working size."""
        carriers = self.code.spread(message, gain=self.gain)
        given = functional.pixel_unshuffle(torch.cat([2 * x - 1, carriers], 1), 2)
        fine = functional.relu(self.stem(given))
        coarse = self.blocks(functional.relu(self.down(fine)))
        content = self.out(functional.relu(fine + functional.pixel_shuffle(self.up(coarse), 2)))
        pattern = PATTERN_RATE * self.pattern
        # Without the message: its carriers would turn the guides this way and that.
        moved = (x + self.eps * pattern.tanh()).clamp(0, 1)
        guided = [guide(moved, x) for guide in self.guides.values()]
        return torch.tanh(sum(guided, carriers + pattern + functional.pixel_shuffle(content, 2)))


class Decoder(nn.Module):
    """From a picture to logits of its message: what a small net makes of its fine detail, correlated with the code."""

    def __init__(self, shape: Shape, code: SpectralCode) -> None:
        super().__init__()
        width = shape.width
        self.code = code
        self.gain = nn.Parameter(_first_gain(shape))
        self.scale = nn.Parameter(torch.tensor(4.0))
        self.stem = nn.Conv2d(24, width, 3, padding=1)
        self.blocks = nn.Sequential(*(Excited(width) for _ in range(shape.blocks)))
        self.out = nn.Conv2d(width, 12, 3, padding=1)
        nn.init.normal_(self.out.weight, std=0.01)
        self.amplitude = 0.5 / shape.eps

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, L] for pictures of the working size."""
        smooth = functional.avg_pool2d(functional.pad(x, (2,) * 4, mode="reflect"), 5, 1)
        fine = ((x - smooth) * self.amplitude).clamp(-3, 3)
        given = functional.pixel_unshuffle(torch.cat([2 * x - 1, fine], 1), 2)
        net = self.out(self.blocks(functional.relu(self.stem(given))))
        return self.code.gather(fine + functional.pixel_shuffle(net, 2), gain=self.gain) * self.scale


class Protector(nn.Module):
    """Encoder and decoder; pixels in [0, 1] of any size.

    Attributes:
        shape: What it was built from.

    Source: IAP (Zhu et al., TIFS 2023) publishes no constants; blocks after MBRS (Jia et al., ACM MM 2021), with
    carriers in the spectrum that the message enters by, and a pattern that all pictures share, which CMUA shows to
    disrupt by itself. The guides, which make the pattern each picture's own, are ours.
    """

    def __init__(self, shape: Shape, *, guides: Mapping[str, Pullback] | None = None) -> None:
        """Build it; weights are drawn from torch's global generator.

        Args:
            shape: Its sizes.
            guides: By the name of the editor whose layers they hold; none without.
        """
        super().__init__()
        self.shape = shape
        code = SpectralCode(shape.bits, band=shape.band, side_px=shape.size_px, seed=shape.seed)
        self.encoder, self.decoder = Encoder(shape, code, guides or {}), Decoder(shape, code)

    @property
    def bits(self) -> int:
        """Bits of a message."""
        return self.shape.bits

    @property
    def eps(self) -> float:
        """Largest change of a pixel, on [0, 1]."""
        return self.shape.eps

    def residual(self, x: Tensor, message: Tensor) -> Tensor:
        """Return the perturbation, [B, 3, H, W] in [-eps, eps], for pictures of any size; differentiable.

        Raises:
            ArgumentError: The pictures, or the messages, have another shape.
        """
        if x.ndim != 4 or x.shape[1] != 3 or len(message) != len(x):
            raise ArgumentError(
                f"x must be [B, 3, H, W] with B messages; got {tuple(x.shape)}, {tuple(message.shape)}; channels last?"
            )
        side = self.shape.size_px
        worked = self.encoder(_at(x, (side, side)), message).float() * self.eps
        return _at(worked, x.shape[-2:]).clamp(-self.eps, self.eps)

    def protect(self, x: Tensor, message: Tensor) -> Tensor:
        """Return x_p on uint8 levels in [0, 1], |x_p - x| <= eps; the gradient passes straight through the rounding.

        Args:
            x: [B, 3, H, W] in [0, 1], any size.
            message: [B, L], 0 or 1.
        """
        changed = (x + self.residual(x, message)).clamp(0, 1)
        return changed + (_rounded(changed.detach(), x, self.eps) - changed.detach())

    def decode(self, x: Tensor) -> Tensor:
        """Return logits, [B, L], positive for a 1, of pictures of any size in [0, 1]."""
        side = self.shape.size_px
        return self.decoder(_at(x, (side, side))).float()


def quantise(x: Tensor) -> Tensor:
    """Round pixels in [0, 1] to the levels of uint8; the gradient passes straight through."""
    return x + ((x.clamp(0, 1) * 255).round() / 255 - x).detach()


def _rounded(changed: Tensor, x: Tensor, eps: float) -> Tensor:
    """Round to the nearest level that lies within eps of x, and in range."""
    slack = 1e-4  # of a level: x on whole levels must not lose one to float32
    low, high = (255 * (x - eps) - slack).ceil().clamp_min(0), (255 * (x + eps) + slack).floor().clamp_max(255)
    return (255 * changed).round().clamp(low, high) / 255


def _at(x: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(x.shape[-2:]) == tuple(size):
        return x
    return functional.interpolate(x, size=tuple(size), mode="bilinear", antialias=True)


def _first_gain(shape: Shape) -> Tensor:
    """Begin with the octaves that JPEG keeps and a high pass lets through, equal in the three colours."""
    octave = octaves(shape.band).flatten()
    kept = torch.where((octave >= octave.max() - 2) & (octave > 1), 1.0, 0.3)
    kept[octave == octave.max()] = 0.5
    return (0.5 * kept / kept.square().mean().sqrt()).repeat(3, 1)


def _first_pattern(shape: Shape) -> Tensor:
    generator = torch.Generator().manual_seed(shape.seed)
    return 0.05 / PATTERN_RATE * torch.randn(3, shape.size_px, shape.size_px, generator=generator)
