"""Training without an attack, and with one gradient step: FGSM, FGSM-RS, N-FGSM, ZeroGrad, MultiGrad, FGSM-CKPT."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.training.fgsm_law.method import (
    Batch,
    Loss,
    Method,
    clip_ball,
    clip_box,
    evaluating,
    input_gradient,
    right,
    uniform_start,
)


def trained_on(model: nn.Module, batch: Batch, x_adv: Tensor, *, reference: Tensor) -> Loss:
    """Return the cross-entropy at x_adv.

    Args:
        model: In train mode.
        batch: Whose labels are taken.
        x_adv: B x C x H x W in [0, 1].
        reference: B x K, logits at the reference point.
    """
    logits = model(x_adv)
    return Loss(functional.cross_entropy(logits, batch.target), right(logits, batch.y), right(reference, batch.y))


@dataclass
class Plain(Method):
    """Training on the clean images."""

    cost: ClassVar[float] = 1.0

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the cross-entropy at x."""
        logits = model(batch.x)
        count = right(logits, batch.y)
        return Loss(functional.cross_entropy(logits, batch.target), count, count)


@dataclass
class Fgsm(Method):
    """FGSM from the image itself: d = eps s(g(x)).

    Source: Goodfellow et al. 2015; overfits catastrophically on long schedules.
    """

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the cross-entropy at x + d."""
        gradient, reference = input_gradient(model, batch.x, batch.target)
        delta = clip_box(batch.x, self.setting.eps * gradient.sign())
        return trained_on(model, batch, batch.x + delta, reference=reference)


@dataclass
class FgsmRs(Method):
    """FGSM from a uniform start n: d = P(n + a s(g(x + n))).

    Attributes:
        alpha: Step a, as a multiple of eps.

    Source: Wong et al. 2020 (Fast AT); 10/255 at 8/255.
    """

    alpha: float = 1.25

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the cross-entropy at x + d."""
        eps = self.setting.eps
        start = uniform_start(batch.x, eps, generator)
        gradient, reference = input_gradient(model, batch.x + start, batch.target)
        delta = clip_ball(batch.x, start + self.alpha * eps * gradient.sign(), eps)
        return trained_on(model, batch, batch.x + delta, reference=reference)


@dataclass
class NFgsm(Method):
    """FGSM from strong noise: n ~ U(-k eps, k eps), d = n + a s(g(x + n)), clipped to the box and not to the ball.

    Attributes:
        noise: k.
        alpha: Step a, as a multiple of eps.

    Source: de Jorge et al. 2022; the released code clips the start to the box too, and so does this.
    """

    noise: float = 2.0
    alpha: float = 1.0

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the cross-entropy at x + d."""
        eps = self.setting.eps
        start = uniform_start(batch.x, self.noise * eps, generator)
        gradient, reference = input_gradient(model, batch.x + start, batch.target)
        delta = clip_box(batch.x, start + self.alpha * eps * gradient.sign())
        return trained_on(model, batch, batch.x + delta, reference=reference)


def without_small(gradient: Tensor, share: float) -> Tensor:
    """Return a gradient whose entries below the quantile of their size, image by image, are zero.

    Args:
        gradient: B x C x H x W.
        share: The quantile, in [0, 1].
    """
    size = gradient.abs().flatten(1)
    # The least entry at or above the interpolated quantile gives the same mask as the quantile, without a sort.
    place = 1 + math.ceil(share * (size.shape[1] - 1))
    least = size.kthvalue(place, dim=1).values
    return torch.where(gradient.abs() < least[:, None, None, None], 0.0, gradient)


@dataclass
class ZeroGrad(Method):
    """FGSM from a uniform start with the small entries of the gradient set to zero.

    Attributes:
        quantile: Share of the entries that are zeroed: 0.35 for CIFAR-10, 0.45 for CIFAR-100, 0.7 for SVHN.
        alpha: Step, as a multiple of eps.

    Source: Golgooni et al. 2021, and the released code.
    """

    quantile: float = 0.35
    alpha: float = 2.0

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the cross-entropy at x + d."""
        eps = self.setting.eps
        start = uniform_start(batch.x, eps, generator)
        gradient, reference = input_gradient(model, batch.x + start, batch.target)
        kept = without_small(gradient, self.quantile)
        delta = clip_ball(batch.x, start + self.alpha * eps * kept.sign(), eps)
        return trained_on(model, batch, batch.x + delta, reference=reference)


