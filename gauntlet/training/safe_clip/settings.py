"""Settings of the few-shot methods, one class a method."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gauntlet.errors import ArgumentError
from gauntlet.training.safe_clip.blend import BLENDS


def _positive(settings: object, *names: str) -> None:
    for name in names:
        if not getattr(settings, name) > 0:
            raise ArgumentError(f"{name} must be above 0; got {getattr(settings, name)}")


def _shares(name: str, values: tuple[float, ...]) -> None:
    if not values or not all(0 <= value <= 1 for value in values):
        raise ArgumentError(f"{name} must be shares in [0, 1], at least one; got {values}; percents?")


def _by_shots(epochs: Mapping[int, int]) -> None:
    if 1 not in epochs or min(epochs.values()) < 0:
        raise ArgumentError(f"epochs must be counts by shots, with an entry for 1; got {dict(epochs)}")


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

    lr: float = 5e-4
    epochs: Mapping[int, int] = field(default_factory=lambda: {1: 20})
    batch: int = 32
    weight_decay: float = 0.01
    blend: str = "normalised"
    alphas: tuple[float, ...] = tuple(i / 10 for i in range(11))

    def __post_init__(self) -> None:
        _positive(self, "lr", "batch")
        _by_shots(self.epochs)
        _shares("alphas", self.alphas)
        if self.blend not in BLENDS:
            raise ArgumentError(f"blend must be one of {', '.join(BLENDS)}; got {self.blend!r}; misspelt?")


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

    def __post_init__(self) -> None:
        _positive(self, "lr", "batch", "b")
        _by_shots(self.epochs)
        for name in ("a_range", "b_range"):
            least, greatest = getattr(self, name)
            if not 0 <= least <= greatest:
                raise ArgumentError(f"{name} must be a least and a greatest, from 0; got {least:g}, {greatest:g}")
        if min(self.steps) < 1:
            raise ArgumentError(f"steps must be at least 1 for a and for b; got {self.steps}")


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

    def __post_init__(self) -> None:
        _positive(self, "lr", "batch", "reduction")
        _by_shots(self.epochs)
        _shares("ratios", self.ratios)


@dataclass(frozen=True)
class ProbeSettings:
    """Of linear_probe.

    Attributes:
        strengths: Inverse regularisation C of the logistic regression that validation chooses from, rising.
        steps: Most iterations of L-BFGS.
    """

    strengths: tuple[float, ...] = (0.1, 1.0, 10.0, 100.0)
    steps: int = 100

    def __post_init__(self) -> None:
        _positive(self, "steps")
        if not self.strengths or min(self.strengths) <= 0:
            raise ArgumentError(f"strengths must be above 0, at least one; got {self.strengths}")


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

    def __post_init__(self) -> None:
        _positive(self, "lr", "batch", "context", "spread")
        _by_shots(self.epochs)


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
