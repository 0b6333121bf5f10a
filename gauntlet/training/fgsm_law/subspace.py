"""Sub-AT: the weights of a first phase of fast adversarial training span the subspace that a second one may move in."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gauntlet.errors import ArgumentError
from gauntlet.training.fgsm_law.method import Setting
from gauntlet.training.fgsm_law.one_step import FgsmRs


def principal_directions(snapshots: Tensor, components: int) -> Tensor:
    """Return the leading directions in which rows vary about their mean.

    Args:
        snapshots: S x D, S >= 2.
        components: Directions, in 1..S - 1.

    Returns:
        components x D, orthonormal rows, largest variance first.
    """
    return torch.linalg.svd(snapshots - snapshots.mean(0), full_matrices=False).Vh[:components]


def trained(model: nn.Module) -> list[nn.Parameter]:
    """Return the weights that take part in training."""
    return [weight for weight in model.parameters() if weight.requires_grad]


def flat(tensors: Iterable[Tensor]) -> Tensor:
    """Return tensors as one vector."""
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


@dataclass
class SubAt(FgsmRs):
    """FGSM-RS twice: to sample weights, then again from the first weights with gradients kept in their span.

    A snapshot is taken before the first epoch and after each of phase 1. Then the weights and batch statistics go back
    to the first snapshot and every gradient g becomes P^T P g. The optimiser is the loop's and goes on: its momentum
    fades within some steps, and its weight decay is not projected.

    Attributes:
        phase_one_epochs: Share of the run's epochs that phase 1 takes, in (0, 1).
        components: Directions of the subspace; None takes one fewer than there are snapshots (80 of 81).
        gain: Factor on the projected gradient. The authors' phase 2 has a learning rate of 1 without momentum, which a
            rate of 0.1 with momentum 0.9 amounts to.

    Source: Li et al. (2022), Sub-AT.
    """

    phase_one_epochs: float = 2 / 3
    components: int | None = None
    gain: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.phase_one_epochs < 1:
            raise ArgumentError(f"phase_one_epochs must lie in (0, 1), a share; got {self.phase_one_epochs}")

    def begin(self, model: nn.Module, setting: Setting, generator: torch.Generator) -> None:
        """Take the first snapshot."""
        super().begin(model, setting, generator)
        self._last = max(1, round(self.phase_one_epochs * setting.epochs))
        directions = self._last if self.components is None else self.components
        if not 1 <= directions <= self._last:
            raise ArgumentError(
                f"components must lie in 1..{self._last}, the epochs of phase 1; got {directions}; "
                "is phase_one_epochs too small?"
            )
        self._directions = directions
        self._first = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
        self._snapshots = [flat(trained(model)).cpu()]
        self._basis: Tensor | None = None

    def after_backward(self, model: nn.Module) -> None:
        """Project the gradient in phase 2."""
        if self._basis is None:
            return
        weights = trained(model)
        gradient = flat(weight.grad for weight in weights)
        projected = self._basis.T @ (self._basis @ gradient) * self.gain
        for weight, part in zip(weights, projected.split([weight.numel() for weight in weights]), strict=True):
            weight.grad.copy_(part.view_as(weight))

    def after_epoch(self, model: nn.Module, epoch: int) -> None:
        """Take a snapshot; at the end of phase 1 find the subspace and go back to the first weights."""
        if epoch > self._last:
            return
        self._snapshots.append(flat(trained(model)).cpu())
        if epoch == self._last:
            snapshots = torch.stack(self._snapshots).to(self.setting.device)
            self._basis = principal_directions(snapshots, self._directions).contiguous()
            self._snapshots = []
            model.load_state_dict(self._first)

    def state(self) -> dict:
        """Return the first snapshot, and the others or their subspace."""
        return {"first": self._first, "snapshots": self._snapshots, "basis": self._basis}

    def load(self, state: dict) -> None:
        """Take up the snapshots or their subspace."""
        self._first, self._snapshots = state["first"], list(state["snapshots"])
        self._basis = None if state["basis"] is None else state["basis"].to(self.setting.device)
