"""Weight averaging: none, an exponential average, and LAW's automatic one that leaves out unhealthy steps."""

import copy

import torch
from torch import Tensor, nn

from gauntlet.errors import ArgumentError
from gauntlet.training.fgsm_law.method import Loss


class NoAveraging:
    """The weights as they are.

    Attributes:
        shadow: The model to evaluate and to keep; set by `begin`.
    """

    shadow: nn.Module

    def begin(self, model: nn.Module) -> None:
        """Take note of the model."""
        self.shadow = model

    def after_step(self, model: nn.Module, loss: Loss) -> None:
        """Take in a minibatch, after the optimiser's step."""

    def state(self) -> dict:
        """Return what a resumed run needs."""
        return {}

    def load(self, state: dict) -> None:
        """Take up where `state` left off; called after `begin`."""


class Ema(NoAveraging):
    """shadow <- k shadow + (1 - k) weights with k = min(decay, (t + 1) / (t + 10)), t the steps taken in.

    The batch statistics are averaged like the weights; counters are copied.
    """

    def __init__(self, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise ArgumentError(f"decay must lie in [0, 1); got {decay}")
        self.decay = decay

    def begin(self, model: nn.Module) -> None:
        """Start from a copy of the model."""
        self.shadow = copy.deepcopy(model).eval().requires_grad_(False)
        # Both keep their tensors for life, so that the pairs need not be gathered at every step.
        pairs = list(zip(self.shadow.state_dict().values(), model.state_dict().values(), strict=True))
        floats = [pair for pair in pairs if pair[0].is_floating_point()]
        self._averaged, self._weights = [old for old, _ in floats], [new for _, new in floats]
        counters = [pair for pair in pairs if not pair[0].is_floating_point()]
        self._copied, self._counters = [old for old, _ in counters], [new for _, new in counters]
        self._taken = torch.zeros((), dtype=torch.int64, device=pairs[0][0].device)

    def healthy(self, loss: Loss) -> Tensor:
        """Return whether a minibatch is taken in, as a bool tensor on the device."""
        return torch.ones((), dtype=torch.bool, device=loss.right_adv.device)

    @torch.no_grad()
    def after_step(self, model: nn.Module, loss: Loss) -> None:
        """Move the shadow towards the weights; all on the device, so that nothing waits for the counts."""
        healthy = self.healthy(loss)
        keep = ((self._taken + 1) / (self._taken + 10)).clamp(max=self.decay)
        share = torch.where(healthy, 1 - keep, 0.0)
        self._taken += healthy
        steps = torch._foreach_sub(self._weights, self._averaged)
        torch._foreach_mul_(steps, share)
        torch._foreach_add_(self._averaged, steps)
        if self._counters:
            steps = torch._foreach_sub(self._counters, self._copied)
            torch._foreach_mul_(steps, healthy)
            torch._foreach_add_(self._copied, steps)

    def state(self) -> dict:
        """Return the shadow's weights and the number of steps taken in."""
        return {"shadow": self.shadow.state_dict(), "taken": self._taken}

    def load(self, state: dict) -> None:
        """Take up the shadow."""
        self.shadow.load_state_dict(state["shadow"])
        self._taken.copy_(state["taken"])


class Awa(Ema):
    """LAW's automatic weight averaging: an exponential average over the steps whose attack still hurt.

    A step is taken in where right_adv / (right_reference + guard) < tau; adversarials that are as easy as the
    reference are a sign of catastrophic overfitting.

    Args:
        k_max: Greatest k: 0.999 for CIFAR-10 and Tiny ImageNet, 0.9998 for CIFAR-100.
        tau: 0.82 for CIFAR-10, 0.55 for the other two.
        guard: Add 1 to the denominator, as the released code does for CIFAR-100 and Tiny ImageNet; without it,
            as for CIFAR-10, a minibatch with no image right is left out.

    Source: Jia et al. 2024 (FGSM-LAW), and the released code.
    """

    def __init__(self, k_max: float = 0.999, tau: float = 0.82, *, guard: bool = False) -> None:
        super().__init__(k_max)
        self.tau, self.guard = tau, guard

    def healthy(self, loss: Loss) -> Tensor:
        """Return whether the attack still hurts."""
        return loss.right_adv / (loss.right_reference + self.guard) < self.tau


AVERAGINGS: dict[str, type[NoAveraging]] = {"none": NoAveraging, "ema": Ema, "awa": Awa}
