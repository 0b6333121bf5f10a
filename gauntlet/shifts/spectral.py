"""Spectral diffusion: a message spread over all frequencies of a map, so that no one octave holds a bit alone."""

import math

import torch
from torch import Tensor, nn

from gauntlet.errors import ArgumentError


def dct_matrix(side: int) -> Tensor:
    """Return the orthonormal DCT-II, float32, [side, side]; row k is the cosine of k half periods.

    Source: Rao and Yip, Discrete Cosine Transform (1990), section 2.
    """
    places = torch.arange(side, dtype=torch.float64)
    matrix = torch.cos(math.pi / side * torch.outer(places, places + 0.5)) * math.sqrt(2 / side)
    matrix[0] /= math.sqrt(2)
    return matrix.float()


def octaves(side: int) -> Tensor:
    """Return the octave of each coefficient, int64, [side, side]: 0 the mean, k where the larger frequency has k bits.

    >>> octaves(4)[0].tolist()
    [0, 1, 2, 2]
    """
    frequency = torch.arange(side)
    larger = torch.maximum(frequency[:, None], frequency[None]).double()
    return torch.where(larger > 0, larger.clamp_min(1).log2().floor() + 1, 0.0).long()


class SpectralCode(nn.Module):
    """A fixed code between messages and maps, without weights: map = IDCT(W (2m - 1)), and back.

    The coefficients are taken in order of frequency and cut into blocks; within each block the columns of W, one a bit,
    are orthogonal (Hadamard, signs drawn from the seed). What is left of a map when an octave is lost still holds whole
    blocks, and each of them decodes alone.

    Attributes:
        bits: Of a message, L.
        band: Frequencies used along each side, from the lowest; half periods a map.
        side_px: Of the map.
        code: Signs, [coefficients, L]; the mean of the map and the coefficients left over carry nothing.

    Source: IAP (Zhu et al., TIFS 2023) names spectral diffusion; the code matrix and its placing are ours.
    """

    def __init__(self, bits: int, *, band: int = 32, side_px: int = 64, seed: int = 0) -> None:
        """Lay out the code.

        Raises:
            ArgumentError: There is no place for two blocks, or the map cannot hold the band.
        """
        super().__init__()
        if not 1 <= band <= side_px:
            raise ArgumentError(f"band must lie in 1 to side_px = {side_px}; got {band}; the two swapped?")
        block = 2 ** max(0, math.ceil(math.log2(bits))) if bits > 0 else 0
        blocks = (band * band - 1) // block if block else 0
        if blocks < 2:
            raise ArgumentError(
                f"bits must fit twice into the band's {band * band} coefficients; got {bits}; a small band?"
            )
        self.bits, self.band, self.side_px = bits, band, side_px
        generator = torch.Generator().manual_seed(seed)
        rank = octaves(band).flatten().double() + torch.rand(band * band, generator=generator) / 2
        rank[0] = -1  # the mean: brightness moves it
        used = blocks * block
        signs = torch.randint(0, 2, (used, 1), generator=generator) * 2 - 1
        columns = torch.randperm(block, generator=generator)[:bits]
        code = _hadamard(block)[:, columns].repeat(blocks, 1) * signs
        self.register_buffer("places", rank.argsort()[1 : used + 1], persistent=False)
        self.register_buffer("code", code.float(), persistent=False)
        self.register_buffer("dct", dct_matrix(side_px)[:band], persistent=False)

    def spread(self, message: Tensor, *, gain: Tensor | None = None) -> Tensor:
        """Return the maps of a message, float32, [B, C, side, side].

        Args:
            message: [B, L] in [0, 1].
            gain: [C, band * band], of each coefficient; a single row of ones where none is given.
        """
        if message.ndim != 2 or message.shape[1] != self.bits:
            raise ArgumentError(
                f"a message must have {self.bits} bits; got {tuple(message.shape)}; made for another model?"
            )
        values = (2 * message.float() - 1) @ self.code.T / math.sqrt(self.bits)
        spectrum = values.new_zeros(len(message), self.band**2).index_copy(1, self.places, values)[:, None]
        if gain is not None:
            spectrum = spectrum * gain
        # Of mean square 1 over the map where every coefficient is used at gain 1.
        return self.dct.T @ spectrum.unflatten(2, (self.band, self.band)) @ self.dct * (self.side_px / self.band)

    def gather(self, maps: Tensor, *, gain: Tensor | None = None) -> Tensor:
        """Return the correlation with each bit, [B, L]: 2m - 1 for the single map of m, where no gain was used.

        Args:
            maps: [B, C, side, side]; the correlations of the maps are added.
            gain: [C, band * band], by which each coefficient is weighed.
        """
        spectrum = self.transform(maps).flatten(2)
        if gain is not None:
            spectrum = spectrum * gain
        scale = math.sqrt(self.bits) / len(self.code) * self.band / self.side_px
        return spectrum.sum(1)[:, self.places] @ self.code * scale

    def transform(self, maps: Tensor) -> Tensor:
        """Return the spectrum within the band, [..., band, band], of [..., side, side]."""
        return self.dct @ maps.float() @ self.dct.T


def _hadamard(side: int) -> Tensor:
    matrix = torch.ones(1, 1)
    while len(matrix) < side:
        matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)])
    return matrix
