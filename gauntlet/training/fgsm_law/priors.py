"""Methods whose attack starts from something remembered or learned: FGSM-EP, FGSM-MEP, FGSM-SDI and Free-AT."""

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
    Setting,
    clip_ball,
    clip_box,
    frozen,
    input_gradient,
    random_signs,
    right,
    smooth,
)
from gauntlet.training.state import lend


def retained_gradient(value: Tensor, x: Tensor) -> Tensor:
    """Return the gradient of B times a mean loss with respect to x, and keep the graph for the outer loss.

    What overflows in half precision counts as zero: a prior would remember it.

    Args:
        value: Mean loss over the batch, float32.
        x: B x C x H x W, a leaf of the graph.
    """
    (gradient,) = torch.autograd.grad(value * (len(x) * HALF_SCALE), x, retain_graph=True)
    return gradient.div_(HALF_SCALE).nan_to_num_(0.0, 0.0, 0.0)


@dataclass
class Free(Method):
    """Free-AT: each minibatch is replayed, and one backward pass serves both the weights and the perturbation.

    The perturbation is handed on from minibatch to minibatch by position and never reset. There is no second point to
    compare with, so `right_reference` repeats `right_adv` and acceptance rules such as AWA's never accept.

    Attributes:
        replays: Optimiser steps on each minibatch.
        alpha_per_eps: Step, in units of eps.

    Source: Shafahi et al. (2019), algorithm 1; as in locuslab/fast_adversarial, but that what the last minibatch left
    is clipped to the box of the new images before its first use too.
    """

    replays: int = 8
    alpha_per_eps: float = 1.0
    cost: ClassVar[float] = 1.0

    def begin(self, model: nn.Module, setting: Setting, generator: torch.Generator) -> None:
        """Start without a perturbation."""
        super().begin(model, setting, generator)
        self._delta = torch.zeros(0, *setting.shape, device=setting.device)

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the loss at the perturbation in hand; its gradient is read after the backward pass."""
        missing = len(batch.x) - len(self._delta)
        if missing > 0:
            self._delta = torch.cat([self._delta, self._delta.new_zeros(missing, *batch.x.shape[1:])])
        self._x = batch.x
        self._used = clip_ball(batch.x, self._delta[: len(batch.x)], self.setting.eps).requires_grad_(True)
        logits = model(batch.x + self._used)
        found = right(logits, batch.y)
        return Loss(functional.cross_entropy(logits, batch.target), found, found)

    def after_backward(self, model: nn.Module) -> None:
        """Move the perturbation along the gradient that the backward pass left."""
        eps = self.setting.eps
        signs = self._used.grad.sign().nan_to_num_(0.0)  # an overflow under loss scaling would stay for good
        moved = self._used.detach() + self.alpha_per_eps * eps * signs
        self._delta[: len(moved)] = clip_ball(self._x, moved, eps)

    def state(self) -> dict:
        """Return the perturbation."""
        return {"delta": self._delta}

    def load(self, state: dict) -> None:
        """Take up the perturbation."""
        self._delta = state["delta"].to(self.setting.device)


@dataclass
class FgsmEp(Method):
    """FGSM-EP: an image's attack starts from its own perturbation of the epoch before.

    The perturbation of an image is stored as it was found; the next epoch's crop and mirroring differ, so that the
    prior is out of place by some pixels. The authors' code does so and this follows it: their results rest on it.
    Nor is the start clipped to the box. Storage is one float32 image for each training image, on the device.

    Attributes:
        alpha_per_eps: Step, in units of eps.
        lam: Weight of the squared distance between the logits at the start and at the adversarial.
        keep: Label smoothing's share of the true class.
        reset_epochs: Epochs after which the priors are drawn anew.

    Source: Jia et al. (2022), prior-guided FGSM.
    """

    alpha_per_eps: float = 1.0
    lam: float = 10.0
    keep: float = 0.6
    reset_epochs: int = 40
    cost: ClassVar[float] = 2.5  # the start's graph is walked twice: for the attack, and again for the outer loss

    def begin(self, model: nn.Module, setting: Setting, generator: torch.Generator) -> None:
        """Keep nothing yet: the first step draws the starts."""
        super().begin(model, setting, generator)
        self._start = self._momentum = torch.zeros(0, *setting.shape, device=setting.device)

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Loss:
        """Return LS(f(x + d)) + lam MSE(f(x + d), f(x + n)), and remember where the image's next attack starts."""
        if batch.step % (self.reset_epochs * self.setting.steps_per_epoch) == 0:
            self._reset(generator)
        target = smooth(batch.target, self.keep)
        start = self._start[batch.index].requires_grad_(True)
        logits_start = model(batch.x + start)
        gradient = retained_gradient(functional.cross_entropy(logits_start, target), start)
        start = start.detach()
        delta = self._step(batch.x, start, gradient)
        self._remember(batch, start, gradient)
        logits = model(batch.x + delta)
        distance = functional.mse_loss(logits.float(), logits_start.float())
        value = functional.cross_entropy(logits, target) + self.lam * distance
        return Loss(value, right(logits, batch.y), right(logits_start, batch.y))

    def _step(self, x: Tensor, start: Tensor, direction: Tensor) -> Tensor:
        return clip_ball(x, start + self.alpha_per_eps * self.setting.eps * direction.sign(), self.setting.eps)

    def _reset(self, generator: torch.Generator) -> None:
        """Draw vertices of the cube: the authors' code takes one signed step from zero."""
        shape = (self.setting.images, *self.setting.shape)
        radius = min(self.alpha_per_eps, 1.0) * self.setting.eps
        self._start = random_signs(shape, generator, self.setting.device).mul_(radius)

    def _remember(self, batch: Batch, start: Tensor, gradient: Tensor) -> None:
        self._start[batch.index] = self._step(batch.x, start, gradient)

    def state(self) -> dict:
        """Return the starts."""
        return {"start": self._start}

    def load(self, state: dict) -> None:
        """Take up the starts."""
        self._start = state["start"].to(self.setting.device)


