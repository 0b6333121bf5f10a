"""How a gradient becomes a step: steepest, or Adam's; each image on its own, so that finished ones may leave."""

from typing import Protocol, Self

import torch
from torch import Tensor

from gauntlet.attacks.balls import direction, per_image


class Ascent(Protocol):
    """Turns gradients into steps upward."""

    def step(self, gradient: Tensor) -> Tensor:
        """Return the step for a gradient, B x anything."""

    def keep(self, which: Tensor) -> Self:
        """Return the ascent of the images that stay; bool [B] or int64 indices."""


class Steepest:
    """Steps of one length along the norm's steepest direction.

    Attributes:
        alpha: Length of a step, [B] x 1 x 1 x 1.
        norm: "linf", "l2" or "l1".
    """

    def __init__(self, alpha: Tensor, *, norm: str) -> None:
        self.alpha = alpha
        self.norm = norm

    def step(self, gradient: Tensor) -> Tensor:
        """Return the step for a gradient, B x anything."""
        return self.alpha * direction(gradient, self.norm)

    def keep(self, which: Tensor) -> Self:
        """Return the ascent of the images that stay."""
        return type(self)(self.alpha[which], norm=self.norm)


class Adam:
    """Adam's steps (Kingma and Ba, ICLR 2015).

    Attributes:
        alpha: Learning rate, [B] x 1 x 1 x 1.
        first: Running mean of the gradient.
        second: Running mean of its square.
        count: Steps taken.
    """

    BETAS = (0.9, 0.999)
    TINY = 1e-8

    def __init__(self, alpha: Tensor, *, like: Tensor) -> None:
        self.alpha = alpha
        self.first = torch.zeros_like(like)
        self.second = torch.zeros_like(like)
        self.count = 0

    def step(self, gradient: Tensor) -> Tensor:
        """Return the step for a gradient, B x anything."""
        self.count += 1
        self.first.lerp_(gradient, 1 - self.BETAS[0])
        self.second.lerp_(gradient.square(), 1 - self.BETAS[1])
        mean, square = (
            moment / (1 - beta**self.count) for moment, beta in zip((self.first, self.second), self.BETAS, strict=True)
        )
        return self.alpha * mean / (square.sqrt() + self.TINY)

    def keep(self, which: Tensor) -> Self:
        """Return the ascent of the images that stay."""
        left = type(self)(self.alpha[which], like=self.first[which])
        left.first, left.second, left.count = self.first[which], self.second[which], self.count
        return left


def alphas(alpha: float | Tensor, x: Tensor) -> Tensor:
    """Return one step length an image, B x 1 x 1 x 1."""
    return per_image(alpha, x).expand(len(x), *[1] * (x.dim() - 1))
