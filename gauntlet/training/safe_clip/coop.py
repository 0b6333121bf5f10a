"""CoOp: learnt context vectors before the class names, through the frozen text tower."""

from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.training.safe_clip.choice import held_out
from gauntlet.training.safe_clip.pool import cosine
from gauntlet.training.safe_clip.settings import Settings, epochs_of
from gauntlet.training.safe_clip.task import Fitted, Frozen, Task
from gauntlet.training.state import finite


@dataclass(frozen=True)
class Coop(Fitted):
    """The learnt context, one for all classes, and the classifier that the text tower makes of it."""

    name: ClassVar[str] = "coop"

    @classmethod
    def fit(cls, task: Task, settings: Settings) -> Self:
        """Train the context by cross-entropy.

        Raises:
            ArgumentError: The task tells no way from context to class features.

        Source: CoOp, unified context, class name last; the first epoch runs at `warm_lr`.
        """
        if task.prompt_features is None or not task.context_width:
            raise ArgumentError("coop must be given prompt_features and context_width; got none; another method meant?")
        given, frozen, generator = settings.coop, task.frozen, task.generator(cls.name)
        x, labels = functional.normalize(task.train.pooled, dim=-1), task.train.labels
        context = torch.randn(given.context, task.context_width, generator=generator).mul(given.spread).to(x)
        optimizer = torch.optim.SGD([context.requires_grad_()], lr=given.lr, momentum=0.9, weight_decay=5e-4)
        epochs = epochs_of(given.epochs, shots=task.shots)
        schedule = cosine(optimizer, steps=epochs)
        history = []
        for epoch in range(1, epochs + 1):
            if epoch == 1:
                optimizer.param_groups[0]["lr"] = given.warm_lr
            order = torch.randperm(len(labels), generator=generator)
            seen = torch.randint(len(x), (len(labels),), generator=generator)
            total = torch.zeros((), device=x.device)
            for index in order.split(given.batch):
                logits = frozen.logit_scale * x[seen[index], index] @ task.prompt_features(context).T
                loss = functional.cross_entropy(logits, labels[index])
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                total += loss.detach() * len(index)
            schedule.step()
            history.append({"epoch": epoch, "loss": finite(total / len(labels), epoch=epoch)})
        context = context.detach()
        with torch.no_grad():
            classifier = task.prompt_features(context)
        fitted = cls({"context": context, "classifier": classifier}, {}, history)
        held = held_out(fitted.logits(frozen, task.val.maps[0], task.val.pooled[0])[None], task.val.labels)
        return cls(fitted.weights, {"val_top1": float(held.top1[0])}, history)

    def logits(self, frozen: Frozen, maps: Tensor, pooled: Tensor) -> Tensor:
        """Return logits, [B, classes]."""
        return frozen._replace(text_features=self.weights["classifier"]).zero_shot(pooled)
