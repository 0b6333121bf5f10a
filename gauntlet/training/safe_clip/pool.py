"""SAFE: CLIP's attention pooling tuned on few shots, its trunk and its text tower left alone."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.training.safe_clip.blend import blend_curve
from gauntlet.training.safe_clip.choice import held_out
from gauntlet.training.safe_clip.settings import PoolSettings, Settings, epochs_of
from gauntlet.training.safe_clip.task import Fitted, Frozen, Task
from gauntlet.training.state import finite

MapSource = Callable[[Tensor, Tensor], Tensor]
"""(view of each picture, place of each picture) -> maps [B, C, h, w]: cached ones, or a tower's."""


def cosine(optimizer: torch.optim.Optimizer, *, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
    """Let the rate fall along half a cosine to zero."""
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1 + math.cos(math.pi * step / max(1, steps))) / 2)


def train_pool(
    pool: nn.Module,
    source: MapSource,
    labels: Tensor,
    *,
    views: int,
    text_features: Tensor,
    logit_scale: float,
    settings: PoolSettings,
    epochs: int,
    generator: torch.Generator,
) -> Iterator[dict]:
    """Train a pooling in place by cross-entropy against the text features; each picture in a random view an epoch.

    Args:
        pool: A copy; its tensors that require a gradient train, in float32 whatever the maps are.
        source: Gives maps.
        labels: int64, [N].
        views: That there are.
        text_features: [classes, D], normalised.
        logit_scale: At which the cosines are compared.
        settings: Rate, decay, batch.
        epochs: In all.
        generator: On the CPU: order and views.

    Yields:
        {"epoch", "loss"}.

    Raises:
        ArgumentError: The loss is no longer finite.

    Source: SAFE tunes the attention pooling only; the loss is plain cross-entropy, which is our reading.
    """
    weights = [weight for weight in pool.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=settings.lr, weight_decay=settings.weight_decay, fused=True)
    schedule = cosine(optimizer, steps=epochs * -(-len(labels) // settings.batch))
    for epoch in range(1, epochs + 1):
        order = torch.randperm(len(labels), generator=generator)
        seen = torch.randint(views, (len(labels),), generator=generator)
        total = torch.zeros((), device=text_features.device)
        for index in order.split(settings.batch):
            features = functional.normalize(pool(source(seen[index], index).float()), dim=-1)
            loss = functional.cross_entropy(logit_scale * features @ text_features.T, labels[index])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.detach() * len(index)
        yield {"epoch": epoch, "loss": finite(total / len(labels), epoch=epoch)}


@torch.no_grad()
def features(pool: nn.Module, maps: Tensor, *, batch: int = 256) -> Tensor:
    """Return a pooling's features, [..., D], of maps, [..., C, h, w]."""
    flat = maps.flatten(0, -4)
    return torch.cat([pool(part.float()) for part in flat.split(batch)]).unflatten(0, maps.shape[:-3])


@dataclass(frozen=True)
class Safe(Fitted):
    """The tuned pooling, blended with the pre-trained one by the alpha that the validation shots chose."""

    name: ClassVar[str] = "safe"

    @classmethod
    def fit(cls, task: Task, settings: Settings) -> Self:
        """Train the pooling, then choose alpha."""
        chosen = settings.pool
        maps, frozen = task.train.maps, task.frozen
        pool = copy.deepcopy(frozen.pool)
        loop = train_pool(
            pool,
            lambda seen, index: maps[seen, index],
            task.train.labels,
            views=len(maps),
            text_features=frozen.text_features,
            logit_scale=frozen.logit_scale,
            settings=chosen,
            epochs=epochs_of(chosen.epochs, shots=task.shots),
            generator=task.generator(cls.name),
        )
        history = list(loop)
        weights = {name: w.detach() for name, w in pool.named_parameters() if w.requires_grad}
        tuned = cls(weights, {"blend": chosen.blend}, history)
        held = held_out(
            tuned.curve(frozen, task.val.maps[0], task.val.pooled[0], alphas=chosen.alphas), task.val.labels
        )
        best = held.best()
        return cls(
            weights, {"blend": chosen.blend, "alpha": chosen.alphas[best], "val_top1": float(held.top1[best])}, history
        )

    def pool(self, frozen: Frozen) -> nn.Module:
        """Return the tuned pooling, frozen."""
        return tuned_pool(frozen.pool, self.weights)

    def curve(self, frozen: Frozen, maps: Tensor, pooled: Tensor, *, alphas: tuple[float, ...]) -> Tensor:
        """Return logits, [alphas, B, classes], of each alpha."""
        tuned = features(self.pool(frozen), maps)
        return frozen.zero_shot(blend_curve(tuned, pooled, alphas=alphas, kind=self.chosen["blend"]))

    def features(self, frozen: Frozen, maps: Tensor, pooled: Tensor) -> Tensor:
        """Return the blended features, [..., D], not normalised."""
        if not self.chosen["alpha"]:
            return pooled
        tuned = features(self.pool(frozen), maps)
        return blend_curve(tuned, pooled, alphas=(self.chosen["alpha"],), kind=self.chosen["blend"])[0]

    def logits(self, frozen: Frozen, maps: Tensor, pooled: Tensor) -> Tensor:
        """Return logits, [B, classes]."""
        return frozen.zero_shot(self.features(frozen, maps, pooled))


def tuned_pool(pool: nn.Module, weights: Mapping[str, Tensor]) -> nn.Module:
    """Return a copy of the pre-trained pooling with the tuned tensors in it, frozen."""
    copied = copy.deepcopy(pool).requires_grad_(False)
    copied.load_state_dict({**copied.state_dict(), **weights})
    return copied
