"""What the attacks' benchmarks attack: a small network trained on the digits within seconds, or one of fgsm_law's."""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.attacks.balls import random_start
from gauntlet.attacks.gradient import gradient
from gauntlet.attacks.losses import cross_entropy
from gauntlet.attacks.noise import Noise
from gauntlet.readers.datasets import read_dataset
from gauntlet.readers.digits import read_digits
from gauntlet.readers.models import load_model
from stages.labelled import some

DATA = Path(__file__).resolve().parent.parent / "data"


class Victim(NamedTuple):
    """A network in eval mode, and test images in [0, 1] with their labels, on one device."""

    model: nn.Module
    x: Tensor
    y: Tensor


def victim(*, images: int, eps: float, epochs: int, seed: int, device: str) -> Victim:
    """Train on 3,500 digits and hand over the first test images.

    Args:
        images: 1 to 1000.
        eps: Radius to train at, linf; 0 trains plainly.
        epochs: At least 1.
        seed: Of the weights, the order and the starts.
        device: Where to.
    """
    train, test = (read_digits(DATA / "raw" / "digits.tar", split) for split in ("train", "test"))
    x, y = _tensor(train.x).to(device), torch.as_tensor(train.labels, device=device)
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = nn.Sequential(
        *(nn.Conv2d(1, 16, 4, stride=2, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(32, 64, 4, stride=2, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(64 * 49, 10)),
    ).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(epochs):
        for chosen in torch.randperm(len(x), generator=generator).to(device).split(64):
            images_, labels = x[chosen], y[chosen]
            start = random_start(Noise.of(images_, generator), images_, eps=eps, norm="linf")
            slope = gradient(model, start, labels, loss=cross_entropy).gradient
            delta = (start - images_ + 1.25 * eps * slope.sign()).clamp(-eps, eps)
            optimizer.zero_grad()
            functional.cross_entropy(model((images_ + delta).clamp(0, 1)), labels).backward()
            optimizer.step()
    held = _tensor(test.x)[:images].to(device)
    return Victim(model.eval(), held, torch.as_tensor(test.labels[:images], device=device))


def trained(folder: Path, *, images: int, device: str) -> Victim:
    """Hand over a model that fgsm_law trained on objects32, with test images, every class in its share."""
    model, _ = load_model(folder)
    data = some(read_dataset("objects", DATA / "built" / "objects32", "test", seed=0), images, seed=0)
    x, y = data.tensors()
    return Victim(model.eval().to(device), x.to(device).float() / 255, y.to(device))


def _tensor(x) -> Tensor:
    return torch.as_tensor(x).permute(0, 3, 1, 2).float().div(255).contiguous()
