"""Tip-Adapter, Tip-Adapter-F and SAFE-A: a cache of the shots' features beside the text classifier."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Self

import torch
from torch import Tensor
from torch.nn import functional

from gauntlet.training.safe_clip.choice import Held, held_out
from gauntlet.training.safe_clip.pool import Safe, cosine
from gauntlet.training.safe_clip.settings import CacheSettings, Settings, epochs_of
from gauntlet.training.safe_clip.task import Fitted, Frozen, Task
from gauntlet.training.state import finite

CACHE = "cache"
"""Name of the draws that all caches share: the same orders and views, so that only their features differ."""

AT_ONCE = 2**22
"""Logits of the grid that are held at a time."""


def cache_keys(features: Tensor) -> Tensor:
    """Return a key a picture, [N, D], normalised, from its views' features, [V, N, D]."""
    return functional.normalize(functional.normalize(features, dim=-1).mean(0), dim=-1)


def cache_logits(cosines: Tensor, values: Tensor, *, b: float) -> Tensor:
    """Return exp(-b (1 - g K^T)) V, [B, classes]: what the cache adds for a = 1.

    Args:
        cosines: g K^T, [B, N].
        values: One-hot labels of the keys, [N, classes].
        b: How fast a key's say falls with its distance, above 0.

    Source: Tip-Adapter (ECCV 2022), equation 5.
    """
    return (-b * (1 - cosines)).exp() @ values


class Cache(NamedTuple):
    """Keys and what belongs to them.

    Attributes:
        keys: [N, D]; trained ones need not have length 1, as in the authors' code.
        values: One-hot, [N, classes].
    """

    keys: Tensor
    values: Tensor

    def weights(self) -> dict[str, Tensor]:
        """Return what is kept: keys and labels."""
        return {"keys": self.keys.detach(), "key_labels": self.values.argmax(1)}

    @classmethod
    def of(cls, weights: Mapping[str, Tensor], *, classes: int) -> Self:
        """Return the cache that was kept."""
        keys = weights["keys"]
        return cls(keys, functional.one_hot(weights["key_labels"], classes).to(keys.dtype))


