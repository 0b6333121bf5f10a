"""The least radius at which an attack breaks an image: the whole robustness curve from one search."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gauntlet.attacks.balls import lengths, per_image
from gauntlet.attacks.checks import check_eps, check_inputs
from gauntlet.attacks.gradient import right
from gauntlet.attacks.survival import Attack, checked, drawn_seed, right_in_batches
from gauntlet.errors import ArgumentError

_CUTS = 4


@dataclass(frozen=True)
class Radii:
    """The least radius found for each image; accuracy at eps is the share of radii above eps.

    Attributes:
        radius: float64 [N], on [0, 1] pixels: 0 where the model errs without an attack, infinity where no radius tried
            was enough.
        x_adv: N x C x H x W: the adversarial image at that radius, else the image itself.
        attacks: int64 [N], how often each image was attacked.
    """

    radius: Tensor
    x_adv: Tensor
    attacks: Tensor


@dataclass
class _Search:
    """Where the search stands: each image held at `low`, broke at `high`, first at try `first` of `tries`."""

    low: Tensor
    high: Tensor
    tries: Tensor
    first: Tensor


def least_radius(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    attack: Attack,
    norm: str,
    first: float,
    doublings: int,
    bisections: int,
    batch: int,
    generator: torch.Generator,
) -> Radii:
    """Search each image's least radius: double until it breaks, then halve the interval.

    Args:
        model, x, y: As every attack's, see `gauntlet.attacks`.
        attack: Takes a radius for each image; its step should grow with it.
        norm: That of the attack.
        first: Radius tried first, above 0.
        doublings: Radii tried until one is enough: first, 2 first, ..., 2^(doublings - 1) first; at least 1.
        bisections: Halvings after that, at least 0. An image is done once its interval is 2^-bisections of its radius,
            or for radii below `first` 2^-bisections of `first`.
        batch: Images at a time, at least 1; the result does not depend on it.
        generator: On the CPU; doublings + bisections numbers are drawn from it.

    Raises:
        ArgumentError: Input or logits that no attack can use; a radius beyond the farthest image; an attack that leaves
            the ball or the box.

    Source: ARES-Bench (arXiv 2302.14301), the released search: 2/255, 5 doublings, 10 bisections. Here an adversarial
    image counts with its own distance after it was drawn straight back towards the image, in every norm.
    """
    if first <= 0 or doublings < 1 or bisections < 0:
        raise ArgumentError(
            "first must be above 0, doublings at least 1, bisections at least 0; "
            f"got {first}, {doublings} and {bisections}"
        )
    check_eps(first * 2.0 ** (doublings - 1), x, norm=norm)

    def propose(search: _Search) -> tuple[Tensor, Tensor]:
        unbroken = search.high.isinf()
        halvings = search.tries - search.first
        wide = search.high - search.low > search.high * 2.0**-bisections
        open_ = torch.where(unbroken, search.tries < doublings, (halvings < bisections) & wide)
        return torch.where(unbroken, first * 2.0**search.tries, (search.low + search.high) / 2), open_

    rounds = doublings + bisections
    return _searched(
        model, x, y, attack=attack, norm=norm, propose=propose, rounds=rounds, batch=batch, generator=generator
    )


def radius_between(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    attack: Attack,
    norm: str,
    budgets: Sequence[float],
    batch: int,
    generator: torch.Generator,
) -> Radii:
    """Search between which two budgets each image breaks: all that a curve over these budgets can show, for less.

    Args:
        model, x, y: As every attack's, see `gauntlet.attacks`.
        attack: Takes a radius for each image; its step should grow with it.
        norm: That of the attack.
        budgets: Radii above 0, rising.
        batch: Images at a time, at least 1; the result does not depend on it.
        generator: On the CPU; a number is drawn from it for each round.

    Returns:
        Radii; each was attacked without success at the greatest budget below it, so that every budget is decided.

    Raises:
        ArgumentError: Input or logits that no attack can use; budgets that do not rise from above 0; an attack that
            leaves the ball or the box.
    """
    grid = torch.tensor(budgets, dtype=torch.float64, device=x.device)
    if not len(grid) or grid[0] <= 0 or bool((grid.diff() <= 0).any()):
        raise ArgumentError(f"budgets must rise from above 0; got {list(budgets)}")
    check_eps(float(grid[-1]), x, norm=norm)

    def propose(search: _Search) -> tuple[Tensor, Tensor]:
        begin, end = torch.searchsorted(grid, search.low, right=True), torch.searchsorted(grid, search.high)
        return grid[((begin + end) // 2).clamp_max(len(grid) - 1)], begin < end

    rounds = len(grid).bit_length()
    return _searched(
        model, x, y, attack=attack, norm=norm, propose=propose, rounds=rounds, batch=batch, generator=generator
    )


def _searched(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    attack: Attack,
    norm: str,
    propose: Callable[[_Search], tuple[Tensor, Tensor]],
    rounds: int,
    batch: int,
    generator: torch.Generator,
) -> Radii:
    check_inputs(x, y, eps=0.0, norm=norm)
    found = right_in_batches(model, x, y, batch=batch)
    zero, tries, best = torch.zeros(len(x), dtype=torch.float64, device=x.device), torch.zeros_like(y), x.clone()
    search = _Search(zero, torch.where(found, torch.inf, zero), tries, tries.clone())
    for _ in range(rounds):
        seed = drawn_seed(generator)
        eps, open_ = propose(search)
        # Images whose turns differ, one doubling and one halving, share a batch.
        for index in (open_ & found).nonzero()[:, 0].split(batch):
            radii = eps[index]
            tried = checked(model, x[index], y[index], attack=attack, eps=radii.float(), norm=norm, seed=seed)
            fooled = ~right(model, tried, y[index])
            search.tries[index] += 1
            search.low[index[~fooled]] = radii[~fooled]
            index, radii, tried = index[fooled], radii[fooled], tried[fooled]
            best[index] = _drawn_in(model, x[index], y[index], tried=tried, least=search.low[index], norm=norm)
            search.first[index] = torch.where(search.high[index].isinf(), search.tries[index], search.first[index])
            # Rounding must not lift a radius above the budget that broke the image.
            search.high[index] = torch.minimum(lengths(best[index] - x[index], norm).double(), radii)
    return Radii(search.high, best, search.tries)


def _drawn_in(model: nn.Module, x: Tensor, y: Tensor, *, tried: Tensor, least: Tensor, norm: str) -> Tensor:
    """Return the adversarial image that a few halvings of the segment towards x find, by forward passes alone."""
    if not len(x):
        return tried
    delta = tried - x
    low, high = least / lengths(delta, norm), torch.ones_like(least)
    for _ in range(_CUTS):
        share = (low + high) / 2
        fooled = ~right(model, x + per_image(share, x) * delta, y)
        low, high = torch.where(fooled, low, share), torch.where(fooled, share, high)
    return torch.where(per_image(high, x) < 1, x + per_image(high, x) * delta, tried)
