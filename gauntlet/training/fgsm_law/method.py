"""What a fast adversarial training method offers to the loop, and the formulas that the methods share."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

HALF_SCALE = 256.0  # lifts the gradients of sure images out of float16's underflow; a power of two is exact


@dataclass(frozen=True)
class Batch:
    """One minibatch, on the device.

    Attributes:
        x: float32, B x C x H x W in [0, 1], augmented.
        y: int64, B: the class, or under mixing the heavier of the two.
        target: float32, B x K: what the outer loss is taken against; one-hot, or mixed by mixup or cutmix.
            Label smoothing is the method's own.
        index: int64, B: place in the training set, for priors kept per image.
        step: Optimiser steps done before this one.
        epoch: Epochs done, with the fraction.
    """

    x: Tensor
    y: Tensor
    target: Tensor
    index: Tensor
    step: int
    epoch: float


@dataclass(frozen=True)
class Setting:
    """What stays fixed for a run.

    Attributes:
        eps: Linf radius, in [0, 1].
        classes: Number of logits.
        images: Size of the training set.
        shape: (C, H, W) of the training images.
        epochs: Epochs in all.
        steps_per_epoch: Minibatches an epoch.
        device: Where the model is.
    """

    eps: float
    classes: int
    images: int
    shape: tuple[int, int, int]
    epochs: int
    steps_per_epoch: int
    device: str


@dataclass(frozen=True)
class Loss:
    """What a method gives back for a minibatch; the counts stay on the device.

    Attributes:
        value: Scalar with its graph.
        right_adv: Images right at the training adversarial.
        right_reference: Images right at the reference point (the clean image or the start).
    """

    value: Tensor
    right_adv: Tensor
    right_reference: Tensor


class Method:
    """One way to train; subclasses are dataclasses whose fields are its hyper-parameters.

    Attributes:
        replays: Optimiser steps on each minibatch (Free-AT); one loss each.
        cost: Forward and backward passes over an image and replay, counted in pairs: plain training is 1,
            a forward pass alone one half. A class constant or a property.
        setting: Set by `begin`.
    """

    replays: ClassVar[int] = 1
    cost: ClassVar[float] = 2.0
    setting: Setting

    def begin(self, model: nn.Module, setting: Setting, generator: torch.Generator) -> None:
        """Make buffers and helper networks; called once a process, before a checkpoint is loaded over it."""
        self.setting = setting

    def loss(self, model: nn.Module, batch: Batch, generator: torch.Generator) -> Loss:
        """Return the loss of a minibatch; the model is in train mode before and after."""
        raise NotImplementedError

    def after_backward(self, model: nn.Module) -> None:
        """Change the gradients before clipping and the optimiser's step."""

    def after_epoch(self, model: nn.Module, epoch: int) -> None:
        """Take note of an epoch's end; `epoch` epochs are done."""

    def state(self) -> dict:
        """Return what a resumed run needs, as tensors and plain values."""
        return {}

    def load(self, state: dict) -> None:
        """Take up where `state` left off; called after `begin`."""


class Gradient(NamedTuple):
    """A gradient with respect to the pixels, and the logits it was taken at."""

    gradient: Tensor
    logits: Tensor


LossFunction = Callable[[Tensor, Tensor], Tensor]


def input_gradient(
    model: nn.Module, x: Tensor, y: Tensor, *, loss: LossFunction = functional.cross_entropy, scale: float | None = None
) -> Gradient:
    """Return the gradient of B times the mean loss with respect to x; no weight gradient is computed.

    Args:
        model: In whatever mode the method wants; batch statistics move in train mode.
        x: B x C x H x W.
        y: Classes (int64, B) or soft labels (B x K).
        loss: (logits, y) -> mean over the batch.
        scale: Factor on the loss in place of B, which makes an image's gradient independent of the batch's size.
    """
    x = x.detach().requires_grad_(True)
    with frozen(model):  # a compiled backward pass would compute the weight gradients whether asked for or not
        logits = model(x)
        value = loss(logits, y) * (len(x) if scale is None else scale)
        (gradient,) = torch.autograd.grad(value * HALF_SCALE, x)
    return Gradient(gradient.div_(HALF_SCALE), logits.detach())


