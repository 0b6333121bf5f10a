"""DeepFool: walk to the nearest decision boundary as if the model were linear, again and again."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.attacks.balls import direction, lengths, per_image
from gauntlet.attacks.checks import check_inputs
from gauntlet.attacks.gradient import right
from gauntlet.attacks.minimal import confined, limits
from gauntlet.errors import ArgumentError

_DUALS = {"l2": "l2", "linf": "l1"}
_TINY = 1e-12
_NUDGE = 1e-4
"""Added to each distance in logits, so that a step ends behind the boundary rather than on it."""


class _Linear(NamedTuple):
    """The model made linear: gradients of rivals' logits less the true one, R an image; gaps B x R; rivals B x R."""

    slopes: Tensor
    gaps: Tensor
    rivals: Tensor


def deepfool(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    eps: float | Tensor | None = None,
    steps: int = 50,
    norm: str = "l2",
    overshoot: float = 0.02,
    candidates: int = 10,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Step to the nearest boundary of the model made linear, until the model errs.

    Args:
        model, x, y, generator: As every attack's, see `gauntlet.attacks`.
        eps: Radius on [0, 1]; a number or [B]. An image that has gone beyond it leaves. None: no limit.
        steps: At least 1.
        norm: "l2" or "linf".
        overshoot: Share by which the whole way is overdone, 0 or more.
        candidates: Classes whose boundaries are looked at, the likeliest ones: one backward pass each.

    Returns:
        Like x: the image at which the model first erred, projected onto the ball where it lies outside; images that
        the model gets wrong come back as they are.

    Source: Moosavi-Dezfooli et al., CVPR 2016 (algorithm 2, equations 11 and 12 for linf). Differs: every step ends
    in the box.
    """
    radius = limits(eps, x, norm=norm) if norm in _DUALS else 0.0
    check_inputs(x, y, eps=radius, norm=norm)
    if norm not in _DUALS or steps < 1 or candidates < 1 or not overshoot >= 0:
        raise ArgumentError(
            f"norm must be l2 or linf, steps and candidates at least 1, overshoot 0 or more; got {norm}, {steps}, "
            f"{candidates}, {overshoot}"
        )
    result = x.clone()
    index = right(model, x, y).nonzero()[:, 0]
    way, rivals = torch.zeros_like(x[index]), None
    for step in range(steps):
        if step:
            left = right(model, result[index], y[index]) & (lengths(way, norm) <= radius[index])
            index, way, rivals = index[left], way[left], rivals[left]
        if not len(index):
            break
        clean = x[index]
        linear = _linearised(model, result[index], y[index], rivals=rivals, candidates=candidates)
        rivals = linear.rivals
        way = (clean + way + _step(linear, norm)).clamp(0, 1) - clean
        result[index] = (clean + (1 + overshoot) * way).clamp(0, 1)
    return confined(x, result, eps=radius, norm=norm)


def _linearised(model: nn.Module, x: Tensor, y: Tensor, *, rivals: Tensor | None, candidates: int) -> _Linear:
    leaf = x.detach().requires_grad_()
    with torch.enable_grad():
        logits = model(leaf)
        true = functional.one_hot(y, logits.shape[1]).bool()
        if rivals is None:
            others = logits.detach().masked_fill(true, -torch.inf)
            rivals = others.topk(min(candidates, logits.shape[1] - 1), dim=1).indices
        gaps = logits.gather(1, y[:, None]) - logits.gather(1, rivals)
        slopes = [-torch.autograd.grad(gap.sum(), leaf, retain_graph=True)[0] for gap in gaps.unbind(1)]
    return _Linear(torch.stack(slopes, 1), gaps.detach(), rivals)


def _step(linear: _Linear, norm: str) -> Tensor:
    """Return the shortest step that takes a linear model just behind its nearest boundary."""
    dual = lengths(linear.slopes.flatten(0, 1), _DUALS[norm]).view_as(linear.gaps).clamp_min(_TINY)
    nearest = (linear.gaps.abs() / dual).argmin(1)
    row = torch.arange(len(nearest), device=nearest.device)
    slope, steepness = linear.slopes[row, nearest], dual[row, nearest]
    distance = (linear.gaps[row, nearest].abs() + _NUDGE) / steepness
    return per_image(distance, slope) * direction(slope, norm)
