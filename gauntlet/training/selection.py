"""The best weights of a run by a held-out number, kept through interruptions."""

import math

from torch import Tensor, nn


class Best:
    """Weights of the epoch whose number was highest; the later of equals, which has been trained longer.

    Attributes:
        value: The number; minus infinity before the first.
        epoch: Its epoch; 0 before the first.
        weights: A copy of the model's state then, on its device.
    """

    def __init__(self) -> None:
        self.value, self.epoch = -math.inf, 0
        self.weights: dict[str, Tensor] = {}

    def offer(self, model: nn.Module, value: float, *, epoch: int) -> None:
        """Keep the model's weights if its number is as high as any so far."""
        if value >= self.value:
            self.value, self.epoch = value, epoch
            self.weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    def state(self) -> dict:
        """Return what a resumed run needs."""
        return {"value": self.value, "epoch": self.epoch, "weights": self.weights}

    def load(self, state: dict) -> None:
        """Take up where `state` left off."""
        self.value, self.epoch, self.weights = state["value"], state["epoch"], state["weights"]
