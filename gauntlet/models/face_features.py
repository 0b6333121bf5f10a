"""A small attribute network of faces: the phi of feature-level correlation and of the perceptual distance."""

from torch import Tensor, nn


class FaceFeatures(nn.Module):
    """Pixels in [0, 1] to attribute logits, or to features at several depths.

    Attributes:
        attributes: Names of the logits.
        widths: Channels of the features, one an output of `features`, each at half the side of the one before.
    """

    def __init__(self, attributes: tuple[str, ...], *, width: int = 16, depth: int = 4) -> None:
        super().__init__()
        self.attributes = tuple(attributes)
        self.widths = tuple(width * 2**n for n in range(depth))
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(inside, outside, 3, 2, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU())
            for inside, outside in zip((3, *self.widths[:-1]), self.widths, strict=True)
        )
        self.head = nn.Linear(self.widths[-1], len(self.attributes))

    def features(self, x: Tensor) -> list[Tensor]:
        """Return the features of B x 3 x H x W pixels in [0, 1], finest first: B x C x H/2 x W/2 and so on."""
        found, maps = [], 2 * x - 1
        for layer in self.layers:
            maps = layer(maps)
            found.append(maps)
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Return attribute logits, B x A, of B x 3 x H x W pixels in [0, 1]."""
        return self.head(self.features(x)[-1].mean((2, 3)))
