"""The suites that need one classifier and labelled pictures: (model, x, y, *, plan) -> outcomes an image."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from gauntlet.attacks.gradient import pgd
from gauntlet.attacks.radius import radius_between
from gauntlet.attacks.self_checks import self_checks
from gauntlet.attacks.survival import Attack, right_in_batches, survives
from gauntlet.attacks.table import ATTACKS
from gauntlet.attacks.transfer import STEPS_TO_RADIUS
from gauntlet.errors import ArgumentError
from gauntlet.models.defences import DEFENCES, Randomised
from gauntlet.shifts.corruptions import CORRUPTIONS
from gauntlet.shifts.frequency import low_pass
from gauntlet.suites.outcomes import Outcomes
from gauntlet.suites.plan import Plan, Settings

SEVERITIES = (1, 2, 3, 4, 5)
LEAST_PX = 32
"""Sides below which the corruptions are not defined."""
MOMENTUM = ("mim", "dim", "tim", "si_ni_fgsm", "vmi_fgsm")
DRAWS = 5
"""Predictions of a randomised defence that vote on an image."""


def pixels(x: Tensor) -> Tensor:
    """Return uint8 pictures as the float32 pixels in [0, 1] that models take.

    Raises:
        ArgumentError: They are of another type: pixels already, which would become black.
    """
    if x.dtype != torch.uint8:
        raise ArgumentError(f"pictures must be uint8, 0 to 255; got {x.dtype}; divided by 255 already?")
    return x.float() / 255


def seeded(plan: Plan) -> torch.Generator:
    """Return a fresh generator of the plan's seed."""
    return torch.Generator().manual_seed(plan.seed)


def curves(model: nn.Module, x: Tensor, y: Tensor, *, plan: Plan) -> Outcomes:
    """Find, for each norm, between which of the plan's budgets each image breaks under PGD.

    Args:
        model: Pixels in [0, 1] to logits, in eval mode.
        x: uint8, N x C x H x W, where the model is.
        y: int64, N.
        plan: Budgets and steps; a step is a quarter of the radius tried.
    """
    values = {"clean": _bool(right_in_batches(model, pixels(x), y, batch=plan.batch))}
    for norm, budgets in plan.budgets.items():
        found = radius_between(
            model,
            pixels(x),
            y,
            attack=_quarter_steps(norm, plan.steps),
            norm=norm,
            budgets=budgets,
            batch=plan.batch,
            generator=seeded(plan),
        )
        values[f"radius/{norm}"] = found.radius.cpu().numpy()
    return Outcomes(values)


def _quarter_steps(norm: str, steps: int) -> Attack:
    def attack(model: nn.Module, x: Tensor, y: Tensor, *, eps: Tensor, generator: torch.Generator) -> Tensor:
        return pgd(model, x, y, eps=eps, alpha=eps / 4, steps=steps, norm=norm, generator=generator)

    return attack


def steps(model: nn.Module, x: Tensor, y: Tensor, *, plan: Plan) -> Outcomes:
    """Attack with more and more steps of eps/4 from the same start; who broke earlier stays broken. As `curves`."""
    standing = right_in_batches(model, pixels(x), y, batch=plan.batch)
    values = {"clean": _bool(standing)}
    for count in plan.step_counts:
        attack = partial(pgd, alpha=plan.eps / 4, steps=count)
        standing = _survivors(model, x, y, attack=attack, standing=standing, plan=plan)
        values[f"steps/{count}"] = _bool(standing)
    return Outcomes(values)


def attacks(model: nn.Module, x: Tensor, y: Tensor, *, plan: Plan) -> Outcomes:
    """Attack with each of the plan's attacks at eps, and look for masked gradients. As `curves`."""
    clean = right_in_batches(model, pixels(x), y, batch=plan.batch)
    values = {"clean": _bool(clean)}
    for name, settings in plan.attacks.items():
        attack = partial(ATTACKS[name], **at_eps(name, settings, eps=plan.eps))
        values[f"attack/{name}"] = _bool(_survivors(model, x, y, attack=attack, standing=clean, plan=plan))
    return Outcomes(values, {"": _problems(model, x, y, right=clean, plan=plan)})


def at_eps(name: str, settings: Settings, *, eps: float) -> dict[str, object]:
    """Return an attack's settings with a step, where none is set, that crosses the ball in the steps it has.

    BIM and PGD step by a quarter of eps. The attacks with momentum step by eps/18 of themselves, which is meant for
    their twenty steps: with another number the step keeps that ratio.
    """
    if "alpha" not in settings and name in ("bim", "pgd"):
        return {**settings, "alpha": eps / 4}
    if "alpha" not in settings and "steps" in settings and name in MOMENTUM:
        return {**settings, "alpha": eps * 20 / (STEPS_TO_RADIUS * settings["steps"])}
    return dict(settings)


