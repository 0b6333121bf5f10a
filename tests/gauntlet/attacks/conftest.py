"""A small network trained within a second on ten noisy patterns: right on most images, robust on some."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional


class Trained(NamedTuple):
    model: nn.Module
    x: Tensor
    y: Tensor


@pytest.fixture(scope="session")
def trained() -> Trained:
    generator = torch.Generator().manual_seed(7)
    patterns = torch.rand(10, 3, 11, 11, generator=generator)

    def draw(count: int) -> tuple[Tensor, Tensor]:
        y = torch.randint(10, (count,), generator=generator)
        noise = torch.rand(count, 3, 11, 11, generator=generator)
        return 0.3 * patterns[y] + 0.7 * noise, y

    with torch.random.fork_rng():
        torch.manual_seed(7)
        model = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2), nn.ReLU(), nn.Conv2d(16, 24, 3), nn.ReLU(), nn.Flatten(), nn.Linear(216, 10)
        )
    # By hand: the first optimizer of a process imports for seconds.
    pace = [torch.zeros_like(weight) for weight in model.parameters()]
    for _ in range(120):
        x, y = draw(64)
        slopes = torch.autograd.grad(functional.cross_entropy(model(x), y), list(model.parameters()))
        with torch.no_grad():
            for weight, slope, last in zip(model.parameters(), slopes, pace, strict=True):
                weight -= 0.05 * last.mul_(0.9).add_(slope)
    return Trained(model.eval(), *draw(400))


@pytest.fixture
def linear():
    """Return a maker of linear models: (classes) -> Sequential over 3 x 6 x 6 pixels, with images away from the box."""

    def make(classes: int, *, count: int = 24) -> Trained:
        generator = torch.Generator().manual_seed(classes)
        layer = nn.Linear(108, classes, bias=False)
        layer.weight.data = torch.randn(classes, 108, generator=generator)
        model = nn.Sequential(nn.Flatten(), layer).eval().requires_grad_(False)
        x = 0.4 + 0.2 * torch.rand(count, 3, 6, 6, generator=generator)
        return Trained(model, x, model(x).argmax(1))

    return make
