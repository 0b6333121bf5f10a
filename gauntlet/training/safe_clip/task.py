"""What a few-shot method is given, what it may be told, and what it leaves."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor, nn

from gauntlet.training.safe_clip.views import Views


class Frozen(NamedTuple):
    """What stays as pre-training left it.

    Attributes:
        text_features: float32, [classes, D], normalised: the templates' classifier W.
        pool: The pre-trained pooling, maps [B, *] -> features [B, D]; never changed, only copied.
        logit_scale: That cosines are multiplied with, 100 for OpenAI's models.
    """

    text_features: Tensor
    pool: nn.Module
    logit_scale: float


@dataclass(frozen=True)
class Task:
    """A draw of shots.

    Attributes:
        frozen: The pre-trained parts.
        train: The shots' views.
        val: The validation shots, one view, not augmented: everything that is chosen is chosen on them.
        prompt_features: (context [n, width]) -> class features [classes, D], normalised, differentiable; for coop.
        context_width: Of a token's embedding.
    """

    frozen: Frozen
    train: Views
    val: Views
    prompt_features: Callable[[Tensor], Tensor] | None = None
    context_width: int = 0


@dataclass(frozen=True)
class Settings:
    """Of all methods; filled in below."""


@dataclass(frozen=True)
class Fitted:
    """What a method learnt and chose.

    Attributes:
        method: A key of METHODS.
        weights: Its tensors by name; empty for zero_shot.
        chosen: What validation chose: alpha, beta, ratio, ..., and `val_top1`.
        history: A record an epoch.
    """

    method: str
    weights: dict[str, Tensor]
    chosen: dict[str, float]
    history: list[dict] = field(default_factory=list)

    def logits(self, frozen: Frozen, maps: Tensor, pooled: Tensor) -> Tensor:
        """Return logits, [B, classes], of pictures whose pre-trained features are at hand.

        Args:
            frozen: As the method was fitted with.
            maps: [B, *].
            pooled: [B, D]: `frozen.pool(maps)`.
        """
        raise NotImplementedError
