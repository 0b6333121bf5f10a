"""What a few-shot method is given, what it may be told, and what it leaves."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.errors import ArgumentError
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
    """

    frozen: Frozen
    train: Views
    val: Views
    prompt_features: Callable[[Tensor], Tensor] | None = None
    context_width: int = 0

    @property
    def shots(self) -> int:
        """Pictures a class, rounded up where classes differ."""
        return -(-len(self.train.labels) // len(self.frozen.text_features))


@dataclass(frozen=True)
class PoolSettings:
    """Of safe and safe_a.

    Attributes:
        lr: AdamW's at the begin of its cosine.
        epochs: By shots; the entry of the greatest number of shots not above the task's holds.
        batch: Pictures a step.
        weight_decay: AdamW's.
        blend: A key of BLENDS: which vectors alpha mixes.
        alphas: That validation chooses from, in [0, 1].

    Source: SAFE names none of these; the values are ours.
    """

    lr: float = 1e-4
    epochs: Mapping[int, int] = field(default_factory=lambda: {1: 20})
    batch: int = 32
    weight_decay: float = 0.01
    blend: str = "normalised"
    alphas: tuple[float, ...] = tuple(i / 10 for i in range(11))


@dataclass(frozen=True)
class CacheSettings:
    """Of tip_adapter, tip_adapter_f and safe_a: weight a exp(-b (1 - cosine)).

    Attributes:
        lr: AdamW's for the keys.
        epochs: By shots, as in PoolSettings.
        batch: Pictures a step.
        a: While keys train.
        b: While keys train.
        a_range: Least and greatest of the grid.
        b_range: Least and greatest of the grid.
        steps: Of the grid: for a, for b.

    Source: Tip-Adapter's public script: lr, epochs, batch, a (its alpha), b (its beta), 20 x 200 steps.
    """

    lr: float = 1e-3
    epochs: Mapping[int, int] = field(default_factory=lambda: {1: 20})
    batch: int = 256
    a: float = 1.17
    b: float = 1.0
    a_range: tuple[float, float] = (0.1, 3.0)
    b_range: tuple[float, float] = (0.1, 7.0)
    steps: tuple[int, int] = (20, 200)


@dataclass(frozen=True)
class AdapterSettings:
    """Of clip_adapter.

    Attributes:
        lr: AdamW's.
        epochs: By shots, as in PoolSettings.
        batch: Pictures a step.
        reduction: Of the bottleneck's width.
        ratios: Shares of the adapted feature that validation chooses from; each has an adapter of its own.
    """

    lr: float = 1e-3
    epochs: Mapping[int, int] = field(default_factory=lambda: {1: 20})
    batch: int = 32
    reduction: int = 4
    ratios: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True)
class ProbeSettings:
    """Of linear_probe.

    Attributes:
        strengths: Inverse regularisation C of the logistic regression that validation chooses from, rising.
        steps: Most iterations of L-BFGS.
    """

    strengths: tuple[float, ...] = (0.1, 1.0, 10.0, 100.0)
    steps: int = 100


@dataclass(frozen=True)
class CoopSettings:
    """Of coop.

    Attributes:
        lr: SGD's at the begin of its cosine.
        warm_lr: Of the first epoch.
        epochs: By shots, as in PoolSettings.
        batch: Pictures a step.
        context: Learnt tokens before the class name.
        spread: Standard deviation of their first values.

    Source: CoOp (IJCV 2022) and its configuration files.
    """

    lr: float = 2e-3
    warm_lr: float = 1e-5
    epochs: Mapping[int, int] = field(default_factory=lambda: {1: 50, 2: 100, 8: 200})
    batch: int = 32
    context: int = 16
    spread: float = 0.02


@dataclass(frozen=True)
class Settings:
    """Of all methods."""

    pool: PoolSettings = PoolSettings()
    cache: CacheSettings = CacheSettings()
    adapter: AdapterSettings = AdapterSettings()
    probe: ProbeSettings = ProbeSettings()
    coop: CoopSettings = CoopSettings()


def epochs_of(epochs: Mapping[int, int], *, shots: int) -> int:
    """Return the entry of the greatest number of shots that is not above `shots`.

    Raises:
        ArgumentError: There is none.

    >>> epochs_of({1: 50, 2: 100, 8: 200}, shots=4)
    100
    """
    below = [least for least in epochs if least <= shots]
    if not below:
        raise ArgumentError(f"epochs must have an entry for {shots} shots or fewer; got {dict(epochs)}; add one for 1?")
    return epochs[max(below)]


@dataclass(frozen=True)
class Fitted(ABC):
    """What a method learnt and chose; a method is a class of this kind, and `type(...)(weights, chosen)` restores one.

    Attributes:
        weights: Its tensors by name; empty for zero_shot.
        chosen: What validation chose (alpha, a, b, ratio, strength), and `val_top1`.
        history: A record an epoch.
    """

    name: ClassVar[str]

    weights: dict[str, Tensor]
    chosen: dict[str, float]
    history: list[dict] = field(default_factory=list)

    @classmethod
    @abstractmethod
    def fit(
        cls,
        task: Task,
        settings: Settings,
        *,
        generator: torch.Generator,
        earlier: "Mapping[str, Fitted] | None" = None,
    ) -> Self:
        """Learn from the shots, choose on the validation shots.

        Args:
            task: The draw.
            settings: Of all methods.
            generator: On the CPU.
            earlier: What other methods made of the same task, by name: safe_a starts from safe's pooling.
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
