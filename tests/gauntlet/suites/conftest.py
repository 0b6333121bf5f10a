"""Classifiers whose outcome under every attack is known in closed form, and pictures that keep away from the box."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

SIDE_PX = 8
COUNT = 24


class Case(NamedTuple):
    """A classifier, uint8 pictures N x 3 x 8 x 8, and labels."""

    model: nn.Module
    x: Tensor
    y: Tensor


class Linear(nn.Module):
    """Two classes: logits are plus and minus half of w.x - t."""

    def __init__(self, w: Tensor, t: float) -> None:
        super().__init__()
        self.w, self.t = nn.Parameter(w, requires_grad=False), t
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        z = x.flatten(1) @ self.w - self.t
        return torch.stack([z, -z], dim=1) / 2

    def radii(self, x: Tensor, y: Tensor, norm: str) -> Tensor:
        """Return each uint8 picture's least radius, 0 where the classifier errs."""
        z = (x.double() / 255).flatten(1) @ self.w.double() - self.t
        dual = {"linf": 1, "l2": 2}[norm]
        return ((1 - 2 * y) * z).clamp_min(0) / self.w.double().norm(p=dual)


class Constant(nn.Module):
    """Says class 1 whatever it sees, but its logits rise with the picture, so that there is a gradient to follow."""

    def __init__(self) -> None:
        super().__init__()
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        z = x.flatten(1).mean(1)
        return torch.stack([z, z + 10, z + 1], dim=1)


class Wave(nn.Module):
    """Two classes by the sign of one wave across the picture: `cycles` of them."""

    def __init__(self, cycles: int, side_px: int = SIDE_PX) -> None:
        super().__init__()
        self.wave = torch.cos(2 * torch.pi * cycles * torch.arange(side_px) / side_px)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        z = (x * self.wave).mean((1, 2, 3))
        return 100 * torch.stack([z, -z], dim=1)


@pytest.fixture(scope="session")
def linear() -> Case:
    """Pictures of middle grey; half of them on each side, one in six with the wrong label."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randint(90, 166, (COUNT, 3, SIDE_PX, SIDE_PX), generator=generator, dtype=torch.uint8)
    w = torch.randn(3 * SIDE_PX**2, generator=generator)
    model = Linear(w, float(((x.float() / 255).flatten(1) @ w).median()) + 1e-3)
    y = model(x.float() / 255).argmax(1)
    y[::6] = 1 - y[::6]
    return Case(model, x, y)


@pytest.fixture
def constant(linear) -> Case:
    return Case(Constant(), linear.x, linear.y)
