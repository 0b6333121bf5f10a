"""Random numbers that belong to an image: from one seed and the image's own pixels, wherever it stands in the batch."""

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


def _signed(word: int) -> int:
    return word - 2**64 if word >= 2**63 else word


_STRIDE = _signed(0x9E3779B97F4A7C15)
_FIRST = _signed(0xBF58476D1CE4E5B9)
_SECOND = _signed(0x94D049BB133111EB)
_CALL = 0xD1342543DE82EF95
_UNIT = 2.0**-24


@dataclass
class Noise:
    """One stream of random numbers an image.

    A stream depends on the seed and on the image alone: a permuted batch draws permuted numbers, and neither the
    batch size nor the neighbours matter. The integers behind it are the same on every device; so are uniform
    numbers, while normal ones may differ in the last bit.

    Attributes:
        streams: int64 [B], the key of each image's stream.
        calls: Draws made so far; each draws from another part of the stream.

    Source: the output mix of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) over key, draw and place.
    """

    streams: Tensor
    calls: int = 0

    @classmethod
    def of(cls, x: Tensor, generator: torch.Generator) -> Self:
        """Open the streams of a batch.

        Args:
            x: float32, B x anything; equal images get equal streams.
            generator: On the CPU; one number is drawn from it.
        """
        seed = int(torch.randint(2**62, (), generator=generator))
        bits = x.detach().contiguous().view(torch.int32).flatten(1).long()
        # A multilinear hash with odd pseudo-random weights: one multiplication a pixel, exact in any order of sums.
        weights = _mixed(torch.arange(bits.shape[1], device=x.device) * _STRIDE) | 1
        return cls(_mixed((bits * weights).sum(1) + seed))

    def keep(self, which: Tensor) -> Self:
        """Return the streams of the images that stay, where they are now.

        Args:
            which: bool [B] or int64 indices.
        """
        return type(self)(self.streams[which], self.calls)

    def uniform(self, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0) -> Tensor:
        """Draw float32 numbers, B x shape, evenly from [low, high)."""
        count = math.prod(shape)
        unit = torch.stack(self._pairs(count), 1).flatten(1)[:, :count] * _UNIT
        return (low + (high - low) * unit).view(-1, *shape)

    def normal(self, shape: tuple[int, ...]) -> Tensor:
        """Draw float32 numbers, B x shape, from the standard normal distribution (Box and Muller, 1958)."""
        count = math.prod(shape)
        first, second = self._pairs(count)
        length = ((first + 1) * _UNIT).log_().mul_(-2).sqrt_()
        angle = second.mul_(2 * math.pi * _UNIT)
        return torch.stack([length * angle.cos(), length * angle.sin()], 1).flatten(1)[:, :count].view(-1, *shape)

    def signs(self, shape: tuple[int, ...]) -> Tensor:
        """Draw float32 numbers, B x shape, each -1 or 1."""
        count = math.prod(shape)
        words = self._words(-(-count // 64))
        bits = (words[..., None] >> torch.arange(64, device=words.device)) & 1
        return (2 * bits - 1).flatten(1)[:, :count].float().view(-1, *shape)

    def integers(self, shape: tuple[int, ...], below: int | Tensor) -> Tensor:
        """Draw int64 numbers, B x shape, evenly from [0, below).

        Args:
            shape: Of each image's numbers.
            below: In [1, 2^31); one for all, or an int64 tensor [B].
        """
        words = (self._words(math.prod(shape)) >> 33) & (2**31 - 1)
        limit = below[:, None] if isinstance(below, Tensor) else below
        return ((words * limit) >> 31).view(-1, *shape)

    def _pairs(self, count: int) -> tuple[Tensor, Tensor]:
        """Return two B x ceil(count / 2) tensors of whole float32 numbers below 2^24: two from each word."""
        words = self._words(-(-count // 2))
        return ((words >> 40) & (2**24 - 1)).float(), ((words >> 16) & (2**24 - 1)).float()

    def _words(self, count: int) -> Tensor:
        self.calls += 1
        keys = _mixed(self.streams + _signed(self.calls * _CALL % 2**64))
        return _mixed(keys[:, None] + torch.arange(count, device=keys.device) * _STRIDE)


def _mixed(words: Tensor) -> Tensor:
    # The masks make the shifts logical: int64 has a sign, the published mix has none.
    words = (words ^ ((words >> 30) & (2**34 - 1))) * _FIRST
    words = (words ^ ((words >> 27) & (2**37 - 1))) * _SECOND
    return words ^ ((words >> 31) & (2**33 - 1))
