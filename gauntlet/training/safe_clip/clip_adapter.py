"""CLIP-Adapter: a bottleneck on the pooled feature, mixed with it."""

from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor
from torch.nn import functional

from gauntlet.training.safe_clip.choice import held_out
from gauntlet.training.safe_clip.pool import cosine
from gauntlet.training.safe_clip.settings import Settings, epochs_of
from gauntlet.training.safe_clip.task import Fitted, Frozen, Task
from gauntlet.training.state import finite


def adapted(features: Tensor, down: Tensor, up: Tensor, *, ratio: Tensor | float) -> Tensor:
    """Return ratio A(f) + (1 - ratio) f, not normalised.

    Args:
        features: [..., B, D], normalised.
        down: [..., D, R].
        up: [..., R, D].
        ratio: Of the adapted feature, in [0, 1].

    Source: CLIP-Adapter (IJCV 2023), equation 5: A(f) = ReLU(ReLU(f W1) W2).
    """
    return ratio * ((features @ down).relu() @ up).relu() + (1 - ratio) * features


@dataclass(frozen=True)
class ClipAdapter(Fitted):
    """An adapter for each ratio, trained side by side; validation chooses one."""

    name: ClassVar[str] = "clip_adapter"

    @classmethod
    def fit(cls, task: Task, settings: Settings) -> Self:
        """Train the adapters by cross-entropy, choose the ratio."""
        given, frozen, generator = settings.adapter, task.frozen, task.generator(cls.name)
        x, labels = functional.normalize(task.train.pooled, dim=-1), task.train.labels
        width, ratios = x.shape[-1], torch.tensor(given.ratios, device=x.device)[:, None, None]
        narrow = max(1, width // given.reduction)
        down, up = (
            # torch's own start of a linear layer, the same for all ratios.
            (torch.rand(rows, columns, generator=generator) * 2 - 1).mul(rows**-0.5).to(x).repeat(len(ratios), 1, 1)
            for rows, columns in ((width, narrow), (narrow, width))
        )
        optimizer = torch.optim.AdamW([down.requires_grad_(), up.requires_grad_()], lr=given.lr, fused=True)
        epochs = epochs_of(given.epochs, shots=task.shots)
        schedule = cosine(optimizer, steps=epochs * -(-len(labels) // given.batch))
        history = []
        for epoch in range(1, epochs + 1):
            order = torch.randperm(len(labels), generator=generator)
            seen = torch.randint(len(x), (len(labels),), generator=generator)
            total = torch.zeros((), device=x.device)
            for index in order.split(given.batch):
                logits = frozen.zero_shot(adapted(x[seen[index], index], down, up, ratio=ratios))
                loss = functional.cross_entropy(logits.flatten(0, 1), labels[index].repeat(len(ratios)))
                optimizer.zero_grad(set_to_none=True)
                # The mean over ratios would shrink each adapter's gradient.
                (loss * len(ratios)).backward()
                optimizer.step()
                schedule.step()
                total += loss.detach() * len(index)
            history.append({"epoch": epoch, "loss": finite(total / len(labels), epoch=epoch)})
        down, up = down.detach(), up.detach()
        val = functional.normalize(task.val.pooled[0], dim=-1)
        held = held_out(frozen.zero_shot(adapted(val, down, up, ratio=ratios)), task.val.labels)
        best = held.best()
        chosen = {"ratio": given.ratios[best], "val_top1": float(held.top1[best])}
        return cls({"down": down[best].clone(), "up": up[best].clone()}, chosen, history)

    def logits(self, frozen: Frozen, maps: Tensor, pooled: Tensor) -> Tensor:
        """Return logits, [B, classes]."""
        features = functional.normalize(pooled, dim=-1)
        return frozen.zero_shot(adapted(features, **self.weights, ratio=self.chosen["ratio"]))