def frequency(model: nn.Module, x: Tensor, y: Tensor, *, plan: Plan) -> Outcomes:
    """Classify the pictures behind ever tighter low-pass filters. As `curves`."""
    values = {
        f"low_pass/{radius:g}": _bool(right_in_batches(model, low_pass(pixels(x), radius=radius), y, batch=plan.batch))
        for radius in plan.low_pass
    }
    return Outcomes(values)


def corruptions(model: nn.Module, x: Tensor, y: Tensor, *, plan: Plan) -> Outcomes:
    """Classify the pictures under each corruption at severity 1 to 5. As `curves`; x of 3 channels, 32 px and more."""
    values = {}
    for key, pictures in corrupted(x, plan=plan).items():
        values[key] = _bool(right_in_batches(model, pixels(pictures), y, batch=plan.batch))
    return Outcomes(values)


def corrupted(x: Tensor, *, plan: Plan) -> dict[str, Tensor]:
    """Return uint8 pictures under each corruption and severity, by key; the same for every model."""
    pictures = x.permute(0, 2, 3, 1).cpu().numpy()
    found = {}
    for place, name in enumerate(plan.corruptions):
        for severity in SEVERITIES:
            generator = np.random.default_rng([plan.seed, place, severity])
            made = CORRUPTIONS[name](pictures, severity=severity, generator=generator)
            found[f"corruption/{name}/{severity}"] = torch.from_numpy(made).permute(0, 3, 1, 2).to(x.device)
    return found


def defences(model: nn.Module, x: Tensor, y: Tensor, *, plan: Plan) -> Outcomes:
    """Put each input defence before the model and attack through it. As `curves`.

    "robust" is what survives PGD both with the defence's own gradient and with the straight-through one (BPDA); a
    randomised defence decides by the majority of five draws. Masked gradients are named under `problems`.
    """
    values, problems = {}, {}
    attack = partial(pgd, alpha=plan.eps / 4, steps=plan.steps)
    for name, settings in plan.defences.items():
        if name == "randomisation":
            shown = [_Voting(DEFENCES[name](model, generator=seeded(plan), **settings))]
        else:
            shown = [DEFENCES[name](model, straight_through=through, **settings) for through in (False, True)]
        right = standing = right_in_batches(shown[0], pixels(x), y, batch=plan.batch)
        values[f"defence/{name}/clean"] = _bool(right)
        for defended in shown:
            standing = _survivors(defended, x, y, attack=attack, standing=standing, plan=plan)
        values[f"defence/{name}/robust"] = _bool(standing)
        checked = shown[0].network if name == "randomisation" else shown[0]
        problems[name] = _problems(checked, x, y, right=right, plan=plan)
    return Outcomes(values, problems)


class _Voting(nn.Module):
    """The mean logits of several draws, which is also what an attack on a random defence has to climb (EOT)."""

    def __init__(self, network: Randomised) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.network(x) for _ in range(DRAWS)]).mean(0)


def _survivors(model: nn.Module, x: Tensor, y: Tensor, *, attack: Attack, standing: Tensor, plan: Plan) -> Tensor:
    left = standing.clone()
    if standing.any():
        left[standing] = survives(
            model,
            pixels(x[standing]),
            y[standing],
            attack=attack,
            eps=plan.eps,
            norm="linf",
            batch=plan.batch,
            generator=seeded(plan),
        )
    return left


def _problems(model: nn.Module, x: Tensor, y: Tensor, *, right: Tensor, plan: Plan) -> list[str]:
    # Where the class comes third DLR is constant, and nobody attacks such an image: its slope says nothing.
    chosen = right.nonzero()[:, 0] if right.any() else torch.arange(len(x), device=x.device)
    chosen = chosen[: plan.checked]
    return self_checks(model, pixels(x[chosen]), y[chosen], eps=plan.eps).problems


def _bool(right: Tensor) -> np.ndarray:
    return right.cpu().numpy().astype(bool)


Suite = Callable[..., Outcomes]
SUITES: dict[str, Suite] = {f.__name__: f for f in (curves, steps, attacks, frequency, corruptions, defences)}


def fits(suite: str, x: Tensor) -> str:
    """Say why a suite does not fit these pictures; empty where it does."""
    _, channels, height, width = x.shape
    if suite == "corruptions" and (channels != 3 or min(height, width) < LEAST_PX):
        return (
            f"corruptions are defined for three channels and sides of {LEAST_PX} px and more; "
            f"these pictures are {channels} x {height} x {width}"
        )
    return ""
