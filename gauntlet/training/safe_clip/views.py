"""Augmentation views of few-shot pictures, and what CLIP's frozen trunk and pooling make of them, computed once."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor
from torch.nn import functional

from gauntlet.errors import ArgumentError, DataError


class Views(NamedTuple):
    """Pictures as the frozen trunk sees them, V times each.

    Attributes:
        maps: [V, N, C, h, w]: what the pooling takes (a ViT's tokens: h = 1); any float type.
        pooled: float32, [V, N, D]: the pre-trained pooling's features, not normalised.
        labels: int64, [N], from 0.
    """

    maps: Tensor
    pooled: Tensor
    labels: Tensor

    def take(self, index: Tensor | Sequence[int]) -> Self:
        """Return the pictures at these places, with all their views."""
        index = torch.as_tensor(index)
        return type(self)(self.maps[:, index], self.pooled[:, index], self.labels[index])


def random_crop(
    x: Tensor,
    *,
    size_px: int,
    generator: torch.Generator,
    scale: tuple[float, float] = (0.5, 1.0),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
) -> Tensor:
    """Cut a random part out of a picture, resize it, and mirror it at even chance.

    Args:
        x: [C, H, W] in [0, 1], any size.
        size_px: Of the result.
        generator: On the CPU.
        scale: Least and greatest share of the area.
        ratio: Least and greatest width over height.

    Returns:
        [C, size_px, size_px] in [0, 1], bicubic with antialiasing.

    Raises:
        ArgumentError: The scale is none.

    Source: CoOp's and Tip-Adapter's training transform; after ten misfits the whole picture is taken.
    """
    if not 0 < scale[0] <= scale[1] <= 1:
        raise ArgumentError(f"scale must be a least and a greatest share of the area in (0, 1]; got {scale}")
    height, width = x.shape[-2:]
    top, left, rows, columns = 0, 0, height, width
    for share, shape, down, across in torch.rand(10, 4, generator=generator).tolist():
        area = height * width * (scale[0] + share * (scale[1] - scale[0]))
        aspect = ratio[0] * (ratio[1] / ratio[0]) ** shape
        fits = round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect))
        if 0 < fits[0] <= height and 0 < fits[1] <= width:
            rows, columns = fits
            top, left = int(down * (height - rows + 1)), int(across * (width - columns + 1))
            break
    part = x[None, :, top : top + rows, left : left + columns]
    part = functional.interpolate(part, (size_px, size_px), mode="bicubic", antialias=True)[0].clamp(0, 1)
    return part.flip(-1) if torch.rand((), generator=generator) < 0.5 else part


def random_views(
    pictures: Sequence[Tensor], *, size_px: int, batch: int, generator: torch.Generator, scale: tuple[float, float]
) -> Iterator[Tensor]:
    """Yield batches, [B, 3, size_px, size_px], of one random view of each picture."""
    for begin in range(0, len(pictures), batch):
        part = range(begin, min(begin + batch, len(pictures)))
        yield torch.stack([random_crop(pictures[i], size_px=size_px, generator=generator, scale=scale) for i in part])


@torch.no_grad()
def encode(
    views: Iterable[Iterable[Tensor]],
    labels: Tensor,
    *,
    trunk: Callable[[Tensor], Tensor],
    pool: Callable[[Tensor], Tensor],
    dtype: torch.dtype = torch.float32,
) -> Views:
    """Run the frozen trunk and the pre-trained pooling over all views.

    Args:
        views: For each view its batches, [B, 3, H, W] in [0, 1], in the order of the labels.
        labels: int64, [N].
        trunk: Pictures to maps, `Clip.maps`.
        pool: Maps to features, `Clip.pool`.
        dtype: In which the maps are held; float16 halves them.

    Raises:
        DataError: A view has more or fewer pictures than there are labels.
    """
    all_maps, all_pooled = [], []
    for batches in views:
        maps = [trunk(x) for x in batches]
        if sum(len(part) for part in maps) != len(labels):
            raise DataError(f"a view must have {len(labels)} pictures, one a label; got {sum(map(len, maps))}")
        all_pooled.append(torch.cat([pool(part).float() for part in maps]))
        all_maps.append(torch.cat(maps).to(dtype))
    return Views(torch.stack(all_maps), torch.stack(all_pooled), labels)
