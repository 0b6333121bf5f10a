"""One-step methods kept from overfitting by a regulariser: GradAlign, GAT and NuAT."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.training.fgsm_law.method import (
    HALF_SCALE,
    Batch,
    Loss,
    Method,
    clip_ball,
    evaluating,
    input_gradient,
    right,
    uniform,
    uniform_start,
    vertex_start,
)


def grad_align_weight(eps: float) -> float:
    """Return GradAlign's weight at a radius: 0.02 at zero, ten times more for every 8/255.

    >>> round(grad_align_weight(8 / 255), 3), round(grad_align_weight(16 / 255), 3)
    (0.2, 2.0)

    Source: tml-epfl/understanding-fast-adv-training, the fit through the weights of its runs on CIFAR-10.
    """
    return 0.02 * 10 ** (eps * 255 / 8)


def misalignment(first: Tensor, second: Tensor) -> Tensor:
    """Return the mean of 1 - cosine between two gradients of each image, over images where neither is zero.

    Args:
        first: B x C x H x W.
        second: Of the same shape.

    Returns:
        Scalar in [0, 2]; 0 where no image counts.
    """
    first, second = first.float().flatten(1), second.float().flatten(1)
    lengths = first.norm(dim=1) * second.norm(dim=1)
    live = lengths > 0
    cosine = (first * second).sum(1) / torch.where(live, lengths, 1.0)
    return torch.where(live, 1 - cosine, 0.0).sum() / live.sum().clamp_min(1)


@dataclass
class GradAlign(Method):
    """FGSM with GradAlign: gradients at the image and at a random point nearby shall point the same way.

    Attributes:
        lam: Weight; None takes `grad_align_weight` of the radius.
        alpha_per_eps: Step, in units of eps.
        random_start: Whether the attack starts from a uniform draw; its gradient is then the first of the two.

    Source: Andriushchenko and Flammarion (2020); as in their code the attack's gradient is used again as a
    constant, only the second carries a graph, and the random point is not clipped to the box.
    """

    lam: float | None = None
    alpha_per_eps: float = 1.0
    random_start: bool = False
    cost: ClassVar[float] = 5.0

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Loss:
        """Return CE(f(x + d)) + lam times the misalignment of the two gradients."""
        eps = self.setting.eps
        start = uniform_start(batch.x, eps, generator) if self.random_start else torch.zeros_like(batch.x)
        attack = input_gradient(model, batch.x + start, batch.target)
        logits = model(batch.x + clip_ball(batch.x, start + self.alpha_per_eps * eps * attack.gradient.sign(), eps))
        noise = uniform(batch.x.shape, generator, batch.x.device).mul_(2 * eps).sub_(eps)
        nearby = (batch.x + noise).requires_grad_(True)
        with torch.compiler.set_stance("force_eager"):  # a compiled network has no second derivative
            logits_nearby = model(nearby)
        loss_nearby = functional.cross_entropy(logits_nearby, batch.target) * (len(nearby) * HALF_SCALE)
        (gradient,) = torch.autograd.grad(loss_nearby, nearby, create_graph=True)
        lam = grad_align_weight(eps) if self.lam is None else self.lam
        value = functional.cross_entropy(logits, batch.target) + lam * misalignment(attack.gradient, gradient)
        return Loss(value, right(logits, batch.y), right(attack.logits, batch.y))


def squared_distance(logits: Tensor, logits_adv: Tensor) -> Tensor:
    """Return the squared distance of the probabilities, summed over classes, as the mean over the batch."""
    return (logits.float().softmax(1) - logits_adv.float().softmax(1)).square().sum(1).mean()


def nuclear_distance(logits: Tensor, logits_adv: Tensor) -> Tensor:
    """Return the nuclear norm of the B x K matrix of differences, divided by B."""
    return torch.linalg.matrix_norm(logits.float() - logits_adv.float(), ord="nuc") / len(logits)


class Guided(Method):
    """What GAT and NuAT share: the attack, in every other step, and the outer loss heed a distance to the clean image.

    The attack sees the model in eval mode. The outer cross-entropy is that of the clean image.
    """

    cost: ClassVar[float] = 3.25  # every other attack needs a clean forward pass as well

    def weight(self, done: float) -> float:
        """Return the distance's weight when a share `done` of the run is over."""
        raise NotImplementedError

    def distance(self, logits: Tensor, logits_adv: Tensor) -> Tensor:
        """Return how far the model's answer has moved; a scalar."""
        raise NotImplementedError

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Loss:
        """Return CE(f(x)) + weight times the distance between f(x) and f(x + d)."""
        lam = self.weight(batch.epoch / self.setting.epochs)
        delta = self.attack(model, batch, generator, lam=lam if batch.step % 2 else 0.0)
        logits = model(batch.x)
        logits_adv = model(batch.x + delta)
        value = functional.cross_entropy(logits, batch.target) + lam * self.distance(logits, logits_adv)
        return Loss(value, right(logits_adv, batch.y), right(logits, batch.y))

    def attack(self, model: nn.Module, batch: Batch, generator: torch.Generator, *, lam: float) -> Tensor:
        """Return one signed step of `alpha_per_eps` from a random vertex; lam = 0 heeds the cross-entropy alone."""
        x, eps = batch.x, self.setting.eps
        start = vertex_start(x, self.start_per_eps * eps, generator)
        with evaluating(model):
            if lam:
                with torch.no_grad():
                    clean = model(x)

            def guided(logits: Tensor, target: Tensor) -> Tensor:
                value = functional.cross_entropy(logits, target)
                return value + lam * self.distance(clean, logits) if lam else value

            gradient = input_gradient(model, x + start, batch.target, loss=guided).gradient
        return clip_ball(x, start + self.alpha_per_eps * eps * gradient.sign(), eps)


@dataclass
class Gat(Guided):
    """GAT, guided adversarial training.

    Attributes:
        lam: Weight of the squared distance of the probabilities.
        raise_at: Share of the run after which the weight is raised (epoch 85 of 100).
        raise_by: By which factor.
        start_per_eps: Radius of the start, in units of eps (4/255 at 8/255).
        alpha_per_eps: Step, in units of eps.

    Source: Sriramanan et al. (2020), GAMA-GAT.
    """

    lam: float = 10.0
    raise_at: float = 0.85
    raise_by: float = 4.0
    start_per_eps: float = 0.5
    alpha_per_eps: float = 1.0

    def weight(self, done: float) -> float:
        """Return lam, raised near the end."""
        return self.lam * (self.raise_by if done >= self.raise_at - 1e-9 else 1.0)

    def distance(self, logits: Tensor, logits_adv: Tensor) -> Tensor:
        """Return `squared_distance`."""
        return squared_distance(logits, logits_adv)


@dataclass
class NuAt(Guided):
    """NuAT, nuclear-norm adversarial training.

    Attributes:
        lam: Weight of the nuclear norm once the ramp is over.
        ramp: Share of the run over which the weight rises from zero (all but the last 10 epochs of about 100).
        start_per_eps: Radius of the start, in units of eps (4/255 at 8/255).
        alpha_per_eps: Step, in units of eps.

    Source: Sriramanan et al. (2021), NuAT.
    """

    lam: float = 4.5
    ramp: float = 0.9
    start_per_eps: float = 0.5
    alpha_per_eps: float = 1.0

    def weight(self, done: float) -> float:
        """Return lam on its ramp."""
        return self.lam * min(1.0, done / self.ramp)

    def distance(self, logits: Tensor, logits_adv: Tensor) -> Tensor:
        """Return `nuclear_distance`."""
        return nuclear_distance(logits, logits_adv)
