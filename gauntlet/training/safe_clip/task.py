"""What a few-shot method is given, what it may be told, and what it leaves."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.training.safe_clip.settings import Settings
from gauntlet.training.safe_clip.views import Views


class Frozen(NamedTuple):
    """What stays as pre-training left it.

    Attributes:
        text_features: float32, [classes, D], normalised: the templates' classifier W.
        pool: The pre-trained pooling, maps [B, C, h, w] -> features [B, D], those tensors requiring a gradient that
            a copy would train (`Clip.new_pool()`); never changed itself, only copied.
        logit_scale: That cosines are multiplied with, 100 for OpenAI's models.
    """

    text_features: Tensor
    pool: nn.Module
    logit_scale: float

    def zero_shot(self, pooled: Tensor) -> Tensor:
        """Return logits, [B, classes], of features, [B, D], not normalised."""
        return self.logit_scale * functional.normalize(pooled, dim=-1) @ self.text_features.T


@dataclass(frozen=True)
class Task:
    """A draw of shots.

    Attributes:
        frozen: The pre-trained parts.
        train: The shots' views.
        val: The validation shots, one view, not augmented: everything that is chosen is chosen on them.
        prompt_features: (context [n, width]) -> class features [classes, D], normalised, differentiable; for coop.
        context_width: Of a token's embedding; 0 where there are no prompts to learn.
        seed: Of all that a method draws.
        earlier: What other methods made of this task, by name; saves safe_a the training of safe's pooling.
    """

    frozen: Frozen
    train: Views
    val: Views
    prompt_features: Callable[[Tensor], Tensor] | None = None
    context_width: int = 0
    seed: int = 0
    earlier: "Mapping[str, Fitted]" = field(default_factory=dict)

    @property
    def shots(self) -> int:
        """Pictures a class, rounded up where classes differ."""
        return -(-len(self.train.labels) // len(self.frozen.text_features))

    def generator(self, method: str) -> torch.Generator:
        """Return a method's own source of randomness, on the CPU, at its begin: by seed, shots and name."""
        drawn = np.random.SeedSequence([self.seed, self.shots, *method.encode()]).generate_state(1)[0]
        return torch.Generator().manual_seed(int(drawn))


@dataclass(frozen=True)
class Fitted(ABC):
    """What a method learnt and chose; a method is a class of this kind, and `type(...)(weights, chosen)` restores one.

    Attributes:
        weights: Its tensors by name; empty for zero_shot.
        chosen: What validation chose (alpha, a, b, ratio, strength), and `val_top1`; what a restored method must know.
        history: A record an epoch.
    """

    name: ClassVar[str]

    weights: dict[str, Tensor]
    chosen: dict[str, float | str]
    history: list[dict] = field(default_factory=list)

    @classmethod
    @abstractmethod
    def fit(cls, task: Task, settings: Settings) -> Self:
        """Learn from the shots, choose on the validation shots.

        Args:
            task: The draw.
            settings: Of all methods.
        """

    @abstractmethod
    def logits(self, frozen: Frozen, maps: Tensor, pooled: Tensor) -> Tensor:
        """Return logits, [B, classes], of pictures whose pre-trained features are at hand.

        Args:
            frozen: As the method was fitted with.
            maps: [B, C, h, w].
            pooled: [B, D]: `frozen.pool(maps)`.
        """

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights as safetensors takes them."""
        return {name: weight.detach().contiguous() for name, weight in self.weights.items()}