@dataclass
class MultiGrad(Method):
    """A step from the image along the entries on whose sign the gradients at all random starts agree.

    Attributes:
        starts: Gradients taken.
        alpha: Step, as a multiple of eps; 2, as released, is clipped to eps.
        together: One forward pass over all starts, whose batch statistics are then shared; the released code's
            default is one pass a start.

    Source: Golgooni et al. 2021, and the released code: the step begins at x, not at a start.
    """

    starts: int = 3
    alpha: float = 2.0
    together: bool = False

    @property
    def cost(self) -> float:
        """Pairs of passes over an image."""
        return 1.0 + self.starts

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the cross-entropy at x + d."""
        eps, votes = self.setting.eps, 0
        passes, copies = (1, self.starts) if self.together else (self.starts, 1)
        x, target = batch.x.repeat(copies, 1, 1, 1), batch.target.repeat(copies, 1)
        for _ in range(passes):
            gradient, reference = input_gradient(model, x + uniform_start(x, eps, generator), target)
            votes = votes + gradient.sign().view(copies, *batch.x.shape).sum(0)
        agreed = torch.where(votes.abs() == self.starts, votes.sign(), 0.0)
        delta = clip_ball(batch.x, self.alpha * eps * agreed, eps)
        return trained_on(model, batch, batch.x + delta, reference=reference[: len(batch.x)])


def first_wrong(wrong: Tensor) -> Tensor:
    """Return for each image the number of the first of its points that is wrong, and their count where none is.

    Args:
        wrong: bool, points x B, nearest point first.
    """
    return torch.where(wrong.any(0), wrong.int().argmax(0), len(wrong))


@dataclass
class FgsmCkpt(Method):
    """FGSM-RS whose step is shortened to the least k / c at which the image is already wrong.

    Attributes:
        checkpoints: c.
        alpha: Step, as a multiple of eps.
        judged_at: Where an image has to be right to be attacked at all: "start" (x + n in train mode, what the
            released code calls clean) or "clean" (x in eval mode).

    Source: Kim et al. 2021, algorithm 1, and the released code. There the images leave one by one; here the
    c - 1 points of all images take one pass, which never waits for the device.
    """

    checkpoints: int = 3
    alpha: float = 1.25
    judged_at: str = "start"

    @property
    def cost(self) -> float:
        """Pairs of passes over an image; a forward pass alone is half of one."""
        return 2.0 + (self.checkpoints - 1 + (self.judged_at == "clean")) / 2

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the cross-entropy at x + (k / c) d."""
        eps, c, x = self.setting.eps, self.checkpoints, batch.x
        start = uniform_start(x, eps, generator)
        gradient, reference = input_gradient(model, x + start, batch.target)
        delta = clip_ball(x, start + self.alpha * eps * gradient.sign(), eps)
        first = 0 if self.judged_at == "clean" else 1  # the point k = 0 is the clean image
        shares = torch.arange(first, c, device=x.device) / c
        points = (x + shares.view(-1, 1, 1, 1, 1) * delta).flatten(0, 1)
        with evaluating(model), torch.no_grad():
            wrong = model(points).argmax(1).view(c - first, len(x)) != batch.y if len(points) else None
        chosen = torch.full_like(batch.y, c) if wrong is None else first_wrong(wrong) + first
        if self.judged_at == "start":
            chosen = torch.where(reference.argmax(1) == batch.y, chosen, 0)
        return trained_on(model, batch, x + (chosen / c).view(-1, 1, 1, 1) * delta, reference=reference)
