"""What a training run has to remember between two epochs, so that a resumed run ends with the same bits."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from gauntlet.errors import ArgumentError


class Kept(Protocol):
    """Something beside the weights that a resumed run needs: buffers, an averaged model."""

    def state(self) -> dict:
        """Return tensors and plain values."""

    def load(self, state: dict) -> None:
        """Take up where `state` left off."""


@dataclass
class TrainingState:
    """A run in progress.

    Attributes:
        model: The weights.
        optimizer: With its momenta.
        scheduler: Stepped once a batch.
        generator: The only source of randomness of the loop.
        epoch: Epochs done.
        extra: By name, what else has to be remembered; filled before a checkpoint is loaded.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: LRScheduler
    generator: torch.Generator
    epoch: int = 0
    extra: dict[str, Kept] = field(default_factory=dict)

    def state_dict(self) -> dict:
        """Return everything that a resumed run needs, as tensors and plain values."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "generator": self.generator.get_state(),
            "epoch": self.epoch,
            "extra": {name: kept.state() for name, kept in self.extra.items()},
        }

    def load_state_dict(self, state: dict) -> None:
        """Take up a run where `state_dict` left it."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.generator.set_state(state["generator"])
        self.epoch = state["epoch"]
        for name, kept in self.extra.items():
            kept.load(state["extra"][name])


@contextmanager
def lend(generator: torch.Generator, *, device: str) -> Iterator[None]:
    """Let code that draws from torch's global generators alone draw from `generator`; they are put back afterwards.

    torchvision's detectors sample their proposals, and dropout its units, without taking a generator.

    Args:
        generator: On the CPU; moves on by one number.
        device: Whose global generator is lent beside the CPU's.
    """
    seed = int(torch.randint(2**62, (), generator=generator))
    with torch.random.fork_rng([device] if device.startswith("cuda") else []):
        torch.manual_seed(seed)
        yield


def finite(loss: torch.Tensor, *, epoch: int) -> float:
    """Return a loss as a number.

    Raises:
        ArgumentError: It is no longer finite.
    """
    value = loss.item()
    if not math.isfinite(value):
        raise ArgumentError(f"the loss must stay finite; got {value} in epoch {epoch}; is lr too high?")
    return value


def start(
    model: nn.Module, *, lr: float, weight_decay: float, batches: int, epochs: int, generator: torch.Generator
) -> TrainingState:
    """Begin a run with AdamW and a one-cycle schedule.

    Args:
        model: What to train, on its device.
        lr: Peak learning rate.
        weight_decay: On all weights but biases and norms.
        batches: Batches an epoch.
        epochs: Epochs in all; zero starts a run that is already over.
        generator: On the CPU; orders and augments the data.
    """
    decayed = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    plain = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=lr)
    scheduler = OneCycleLR(optimizer, lr, total_steps=max(2, batches * epochs + 1), pct_start=0.15)
    return TrainingState(model, optimizer, scheduler, generator)


def multistep(optimizer: torch.optim.Optimizer, *, steps: int, turns: tuple[float, ...]) -> LRScheduler:
    """Hold the rate and divide it by ten at each of `turns`, shares of the run (LAW: 99/110 and 104/110)."""
    # A hair below the share: a turn that falls on a step must not slip behind it by rounding.
    return LambdaLR(optimizer, lambda step: 0.1 ** sum(step >= turn * steps - 1e-6 for turn in turns))


def cyclic(optimizer: torch.optim.Optimizer, *, steps: int, turns: tuple[float, ...]) -> LRScheduler:
    """Rise from zero to the optimiser's rate at the share `turns[0]` of the run, then fall to zero, both in a line."""
    peak = turns[0] * steps
    return LambdaLR(optimizer, lambda step: step / peak if step < peak else max(0.0, (steps - step) / (steps - peak)))


def one_cycle(optimizer: torch.optim.Optimizer, *, steps: int, turns: tuple[float, ...]) -> LRScheduler:
    """Rise from a 25th to the optimiser's rate at the share `turns[0]`, then fall to zero, along cosines."""
    peak = turns[0] * steps

    def factor(step: int) -> float:
        if step < peak:
            return 0.04 + 0.96 * (1 - math.cos(math.pi * step / peak)) / 2
        return (1 + math.cos(math.pi * min(1.0, (step - peak) / (steps - peak)))) / 2

    return LambdaLR(optimizer, factor)


SCHEDULES: dict[str, Callable[..., LRScheduler]] = {f.__name__: f for f in (multistep, cyclic, one_cycle)}


def start_sgd(
    model: nn.Module,
    *,
    lr: float,
    momentum: float = 0.9,
    weight_decay: float,
    schedule: str,
    turns: tuple[float, ...],
    steps: int,
    generator: torch.Generator,
) -> TrainingState:
    """Begin a run with SGD.

    Args:
        model: What to train, on its device.
        lr: Peak learning rate.
        momentum: In [0, 1).
        weight_decay: On all weights, biases and norms too, as the papers on adversarial training have it.
        schedule: A key of SCHEDULES.
        turns: Shares of the run, in (0, 1): where the rate is cut, or where it peaks.
        steps: Optimiser steps in all; zero starts a run that is already over.
        generator: On the CPU; orders and augments the data.

    Raises:
        ArgumentError: There is no such schedule, or a turn lies outside (0, 1).
    """
    if schedule not in SCHEDULES:
        raise ArgumentError(f"schedule must be one of {', '.join(SCHEDULES)}; got {schedule!r}")
    if not turns or not all(0 < turn < 1 for turn in turns):
        raise ArgumentError(f"turns must be shares of the run in (0, 1), at least one; got {turns}; an epoch's number?")
    weights, steps = [p for p in model.parameters() if p.requires_grad], max(1, steps)
    # The fused step is one kernel instead of three a weight, on the CPU too.
    optimizer = torch.optim.SGD(weights, lr=lr, momentum=momentum, weight_decay=weight_decay, fused=True)
    return TrainingState(model, optimizer, SCHEDULES[schedule](optimizer, steps=steps, turns=turns), generator)
