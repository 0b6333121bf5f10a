"""What a training run has to remember between two epochs, so that a resumed run ends with the same bits."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from gauntlet.errors import ArgumentError


@dataclass
class TrainingState:
    """A run in progress.

    Attributes:
        model: The weights.
        optimizer: With its momenta.
        scheduler: Stepped once a batch.
        generator: The only source of randomness of the loop.
        epoch: Epochs done.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler
    generator: torch.Generator
    epoch: int = 0

    def state_dict(self) -> dict:
        """Return everything that a resumed run needs, as tensors and plain values."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "generator": self.generator.get_state(),
            "epoch": self.epoch,
        }

    def load_state_dict(self, state: dict) -> None:
        """Take up a run where `state_dict` left it."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.generator.set_state(state["generator"])
        self.epoch = state["epoch"]


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
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, lr, total_steps=max(2, batches * epochs + 1), pct_start=0.15
    )
    return TrainingState(model, optimizer, scheduler, generator)
