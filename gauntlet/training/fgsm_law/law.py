"""FGSM-LAW: one signed step from a vertex of the half cube, and a Lipschitz regulariser on probabilities and features.

Its weight averaging is `averaging.Awa`, its Cutout an option of the data, so that either can be studied alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.models.features import logits_and_features
from gauntlet.training.fgsm_law.method import (
    Batch,
    Loss,
    Method,
    clip_ball,
    input_gradient,
    right,
    smooth,
    vertex_start,
)
from gauntlet.training.fgsm_law.priors import retained_gradient

PIXEL_REDUCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "mean": lambda difference: difference.square().mean(),
    "sum": lambda difference: difference.square().flatten(1).sum(1).mean(),
}
REFERENCES = ("clean", "init")


class Point(NamedTuple):
    """A batch and what the model says of it: pixels B x C x H x W, logits B x K, features B x D."""

    x: Tensor
    logits: Tensor
    features: Tensor


def point(model: nn.Module, x: Tensor) -> Point:
    """Return a batch with the model's logits and features, both with their graph."""
    return Point(x, *logits_and_features(model, x))


def probabilities(values: Tensor) -> Tensor:
    """Return the softmax over dimension 1, in float32 at least."""
    return values.softmax(1, dtype=torch.promote_types(values.dtype, torch.float32))


def cross_entropy_on_probabilities(logits: Tensor, target: Tensor) -> Tensor:
    """Return the cross-entropy of probabilities taken for logits: the softmax is applied twice."""
    return functional.cross_entropy(probabilities(logits), target)


def lipschitz(adversarial: Point, reference: Point, *, c: float = 0.125, pixel_reduction: str = "mean") -> Tensor:
    """Return LAW's regulariser R: how much the answer changes, over how much the pixels do.

    R = [mean((p - p')^2) + mean((q - q')^2)] / (reduce((x - x')^2) + c), where p is the softmax of the logits, q the
    softmax of the features and the means run over the batch too. Both branches carry gradients.

    Args:
        adversarial: The attacked batch.
        reference: The batch at the clean image or at the attack's start.
        c: Added to the distance of the pixels, positive. It rules the denominator where that is a mean: about 6e-4 at
            8/255.
        pixel_reduction: "mean" over the pixels as in the authors' code, or "sum" over those of an image.

    Source: the authors' FGSM_LAW_CIFAR_10.py.
    """
    changed = (probabilities(adversarial.logits) - probabilities(reference.logits)).square().mean()
    changed = changed + (probabilities(adversarial.features) - probabilities(reference.features)).square().mean()
    return changed / (PIXEL_REDUCTIONS[pixel_reduction](adversarial.x - reference.x) + c)


@dataclass
class FgsmLaw(Method):
    """FGSM-LAW's loss; the defaults are CIFAR-10's, the three switches those of the authors' code.

    Attributes:
        alpha_per_eps: Step, in units of eps.
        start_per_eps: Radius of the cube from whose vertices the attack starts, in units of eps.
        lam: Weight of the regulariser (CIFAR-100: 42, Tiny ImageNet: 38).
        keep: Label smoothing's share of the true class (CIFAR-100: 0.5, Tiny ImageNet: 0.3).
        c: The regulariser's constant.
        ce_on_probs: Whether the attack climbs the cross-entropy of a second softmax, as the authors' code does.
        reference: Where the regulariser compares: "clean" (CIFAR-10), or "init", the start, whose forward pass then
            serves the attack too (CIFAR-100, Tiny ImageNet).
        pixel_reduction: "mean" or "sum", see `lipschitz`.

    Source: Jia et al. (2024), FGSM-LAW, as in the authors' code after its correction of June 2024.
    """

    alpha_per_eps: float = 1.0
    start_per_eps: float = 0.5
    lam: float = 12.0
    keep: float = 0.7
    c: float = 0.125
    ce_on_probs: bool = True
    reference: str = "clean"
    pixel_reduction: str = "mean"

    def __post_init__(self) -> None:
        if self.reference not in REFERENCES:
            raise ArgumentError(f"reference must be one of {', '.join(REFERENCES)}; got {self.reference!r}")
        if self.pixel_reduction not in PIXEL_REDUCTIONS:
            raise ArgumentError(
                f"pixel_reduction must be one of {', '.join(PIXEL_REDUCTIONS)}; got {self.pixel_reduction!r}"
            )
        if self.c <= 0:
            raise ArgumentError(f"c must be positive, it keeps the ratio finite; got {self.c}")

    @property
    def cost(self) -> float:
        """Passes at the start, the reference and the adversarial; a shared start saves a forward pass."""
        return 3.0 if self.reference == "clean" else 2.5

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Loss:
        """Return LS(f(x + d)) + lam R(x + d, reference)."""
        x, eps = batch.x, self.setting.eps
        start = vertex_start(x, self.start_per_eps * eps, generator)
        climbed = cross_entropy_on_probabilities if self.ce_on_probs else functional.cross_entropy
        if self.reference == "clean":
            gradient = input_gradient(model, x + start, batch.target, loss=climbed).gradient
            reference = point(model, x)
        else:
            reference = point(model, (x + start).requires_grad_(True))
            gradient = retained_gradient(climbed(reference.logits, batch.target), reference.x)
            reference = reference._replace(x=reference.x.detach())
        delta = clip_ball(x, start + self.alpha_per_eps * eps * gradient.sign(), eps)
        adversarial = point(model, x + delta)
        ratio = lipschitz(adversarial, reference, c=self.c, pixel_reduction=self.pixel_reduction)
        value = functional.cross_entropy(adversarial.logits, smooth(batch.target, self.keep)) + self.lam * ratio
        return Loss(value, right(adversarial.logits, batch.y), right(reference.logits, batch.y))
