"""What a training run has to remember between two epochs, so that a resumed run ends with the same bits."""

from dataclasses import dataclass

import torch
from torch import nn


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
