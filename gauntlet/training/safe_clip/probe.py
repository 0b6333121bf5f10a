"""Zero-shot CLIP and the linear probe: the two ends, no shot and no text."""

import warnings
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gauntlet.training.safe_clip.choice import held_out
from gauntlet.training.safe_clip.settings import Settings
from gauntlet.training.safe_clip.task import Fitted, Frozen, Task


@dataclass(frozen=True)
class ZeroShot(Fitted):
    """The templates' classifier; learns nothing."""

    name: ClassVar[str] = "zero_shot"

    @classmethod
    def fit(cls, task: Task, settings: Settings) -> Self:
        """Only say how it does on the validation shots."""
        held = held_out(task.frozen.zero_shot(task.val.pooled), task.val.labels)
        return cls({}, {"val_top1": float(held.top1[0])})

    def logits(self, frozen: Frozen, maps: Tensor, pooled: Tensor) -> Tensor:
        """Return logits, [B, classes]."""
        return frozen.zero_shot(pooled)


@dataclass(frozen=True)
class LinearProbe(Fitted):
    """Logistic regression on the normalised features of all views; the text is not used."""

    name: ClassVar[str] = "linear_probe"

    @classmethod
    def fit(cls, task: Task, settings: Settings) -> Self:
        """Fit one regression a strength, each from the one before; validation chooses."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        given, (_, pooled, labels) = settings.probe, task.train
        x = functional.normalize(pooled, dim=-1).flatten(0, 1).cpu().numpy()
        y = labels.repeat(len(pooled)).cpu().numpy()
        probe = LogisticRegression(max_iter=given.steps, warm_start=True)
        tried = []
        for strength in given.strengths:
            # Views of a picture are not independent: a shot counts once.
            probe.set_params(C=strength / len(pooled))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                probe.fit(x, y)
            tried.append(_rows(probe.coef_, probe.intercept_, seen=probe.classes_, classes=_classes(task)))
        held = held_out(torch.stack([_probe(task.val.pooled[0], **weights) for weights in tried]), task.val.labels)
        best = held.best()
        return cls(tried[best], {"strength": given.strengths[best], "val_top1": float(held.top1[best])})

    def logits(self, frozen: Frozen, maps: Tensor, pooled: Tensor) -> Tensor:
        """Return logits, [B, classes]."""
        return _probe(pooled, **self.weights)


def _classes(task: Task) -> int:
    return len(task.frozen.text_features)


def _probe(pooled: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return functional.normalize(pooled, dim=-1) @ weight.to(pooled).T + bias.to(pooled)


def _rows(weight: np.ndarray, bias: np.ndarray, *, seen: np.ndarray, classes: int) -> dict[str, Tensor]:
    """Return weight and bias with a row a class; scikit-learn has one row for two classes."""
    weight, bias = np.asarray(weight, np.float32), np.asarray(bias, np.float32)
    if len(seen) == 2 and len(weight) == 1:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    full = {"weight": torch.zeros(classes, weight.shape[1]), "bias": torch.full((classes,), -1e4)}
    full["weight"][seen], full["bias"][seen] = torch.from_numpy(weight), torch.from_numpy(bias)
    return full