@dataclass
class FgsmMep(FgsmEp):
    """FGSM-MEP, published as FGSM-PGI too: the next start follows a momentum of the image's gradients over epochs.

    Attributes:
        momentum: Share of the old momentum that is kept.

    Source: Jia et al. (2022); as in the authors' code the gradient is divided by the L1 norm of the whole minibatch's.
    """

    momentum: float = 0.3

    def _reset(self, generator: torch.Generator) -> None:
        super()._reset(generator)
        self._momentum = torch.zeros_like(self._start)

    def _remember(self, batch: Batch, start: Tensor, gradient: Tensor) -> None:
        length = gradient.abs().sum().clamp_min(torch.finfo(gradient.dtype).tiny)
        momentum = self.momentum * self._momentum[batch.index] + gradient / length
        self._momentum[batch.index] = momentum
        super()._remember(batch, start, momentum)

    def state(self) -> dict:
        """Return the starts and the momenta."""
        return super().state() | {"momentum": self._momentum}

    def load(self, state: dict) -> None:
        """Take up the starts and the momenta."""
        super().load(state)
        self._momentum = state["momentum"].to(self.setting.device)


class StartNetwork(nn.Module):
    """Maps an image and the signs of its gradient to a start in the Linf ball."""

    def __init__(self, *, channels: int, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.stem = nn.Sequential(
            nn.Conv2d(2 * channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width, eps=1e-3), nn.ReLU()
        )
        first, second = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        for layer in (first, second):
            nn.init.xavier_uniform_(layer.weight, gain=2**0.5)
        normalised = [nn.BatchNorm2d(width, affine=False) for _ in range(3)]
        self.block = nn.Sequential(normalised[0], nn.PReLU(), first, normalised[1], nn.PReLU(), second)
        self.head = nn.Sequential(normalised[2], nn.Conv2d(width, channels, 3, padding=1))

    def forward(self, hints: Tensor) -> Tensor:
        """Map B x 2C x H x W (pixels, then signs) to B x C x H x W in [-eps, eps]."""
        features = self.stem(hints)
        return self.eps * self.head(features + self.block(features)).float().tanh()


@dataclass
class FgsmSdi(Method):
    """FGSM-SDI: a small network learns where the attack on each image should start.

    Attributes:
        alpha_per_eps: Step, in units of eps.
        keep: Label smoothing's share of the true class.
        network_lr: Adam's learning rate for the network.
        network_every: Steps between two updates of the network.
        width: The network's channels.
        clip_pixels: Whether x + delta is clipped to [0, 1]; the authors' code leaves it in the ball alone.

    Source: Jia et al. (2022), learnable adversarial initialisation; the network as in the authors' code.
    """

    alpha_per_eps: float = 1.0
    keep: float = 0.5
    network_lr: float = 1e-3
    network_every: int = 20
    width: int = 64
    clip_pixels: bool = False

    @property
    def cost(self) -> float:
        """Gradient at x, gradient at the start and the outer pass, and now and then two for the network."""
        return 3.0 + 2.0 / self.network_every

    def begin(self, model: nn.Module, setting: Setting, generator: torch.Generator) -> None:
        """Build the network."""
        super().begin(model, setting, generator)
        with lend(generator, device=setting.device):
            network = StartNetwork(channels=setting.shape[0], width=self.width, eps=setting.eps)
        self._network = network.to(setting.device)
        self._optimizer = torch.optim.Adam(self._network.parameters(), lr=self.network_lr)

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Loss:
        """Return LS(f(x + d)), where d starts from the network's answer; now and then teach the network first."""
        clean = input_gradient(model, batch.x, batch.target)
        hints = torch.cat([batch.x, clean.gradient.sign()], 1)
        target = smooth(batch.target, self.keep)
        if batch.step % self.network_every == 0:
            self._update(model, batch, hints=hints, target=target)
        with torch.no_grad():
            start = self._network.eval()(hints)
        logits = model(batch.x + self._perturbation(model, batch, start))
        return Loss(functional.cross_entropy(logits, target), right(logits, batch.y), right(clean.logits, batch.y))

    def _perturbation(self, model: nn.Module, batch: Batch, start: Tensor) -> Tensor:
        """Take a signed step from the start; the graph leads back to the start alone."""
        eps = self.setting.eps
        gradient = input_gradient(model, batch.x + start.detach(), batch.target).gradient
        delta = (start + min(self.alpha_per_eps, 1.0) * eps * gradient.sign()).clamp(-eps, eps)
        return clip_box(batch.x, delta) if self.clip_pixels else delta

    def _update(self, model: nn.Module, batch: Batch, *, hints: Tensor, target: Tensor) -> None:
        """Let the network raise the loss that the model is about to lower."""
        start = self._network.train()(hints)
        delta = self._perturbation(model, batch, start)
        weights = list(self._network.parameters())
        with frozen(model):
            value = -functional.cross_entropy(model(batch.x + delta), target)
            gradients = torch.autograd.grad(value * HALF_SCALE, weights)
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = gradient / HALF_SCALE
        self._optimizer.step()

    def state(self) -> dict:
        """Return the network and its optimiser."""
        return {"network": self._network.state_dict(), "optimizer": self._optimizer.state_dict()}

    def load(self, state: dict) -> None:
        """Take up the network and its optimiser."""
        self._network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
