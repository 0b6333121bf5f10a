"""PGD that disrupts face editors: what a protection without a network computes, a picture at a time."""

from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor

from gauntlet.attacks.balls import direction, into_box, random_start
from gauntlet.attacks.checks import check_inputs
from gauntlet.attacks.noise import Noise
from gauntlet.errors import ArgumentError
from gauntlet.models.manipulators import Manipulator


def disruption_pgd(
    manipulators: Sequence[Manipulator],
    x: Tensor,
    *,
    eps: float,
    alpha: float,
    steps: int,
    generator: torch.Generator,
    attributes: Sequence[int] | None = None,
    per_step: int | None = None,
    changed: float | None = None,
    target: Tensor | None = None,
) -> Tensor:
    """Perturb faces so that edits of them differ from the edits of the clean faces: one perturbation for all edits.

    Args:
        manipulators: Whose edits are to fail, together.
        x: float32, B x 3 x H x W in [0, 1].
        eps: Radius in linf on [0, 1]: 0.025 is the literature's 0.05 on [-1, 1].
        alpha: Step on [0, 1]: 0.005 is its 0.01.
        steps: At least 1.
        generator: On the CPU: the random start.
        attributes: Indices of the edits to disrupt; all without.
        per_step: Edits a step, taken in turn; all of them without, which costs as many times as much.
        changed: Where given, the distance is the mean over the pixels that the edit changes by more than this in sum
            over the channels, on [-1, 1]: the measure of `gauntlet.metrics.disruption`. The literature's is over all.
        target: Where the perturbation starts from, like x (a watermarked x); the ball stays around x.

    Returns:
        x_adv, like x: the last iterate.

    Raises:
        ArgumentError: A radius, step or count out of range, or no manipulator.

    Source: Ruiz et al., Disrupting Deepfakes, ECCV 2020 workshops: PGD on the mean square distance to the clean
    output from a random start; over all edits in turn it is their iterative class transfer, at once their joint one.
    """
    edits = _edits(manipulators, attributes)
    _check(x, eps=eps, alpha=alpha, steps=steps, per_step=per_step)
    per_step = min(per_step or len(edits), len(edits))
    with torch.no_grad():
        clean = [manipulator.edit(x, attribute) for manipulator, attribute in edits]
    weights = [_weights(x, edited, changed=changed) for edited in clean]
    noise = Noise.of(x, generator)
    x_adv = random_start(noise, x, eps=eps, norm="linf")
    if target is not None:
        x_adv = into_box(x, target - x + 0.1 * (x_adv - x), eps=eps, norm="linf")
    for step in range(steps):
        turn = [(step * per_step + k) % len(edits) for k in range(per_step)]
        slope = torch.zeros_like(x)
        for at in turn:
            slope += _slope(*edits[at], x_adv=x_adv, clean=clean[at], weights=weights[at])
        x_adv = into_box(x, x_adv - x + alpha * direction(slope, "linf"), eps=eps, norm="linf")
    return x_adv


def _slope(manipulator: Manipulator, attribute: int, *, x_adv: Tensor, clean: Tensor, weights: Tensor) -> Tensor:
    leaf = x_adv.detach().requires_grad_()
    with torch.enable_grad():
        distance = ((manipulator.edit(leaf, attribute) - clean).square() * weights).sum()
        (slope,) = torch.autograd.grad(distance, leaf)
    return slope


def _weights(x: Tensor, edited: Tensor, *, changed: float | None) -> Tensor:
    """Return weights of the pixels, B x 1 x H x W, that sum to 1; all alike where an edit changes nothing."""
    everywhere = torch.ones_like(x[:, :1])
    region = everywhere if changed is None else (2 * (edited - x)).abs().sum(1, keepdim=True).gt(changed).to(x.dtype)
    region = torch.where(region.flatten(1).any(1)[:, None, None, None], region, everywhere)
    return region / region.sum((1, 2, 3), keepdim=True)


def _edits(manipulators: Sequence[Manipulator], attributes: Sequence[int] | None) -> list[tuple[Manipulator, int]]:
    if not manipulators:
        raise ArgumentError("manipulators must number at least 1; got none")
    edits = []
    for manipulator in manipulators:
        count = len(manipulator.attributes)
        own = range(count) if attributes is None else attributes
        if wrong := [each for each in own if not 0 <= each < count]:
            raise ArgumentError(f"attributes must lie in [0, {count}) for {manipulator.name}; got {wrong[0]}")
        edits += product([manipulator], own)
    if not edits:
        raise ArgumentError("attributes must number at least 1; got none")
    return edits


def _check(x: Tensor, *, eps: float, alpha: float, steps: int, per_step: int | None) -> None:
    check_inputs(x, torch.zeros(len(x), dtype=torch.int64, device=x.device), eps=eps, norm="linf")
    if not alpha > 0:
        raise ArgumentError(f"alpha must lie above 0 (0.005 is 0.01 on [-1, 1]); got {alpha}")
    if steps < 1 or (per_step is not None and per_step < 1):
        raise ArgumentError(f"steps and per_step must be at least 1; got {steps} and {per_step}")
