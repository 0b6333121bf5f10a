"""The expensive references: PGD-AT and TRADES."""

from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.training.fgsm_law.method import (
    Batch,
    Loss,
    LossFunction,
    Method,
    clip_ball,
    clip_box,
    evaluating,
    input_gradient,
    normal,
    right,
    uniform_start,
)
from gauntlet.training.fgsm_law.one_step import trained_on


def ascend(
    model: nn.Module, x: Tensor, y: Tensor, *, start: Tensor, eps: float, alpha: float, steps: int, loss: LossFunction
) -> tuple[Tensor, Tensor]:
    """Return delta after `steps` sign steps, and the logits at the start.

    Args:
        model: In the mode the method wants.
        x: B x C x H x W in [0, 1].
        y: What `loss` takes as its second argument.
        start: First delta.
        eps: Radius.
        alpha: Step.
        steps: At least 1.
        loss: Ascended.
    """
    delta, first = start, None
    for _ in range(steps):
        gradient, logits = input_gradient(model, x + delta, y, loss=loss)
        delta = clip_ball(x, delta + alpha * gradient.sign(), eps)
        first = logits if first is None else first
    return delta, first


@dataclass
class PgdAt(Method):
    """Training on PGD from a uniform start.

    Attributes:
        steps: Of the attack.
        alpha: Step, as a multiple of eps (2/255 at 8/255).
        attack_in_eval: Hold the batch statistics still while attacking (ARES); Rice et al. do not.

    Source: Madry et al. 2018; Rice et al. 2020.
    """

    steps: int = 10
    alpha: float = 0.25
    attack_in_eval: bool = False

    @property
    def cost(self) -> float:
        """Pairs of passes over an image."""
        return 1.0 + self.steps

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the cross-entropy at x + d."""
        eps = self.setting.eps
        start = uniform_start(batch.x, eps, generator)
        with evaluating(model) if self.attack_in_eval else nullcontext():
            delta, reference = ascend(
                model,
                batch.x,
                batch.target,
                start=start,
                eps=eps,
                alpha=self.alpha * eps,
                steps=self.steps,
                loss=functional.cross_entropy,
            )
        return trained_on(model, batch, batch.x + delta, reference=reference)


def divergence(logits: Tensor, probabilities: Tensor) -> Tensor:
    """Return the batch's mean of KL(probabilities || softmax(logits))."""
    return functional.kl_div(functional.log_softmax(logits, 1), probabilities, reduction="batchmean")


@dataclass
class Trades(Method):
    """Cross-entropy at x plus beta times the divergence between x and the point that maximises it.

    Attributes:
        beta: Weight of the divergence.
        steps: Of the attack.
        alpha: Step, as a multiple of eps.
        start: Deviation of the normal noise that the attack starts from.

    Source: Zhang et al. 2019, equation 5, and the released code: the attack runs in eval mode.
    """

    beta: float = 6.0
    steps: int = 10
    alpha: float = 0.25
    start: float = 0.001

    @property
    def cost(self) -> float:
        """Pairs of passes over an image: the attack, its clean forward pass, and two in the outer loss."""
        return self.steps + 2.5

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the surrogate loss."""
        eps, x = self.setting.eps, batch.x
        noise = normal(x.shape, generator, x.device).mul_(self.start)
        with evaluating(model):
            with torch.no_grad():
                clean = model(x).softmax(1)
            delta, _ = ascend(
                model,
                x,
                clean,
                start=clip_box(x, noise),
                eps=eps,
                alpha=self.alpha * eps,
                steps=self.steps,
                loss=divergence,
            )
        reference, logits = model(x), model(x + delta)
        value = functional.cross_entropy(reference, batch.target) + self.beta * divergence(logits, reference.softmax(1))
        return Loss(value, right(logits, batch.y), right(reference, batch.y))
