"""The discriminators of StarGAN and AttGAN; their second head says which attributes a face has."""

from itertools import pairwise

from torch import Tensor, nn

from gauntlet.errors import ArgumentError


class StarGanCritic(nn.Module):
    """Strided convolutions, a score a patch, and attribute logits; weights named as in the authors' checkpoints."""

    def __init__(self, codes: int, *, size_px: int, width: int = 64, layers: int = 6) -> None:
        super().__init__()
        if size_px % 2**layers:
            raise ArgumentError(f"size_px must be a multiple of {2**layers} for {layers} layers; got {size_px}")
        sizes = [3, *(width * 2**n for n in range(layers))]
        parts: list[nn.Module] = []
        for inside, outside in pairwise(sizes):
            parts += [nn.Conv2d(inside, outside, 4, 2, 1), nn.LeakyReLU(0.01)]
        self.main = nn.Sequential(*parts)
        self.conv1 = nn.Conv2d(sizes[-1], 1, 3, 1, 1, bias=False)
        self.conv2 = nn.Conv2d(sizes[-1], codes, size_px // 2**layers, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return patch scores and attribute logits, B x A, of pixels on [-1, 1]."""
        maps = self.main(x)
        return self.conv1(maps), self.conv2(maps).flatten(1)


class AttGanCritic(nn.Module):
    """AttGAN-PyTorch's discriminator, its weights named as there."""

    def __init__(self, codes: int, *, size_px: int, width: int = 64, layers: int = 5, hidden: int = 1024) -> None:
        super().__init__()
        sizes = [3, *(min(width * 2**n, 1024) for n in range(layers))]
        self.conv = nn.Sequential(
            *(
                _Block(nn.Conv2d(i, o, 4, 2, 1, bias=False), nn.InstanceNorm2d(o, affine=True), nn.LeakyReLU(0.01))
                for i, o in pairwise(sizes)
            )
        )
        flat = sizes[-1] * (size_px // 2**layers) ** 2
        self.fc_adv = nn.Sequential(_Block(nn.Linear(flat, hidden), nn.LeakyReLU(0.01)), _Block(nn.Linear(hidden, 1)))
        self.fc_cls = nn.Sequential(
            _Block(nn.Linear(flat, hidden), nn.LeakyReLU(0.01)), _Block(nn.Linear(hidden, codes))
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores, B x 1, and attribute logits, B x A, of pixels on [-1, 1]."""
        flat = self.conv(x).flatten(1)
        return self.fc_adv(flat), self.fc_cls(flat)


class Labels(nn.Module):
    """A critic that gives its attribute logits alone."""

    def __init__(self, critic: nn.Module) -> None:
        super().__init__()
        self.critic = critic

    def forward(self, x: Tensor) -> Tensor:
        """Return attribute logits, B x A, of pixels on [-1, 1]."""
        return self.critic(x)[1]


class _Block(nn.Module):
    """Layers under the name `layers`, as AttGAN-PyTorch has them."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)
