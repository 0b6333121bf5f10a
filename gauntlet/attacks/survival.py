"""Which images survive an attack, or the worst of several: only what the model itself confirms counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from gauntlet.attacks.balls import lengths
from gauntlet.attacks.checks import check_inputs
from gauntlet.attacks.gradient import right
from gauntlet.errors import ArgumentError

_SLACK = 1e-6


class Attack(Protocol):
    """An attack with its settings bound, as functools.partial(pgd, alpha=2 / 255, steps=20) gives it."""

    def __call__(
        self, model: nn.Module, x: Tensor, y: Tensor, /, *, eps: float | Tensor, generator: torch.Generator
    ) -> Tensor:
        """Return adversarial images within eps, a number or [B], of x."""


@dataclass(frozen=True)
class WorstCase:
    """What several attacks, one after the other, left of a model.

    Attributes:
        clean: bool [N], right before any attack.
        robust: bool [N], right after all.
        broken_by: int64 [N], the place of the attack that broke the image; -1 where none did or had to.
        x_adv: N x C x H x W: what broke the image, else the image itself.
        names: The attacks, in their order.
    """

    clean: Tensor
    robust: Tensor
    broken_by: Tensor
    x_adv: Tensor
    names: tuple[str, ...]


def survives(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    attack: Attack,
    eps: float | Tensor,
    norm: str,
    batch: int,
    generator: torch.Generator,
) -> Tensor:
    """Return which images the model gets right before and after an attack.

    Args:
        model, x, y, eps: As every attack's, see `gauntlet.attacks`.
        attack: Called on the images that the model gets right, `batch` at a time.
        norm: That of the attack.
        batch: Images at a time, at least 1; the result does not depend on it.
        generator: On the CPU; one number is drawn from it.

    Returns:
        bool [N].

    Raises:
        ArgumentError: Input or logits that no attack can use; an attack that leaves the ball or the box.
    """
    attacks = {"attack": attack}
    return worst_case(model, x, y, attacks=attacks, eps=eps, norm=norm, batch=batch, generator=generator).robust


def worst_case(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    attacks: Mapping[str, Attack],
    eps: float | Tensor,
    norm: str,
    batch: int,
    generator: torch.Generator,
) -> WorstCase:
    """Attack with one attack after the other, each only on the images that still stand.

    Args:
        model, x, y, eps: As every attack's, see `gauntlet.attacks`.
        attacks: By name; the cheapest first.
        norm: That of the attacks.
        batch: Images at a time, at least 1; the result does not depend on it.
        generator: On the CPU; one number is drawn from it for each attack.

    Raises:
        ArgumentError: Input or logits that no attack can use; an attack that leaves the ball or the box.
    """
    check_inputs(x, y, eps=eps, norm=norm)
    radii = torch.as_tensor(eps, dtype=x.dtype, device=x.device).expand(len(x))
    clean = right_in_batches(model, x, y, batch=batch)
    standing, broken_by, x_adv = clean.clone(), torch.full_like(y, -1), x.clone()
    for place, attack in enumerate(attacks.values()):
        seed = drawn_seed(generator)
        for index in standing.nonzero()[:, 0].split(batch):
            tried = checked(model, x[index], y[index], attack=attack, eps=radii[index], norm=norm, seed=seed)
            fooled = ~right(model, tried, y[index])
            broken = index[fooled]
            x_adv[broken], broken_by[broken], standing[broken] = tried[fooled], place, False
    return WorstCase(clean, standing, broken_by, x_adv, tuple(attacks))


def right_in_batches(model: nn.Module, x: Tensor, y: Tensor, *, batch: int) -> Tensor:
    """Return which images the model gets right, bool [N], `batch` at a time.

    Args:
        model, x, y: As every attack's, see `gauntlet.attacks`.
        batch: At least 1.

    Raises:
        ArgumentError: batch below 1; logits that no attack can use.
    """
    if batch < 1:
        raise ArgumentError(f"batch must be at least 1; got {batch}")
    pairs = zip(x.split(batch), y.split(batch), strict=True)
    return torch.cat([right(model, images, labels) for images, labels in pairs])


def drawn_seed(generator: torch.Generator) -> int:
    """Draw the seed that all batches of one attack share, so that their size does not matter."""
    return int(torch.randint(2**62, (), generator=generator))


def checked(model: nn.Module, x: Tensor, y: Tensor, *, attack: Attack, eps: Tensor, norm: str, seed: int) -> Tensor:
    """Run an attack on one batch and hold it to the ball and the box.

    Args:
        model, x, y, norm: As every attack's, see `gauntlet.attacks`.
        attack: To be run.
        eps: [B].
        seed: Of the generator that the attack gets.

    Raises:
        ArgumentError: The attack left the ball or the box.
    """
    if not len(x):
        return x
    x_adv = attack(model, x, y, eps=eps, generator=torch.Generator().manual_seed(seed))
    low, high = (float(bound) for bound in x_adv.aminmax())
    # Every pixel of x + delta is rounded; in l1 the roundings add up.
    slack = _SLACK * eps.clamp_min(1) + (2.0**-24 * x[0].numel() if norm == "l1" else 0)
    beyond = float((lengths(x_adv - x, norm) - eps - slack).max())
    if not (low >= 0 and high <= 1 and beyond <= 0):
        name = getattr(attack, "__name__", type(attack).__name__)
        raise ArgumentError(f"an attack must stay in [0, 1] and within eps ({norm}, its own norm?); {name} did not")
    return x_adv
