"""AttentionGAN: a mask says where the picture is kept, and several contents what comes elsewhere."""

import torch
from torch import Tensor, nn

from gauntlet.models.stargan import StarGanShape, descent, tiled, trunk


class AttentionGan(nn.Module):
    """A StarGAN trunk that ends in contents and masks instead of a picture.

    Attributes:
        shape: Of the trunk.
        contents: Pictures that are blended; one mask more keeps the input. 1 in the version for multiple domains.

    Source: Tang et al., AttentionGAN, TNNLS 2021.
    """

    def __init__(self, shape: StarGanShape, *, contents: int = 1) -> None:
        super().__init__()
        self.shape, self.contents = shape, contents
        self.main = nn.Sequential(*trunk(shape))
        half = shape.kernel // 2
        self.content = nn.Conv2d(shape.width, 3 * contents, shape.kernel, 1, half)
        self.mask = nn.Conv2d(shape.width, contents + 1, shape.kernel, 1, half)

    def descent(self, code: Tensor) -> list[nn.Module]:
        """Return `stargan.descent` of its trunk."""
        return descent(self.main, code)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """Map pixels on [-1, 1], B x 3 x H x W (multiples of 2**downs), and a code B x A to pixels on [-1, 1]."""
        maps = self.main(tiled(x, code))
        masks = self.mask(maps).softmax(1)[:, :, None]
        pictures = torch.cat([x[:, None], self.content(maps).tanh().unflatten(1, (self.contents, 3))], 1)
        return (masks * pictures).sum(1)
