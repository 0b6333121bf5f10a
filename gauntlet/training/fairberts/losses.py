"""The losses of fairBERTs: what a discriminator learns by, and what keeps it from learning."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from gauntlet.training.fairberts.rows import UNKNOWN


def group_loss(logits: Tensor, z: Tensor, *, weights: Tensor) -> Tensor:
    """Return a discriminator's weighted cross-entropy over the rows whose group is known; 0 where none is.

    Args:
        logits: [B, Z].
        z: int64, [B]; UNKNOWN is left out.
        weights: float32, [B].
    """
    known = z != UNKNOWN
    if not known.any():
        return logits.sum() * 0
    each = functional.cross_entropy(logits[known], z[known], reduction="none")
    return (each * weights[known]).sum() / weights[known].sum()


def to_uniform(logits: Tensor, z: Tensor, *, alpha: float) -> Tensor:
    """Return KL(D || uniform) = log Z - H(D): at least 0, at most log Z; the sheet's safe form."""
    log = logits.log_softmax(1)
    return (log.exp() * log).sum(1).mean() + math.log(logits.shape[1])


def from_uniform(logits: Tensor, z: Tensor, *, alpha: float) -> Tensor:
    """Return KL(uniform || D): at least 0, and steep where D is sure, where `to_uniform` is flat."""
    return -logits.log_softmax(1).mean(1).mean() - math.log(logits.shape[1])


def deceive(logits: Tensor, z: Tensor, *, alpha: float) -> Tensor:
    """Return -CE(D, z) - alpha H(D): the plain form; unbounded below, and content with a D that is surely wrong."""
    log = logits.log_softmax(1)
    known = z != UNKNOWN
    fooled = -functional.cross_entropy(logits[known], z[known]) if known.any() else logits.sum() * 0
    return fooled + alpha * (log.exp() * log).sum(1).mean()


ERASURES: dict[str, Callable[..., Tensor]] = {f.__name__: f for f in (to_uniform, from_uniform, deceive)}
"""What the generator minimises, times lambda."""


def effort(perturbation: Tensor) -> Tensor:
    """Return ||G(h_s)||^2 / d, the mean over rows of [B, D]."""
    return perturbation.square().mean()


def apart(difference: Tensor, plain: Tensor) -> Tensor:
    """Return the share of the squared distance between sentences and their twins that the perturbation leaves.

    Args:
        difference: Of the perturbed states, [B, D].
        plain: Of the states without perturbation, [B, D]; no gradient flows into it.
    """
    return difference.square().sum() / plain.detach().square().sum().clamp_min(1e-12)


def kept_meaning(changed: Tensor, plain: Tensor) -> Tensor:
    """Return KL(C(h_c) || C(h_c^F)): what the perturbation changes of the classifier's answer.

    Args:
        changed: Logits of the perturbed state, [B, C].
        plain: Logits of the state without perturbation; no gradient flows into them.
    """
    return functional.kl_div(
        changed.log_softmax(1), plain.detach().log_softmax(1), reduction="batchmean", log_target=True
    )


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * gradient, None


def reverse(x: Tensor, strength: float) -> Tensor:
    """Return x as it is; its gradient is turned round and multiplied by `strength`, at least 0.

    Source: Ganin and Lempitsky, Unsupervised domain adaptation by backpropagation (2015).

    >>> x = torch.ones(1, requires_grad=True); reverse(x, 2.0).backward(); x.grad.item()
    -2.0
    """
    return _Reverse.apply(x, strength)