def train_keys(
    cache: Cache,
    features: Tensor,
    labels: Tensor,
    *,
    base: Tensor,
    settings: CacheSettings,
    epochs: int,
    generator: torch.Generator,
) -> Iterator[dict]:
    """Train the keys in place, each picture in a random view an epoch.

    Args:
        cache: Its keys require a gradient.
        features: [V, N, D], normalised.
        labels: int64, [N].
        base: What the text classifier says of them, [V, N, classes].
        settings: Rate, batch, a and b while the keys train.
        epochs: In all.
        generator: On the CPU: order and views.

    Yields:
        {"epoch", "loss"}.

    Source: Tip-Adapter-F's public script, but for its choice of the best epoch on the test split: the last is kept.
    """
    optimizer = torch.optim.AdamW([cache.keys], lr=settings.lr, eps=1e-4, fused=True)
    schedule = cosine(optimizer, steps=epochs * -(-len(labels) // settings.batch))
    for epoch in range(1, epochs + 1):
        order = torch.randperm(len(labels), generator=generator)
        seen = torch.randint(len(features), (len(labels),), generator=generator)
        total = torch.zeros((), device=features.device)
        for index in order.split(settings.batch):
            views = seen[index]
            added = cache_logits(features[views, index] @ cache.keys.T, cache.values, b=settings.b)
            loss = functional.cross_entropy(base[views, index] + settings.a * added, labels[index])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.detach() * len(index)
        yield {"epoch": epoch, "loss": finite(total / len(labels), epoch=epoch)}


class Found(NamedTuple):
    """The best of the grid on the validation shots."""

    a: float
    b: float
    val_top1: float


def search(base: Tensor, cosines: Tensor, values: Tensor, *, labels: Tensor, settings: CacheSettings) -> Found:
    """Return the a and b of the grid that do best on the validation shots.

    Args:
        base: What the text classifier says of them, [N, classes].
        cosines: With the keys, [N, keys].
        values: One-hot, [keys, classes].
        labels: int64, [N].
        settings: The grid.
    """
    a, b = (
        torch.linspace(*span, steps).tolist()
        for span, steps in zip((settings.a_range, settings.b_range), settings.steps, strict=True)
    )
    grid = [(weight, fall) for fall in b for weight in a]
    added = torch.cat([(-fall * (1 - cosines)).exp() for fall in b]) @ values
    added = added.unflatten(0, (len(b), len(labels)))
    weights = torch.tensor(a, device=base.device)[:, None, None]
    together = max(1, AT_ONCE // (len(a) * base.numel()))
    parts = [held_out((base + weights * part[:, None]).flatten(0, 1), labels) for part in added.split(together)]
    held = Held(*(torch.cat(part) for part in zip(*parts, strict=True)))
    best = held.best()
    return Found(*grid[best], float(held.top1[best]))


class Shown(NamedTuple):
    """Features of a draw, not normalised: of the shots' views, [V, N, D], and of the validation shots, [M, D]."""

    train: Tensor
    val: Tensor


def fit_cache(task: Task, shown: Shown, settings: CacheSettings, *, trained: bool) -> tuple[Cache, Found, list[dict]]:
    """Build the cache, train its keys where asked, and choose a and b."""
    frozen, labels, history = task.frozen, task.train.labels, []
    values = functional.one_hot(labels, len(frozen.text_features)).to(shown.train.dtype)
    cache = Cache(cache_keys(shown.train).requires_grad_(trained), values)
    if trained:
        loop = train_keys(
            cache,
            functional.normalize(shown.train, dim=-1),
            labels,
            base=frozen.zero_shot(shown.train),
            settings=settings,
            epochs=epochs_of(settings.epochs, shots=task.shots),
            generator=task.generator(CACHE),
        )
        history = list(loop)
    cosines = functional.normalize(shown.val, dim=-1) @ cache.keys.detach().T
    base = frozen.zero_shot(shown.val)
    return cache, search(base, cosines, values, labels=task.val.labels, settings=settings), history


def with_cache(base: Tensor, features: Tensor, fitted: Fitted) -> Tensor:
    """Add what the cache says to the text classifier's logits, [B, classes]."""
    cache = Cache.of(fitted.weights, classes=base.shape[1])
    cosines = functional.normalize(features, dim=-1) @ cache.keys.T
    return base + fitted.chosen["a"] * cache_logits(cosines, cache.values, b=fitted.chosen["b"])


@dataclass(frozen=True)
class TipAdapter(Fitted):
    """The cache as it is built, without training."""

    name: ClassVar[str] = "tip_adapter"
    trained: ClassVar[bool] = False

    @classmethod
    def fit(cls, task: Task, settings: Settings) -> Self:
        """Build the cache of the pre-trained features, choose a and b."""
        shown = Shown(task.train.pooled, task.val.pooled[0])
        cache, found, history = fit_cache(task, shown, settings.cache, trained=cls.trained)
        return cls(cache.weights(), found._asdict(), history)

    def logits(self, frozen: Frozen, maps: Tensor, pooled: Tensor) -> Tensor:
        """Return logits, [B, classes]."""
        return with_cache(frozen.zero_shot(pooled), pooled, self)


@dataclass(frozen=True)
class TipAdapterF(TipAdapter):
    """The cache with trained keys."""

    name: ClassVar[str] = "tip_adapter_f"
    trained: ClassVar[bool] = True


@dataclass(frozen=True)
class SafeA(Safe):
    """SAFE with a cache of its blended features, the keys trained as Tip-Adapter-F's.

    Source: SAFE says that it goes with the cache adapters; the form is our reading.
    """

    name: ClassVar[str] = "safe_a"

    @classmethod
    def fit(cls, task: Task, settings: Settings) -> Self:
        """Take safe's pooling and alpha, or find them; then build, train and weigh the cache."""
        safe = task.earlier.get(Safe.name) or Safe.fit(task, settings)
        frozen = task.frozen
        shown = Shown(
            safe.features(frozen, task.train.maps, task.train.pooled),
            safe.features(frozen, task.val.maps[0], task.val.pooled[0]),
        )
        cache, found, history = fit_cache(task, shown, settings.cache, trained=True)
        chosen = {"blend": safe.chosen["blend"], "alpha": safe.chosen["alpha"], **found._asdict()}
        return cls({**safe.weights, **cache.weights()}, chosen, [*safe.history, *history])

    def pool(self, frozen: Frozen) -> torch.nn.Module:
        """Return the tuned pooling, frozen."""
        return Safe({n: w for n, w in self.weights.items() if not n.startswith("key")}, self.chosen).pool(frozen)

    def logits(self, frozen: Frozen, maps: Tensor, pooled: Tensor) -> Tensor:
        """Return logits, [B, classes]."""
        features = self.features(frozen, maps, pooled)
        return with_cache(frozen.zero_shot(features), features, self)
