"""INLP: directions that tell the group are taken out of the sentence states, one classifier after another."""

import torch
from torch import Tensor
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.training.fairberts.rows import UNKNOWN, Rows


def inlp(states: Tensor, rows: Rows, *, rounds: int, steps: int = 30, decay: float = 1e-3) -> Tensor:
    """Return the directions of `rounds` linear classifiers of the group, each on what the ones before left.

    Args:
        states: float32, [N, D]: sentence states.
        rows: Their groups and weights; a classifier sees label and group independent.
        rounds: Classifiers, from 0 to D.
        steps: Of L-BFGS, each classifier.
        decay: Of its weights.

    Returns:
        Orthonormal rows, [rounds, D].

    Raises:
        ArgumentError: There are more rounds than the states have dimensions.

    Source: Ravfogel et al., Null it out (2020), algorithm 1. The weights are ours; theirs balances by subsampling.
    """
    width = states.shape[1]
    if not 0 <= rounds <= width:
        raise ArgumentError(f"rounds must lie in 0 to {width}, the width of the states; got {rounds}")
    known = rows.z != UNKNOWN
    x, z, weights = states[known], rows.z[known].float(), rows.weights[known]
    # Directions are compared on one scale, as the regularised classifier would prefer the long ones.
    x = (x - x.mean(0)) / x.std().clamp_min(1e-12)
    found = torch.zeros(0, width)
    for _ in range(rounds):
        left = x - (x @ found.T) @ found
        direction = _direction(left, z, weights, steps=steps, decay=decay)
        direction = direction - (direction @ found.T) @ found
        found = torch.cat([found, functional.normalize(direction, dim=0)[None]])
    return found


def _direction(x: Tensor, z: Tensor, weights: Tensor, *, steps: int, decay: float) -> Tensor:
    """Return the weights of a logistic regression of the group."""
    slope, shift = (torch.zeros(size, requires_grad=True) for size in (x.shape[1], 1))
    optimizer = torch.optim.LBFGS([slope, shift], max_iter=steps, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        each = functional.binary_cross_entropy_with_logits(x @ slope + shift, z, reduction="none")
        loss = (each * weights).mean() + decay * slope.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return slope.detach()