@contextmanager
def frozen(model: nn.Module) -> Iterator[None]:
    """Keep the weights out of the graph inside the block."""
    weights = [p for p in model.parameters() if p.requires_grad]
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put the model in eval mode inside the block and back in train mode after it."""
    model.eval()
    try:
        yield
    finally:
        model.train()


def clip_box(x: Tensor, delta: Tensor) -> Tensor:
    """Return delta with x + delta in [0, 1]."""
    return (x + delta).clamp_(0, 1).sub_(x)


def clip_ball(x: Tensor, delta: Tensor, eps: float) -> Tensor:
    """Return delta in the Linf ball of radius eps, then with x + delta in [0, 1]."""
    return delta.clamp(-eps, eps).add_(x).clamp_(0, 1).sub_(x)


def uniform(shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str) -> Tensor:
    """Return numbers in [0, 1) that depend on the generator (on the CPU) alone; on CUDA it moves on by one draw."""
    if torch.device(device).type == "cpu":
        return torch.rand(shape, generator=generator)
    return torch.rand(shape, generator=_on_device(generator, device), device=device)


def normal(shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str) -> Tensor:
    """Return standard normal numbers that depend on the generator as those of `uniform` do."""
    if torch.device(device).type == "cpu":
        return torch.randn(shape, generator=generator)
    return torch.randn(shape, generator=_on_device(generator, device), device=device)


def random_signs(shape: tuple[int, ...], generator: torch.Generator, device: torch.device | str) -> Tensor:
    """Return +1 and -1 with equal chance; one byte is drawn for eight of them."""
    elements = math.prod(shape)
    source = generator if torch.device(device).type == "cpu" else _on_device(generator, device)
    drawn = torch.randint(256, (-(-elements // 8),), generator=source, device=device, dtype=torch.int32)
    return _signs_of_bytes(device).index_select(0, drawn).view(-1)[:elements].view(shape)


@lru_cache(maxsize=8)
def _signs_of_bytes(device: torch.device | str) -> Tensor:
    numbers = torch.arange(256, device=device)[:, None]
    return numbers.bitwise_and(2 ** torch.arange(8, device=device)).ne(0).float() * 2 - 1


def _on_device(generator: torch.Generator, device: torch.device | str) -> torch.Generator:
    seed = int(torch.randint(2**62, (), generator=generator))
    return torch.Generator(device).manual_seed(seed)


def uniform_start(x: Tensor, eps: float, generator: torch.Generator) -> Tensor:
    """Return a start drawn uniformly from the Linf ball, clipped to the box."""
    source = generator if x.device.type == "cpu" else _on_device(generator, x.device)
    return clip_box(x, torch.empty_like(x).uniform_(-eps, eps, generator=source))


def vertex_start(x: Tensor, radius: float, generator: torch.Generator) -> Tensor:
    """Return a random vertex of the cube of this radius, clipped to the box (LAW: eps / 2; GAT and NuAT: 4/255)."""
    return clip_box(x, random_signs(x.shape, generator, x.device).mul_(radius))


def smooth(target: Tensor, keep: float) -> Tensor:
    """Return soft labels with `keep` on the true class and (1 - keep) / (K - 1) on each other class.

    Args:
        target: B x K, one-hot or mixed; mixed rows are smoothed in proportion.
        keep: In (0, 1]; 1 changes nothing.
    """
    if keep == 1.0:
        return target
    rest = (1 - keep) / (target.shape[1] - 1)
    return target * (keep - rest) + rest


def right(logits: Tensor, y: Tensor) -> Tensor:
    """Return how many images have their greatest logit at y, without waiting for the device."""
    return (logits.detach().argmax(1) == y).sum()
