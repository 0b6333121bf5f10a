"""APGD: projected gradient ascent with momentum that halves its own step, on a loss or towards many targets."""

import torch
from torch import Tensor, nn

from gauntlet.attacks.apgd_walk import Ascent, Goal
from gauntlet.attacks.apgd_walk_l1 import SparseAscent
from gauntlet.attacks.losses import LOSSES, dlr_targeted
from gauntlet.attacks.slots import Found, search
from gauntlet.attacks.standing import Standing, gap, standing
from gauntlet.errors import ArgumentError

ASCENTS = {"linf": Ascent, "l2": Ascent, "l1": SparseAscent}


def apgd(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float | Tensor,
    steps: int = 100,
    restarts: int = 1,
    norm: str = "linf",
    loss: str = "cross_entropy",
    batch: int | None = None,
    generator: torch.Generator,
) -> Tensor:
    """Ascend a loss with a step size that adapts itself.

    Args:
        model, x, y, eps, batch, generator: As every attack's, see `gauntlet.attacks`.
        steps: Gradient steps, at least 1.
        restarts: Random starts, at least 1.
        norm: "linf", "l2" or "l1"; l1 always descends from three times the radius.
        loss: "cross_entropy", "margin" or "dlr".

    Returns:
        Like x, inside the ball and the box. Images that the model gets wrong, or that no run broke, are unchanged.

    Source: Croce and Hein, ICML 2020 (algorithm 1); for l1 Croce and Hein, ICML 2021. The released code compares
        the first step's loss with zero; here it is compared with the start's.
    """
    if loss not in LOSSES or restarts < 1:
        raise ArgumentError(f"loss must be one of {', '.join(LOSSES)}, restarts at least 1; got {loss!r}, {restarts}")
    still = standing(model, x, y, eps=eps, norm=norm, batch=batch, generator=generator)
    found = ascend(model, still, steps=steps, runs=restarts, norm=norm, loss=loss)
    return x.index_copy(0, still.index, found.x_adv)


def apgd_targeted(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float | Tensor,
    steps: int = 100,
    targets: int = 9,
    norm: str = "linf",
    batch: int | None = None,
    generator: torch.Generator,
) -> Tensor:
    """Ascend the targeted DLR loss towards each of the likeliest wrong classes.

    Args:
        model, x, y, eps, norm, batch, generator: As every attack's, see `gauntlet.attacks`.
        steps: Gradient steps towards each target, at least 1.
        targets: Classes, at least 1; all wrong ones if there are fewer.

    Returns:
        Like x, inside the ball and the box. Images that the model gets wrong, or that no run broke, are unchanged.

    Source: Croce and Hein, ICML 2020 (equation 7). Below four classes that loss has no scale, and the plain
        difference of the two logits is ascended.
    """
    still = standing(model, x, y, eps=eps, norm=norm, batch=batch, generator=generator)
    found = ascend_to_targets(model, still, steps=steps, targets=targets, norm=norm)
    return x.index_copy(0, still.index, found.x_adv)


def ascend(model: nn.Module, still: Standing, *, steps: int, runs: int, norm: str, loss: str) -> Found:
    """Run APGD over images that stand; arguments as in `apgd`."""
    untargeted = LOSSES[loss]
    labels = still.y[:, None, None].expand(-1, runs, 1)
    goal = Goal(lambda logits, wanted: untargeted(logits, wanted[:, 0]), labels)
    walk = ASCENTS[norm](model, still, goal, norm=norm, steps=_checked(steps))
    return search(walk, still, runs=runs)


def ascend_to_targets(model: nn.Module, still: Standing, *, steps: int, targets: int, norm: str) -> Found:
    """Run targeted APGD over images that stand; arguments as in `apgd_targeted`."""
    labels = still.towards(targets)
    goal = Goal(_towards if still.logits.shape[1] > 3 else gap, labels)
    walk = ASCENTS[norm](model, still, goal, norm=norm, steps=_checked(steps))
    return search(walk, still, runs=labels.shape[1])


def _towards(logits: Tensor, wanted: Tensor) -> Tensor:
    return dlr_targeted(logits, *wanted.unbind(1))


def _checked(steps: int) -> int:
    if steps < 1:
        raise ArgumentError(f"steps must be at least 1; got {steps}")
    return steps
