"""Augmentation views of few-shot pictures as CLIP's frozen trunk and pooling see them, computed once."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor

from gauntlet.errors import DataError


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
