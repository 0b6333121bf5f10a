"""AutoAttack, the standard version: APGD on cross-entropy, targeted APGD, targeted FAB, Square, in turn."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gauntlet.attacks.apgd import ascend, ascend_to_targets
from gauntlet.attacks.fab import approach
from gauntlet.attacks.slots import Found
from gauntlet.attacks.square import query
from gauntlet.attacks.standing import Standing, standing

STEPS = 100
QUERIES = 5000
TARGETS = 9
CLEAN, ROBUST = 0, -1


@dataclass(frozen=True)
class Broken:
    """What AutoAttack did to each image.

    Attributes:
        x_adv: float32, N x C x H x W, verified by the model; x itself where the image was wrong or stayed right.
        by: int64 [N]: 0 where the model was wrong already, k where the k-th of `PARTS` broke the image, -1 where
            none did.
    """

    x_adv: Tensor
    by: Tensor

    @property
    def robust(self) -> Tensor:
        """Which images the model gets right whatever was tried, bool [N]."""
        return self.by == ROBUST

    def names(self) -> list[str | None]:
        """Return the name in `by` of each image: "clean", a key of PARTS, or None."""
        known = ["clean", *PARTS, None]
        return [known[place] for place in self.by.tolist()]


def autoattack(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float | Tensor,
    steps: int = STEPS,
    queries: int = QUERIES,
    norm: str = "linf",
    batch: int | None = None,
    generator: torch.Generator,
) -> Tensor:
    """Attack with all of AutoAttack's standard version; arguments as in `standard`.

    Returns:
        Like x, inside the ball and the box. Images that the model gets wrong, or that nothing broke, are unchanged.

    Raises:
        ArgumentError: Input or logits that no attack can use.
    """
    return standard(
        model, x, y, eps=eps, steps=steps, queries=queries, norm=norm, batch=batch, generator=generator
    ).x_adv


def standard(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float | Tensor,
    steps: int = STEPS,
    queries: int = QUERIES,
    norm: str = "linf",
    batch: int | None = None,
    generator: torch.Generator,
) -> Broken:
    """Attack with each part of AutoAttack what the parts before have left.

    Args:
        model, x, y, eps, norm, generator: As every attack's, see `gauntlet.attacks`.
        steps: Gradient steps of each run, at least 1; fewer than 100 is no longer the standard version.
        queries: Of Square, at least 1; fewer than 5000 is no longer the standard version.
        batch: Rows of a forward pass, a limit of memory that changes the speed alone; None takes `ROWS` of the device.
            Hand in many more images than that at once: waiting ones take the rows of those that are done.

    Returns:
        The adversarial images and what broke each.

    Source: Croce and Hein, ICML 2020 (section 5), and for l1 ICML 2021: five restarts of APGD and five targets.
        Fewer targets where there are fewer wrong classes.
    """
    still = standing(model, x, y, eps=eps, norm=norm, batch=batch, generator=generator)
    by = torch.full_like(y, CLEAN)
    by[still.index] = ROBUST
    x_adv = x.clone()
    for place, (name, part) in enumerate(PARTS.items(), 1):
        if not len(still.index):
            break
        found = part(model, still, norm, budget=queries if name == "square" else steps)
        by[still.index[found.broken]] = place
        x_adv[still.index] = found.x_adv
        still = still.keep(~found.broken)
    return Broken(x_adv, by)


def _apgd_ce(model: nn.Module, still: Standing, norm: str, *, budget: int) -> Found:
    runs = 5 if norm == "l1" else 1
    return ascend(model, still, steps=budget, runs=runs, norm=norm, loss="cross_entropy")


def _apgd_t(model: nn.Module, still: Standing, norm: str, *, budget: int) -> Found:
    targets = 5 if norm == "l1" else TARGETS
    return ascend_to_targets(model, still, steps=budget, targets=targets, norm=norm)


def _fab_t(model: nn.Module, still: Standing, norm: str, *, budget: int) -> Found:
    return approach(model, still, steps=budget, targets=TARGETS, norm=norm)


def _square(model: nn.Module, still: Standing, norm: str, *, budget: int) -> Found:
    return query(model, still, steps=budget, share=0.8, norm=norm)


PARTS = {"apgd_ce": _apgd_ce, "apgd_t": _apgd_t, "fab_t": _fab_t, "square": _square}
