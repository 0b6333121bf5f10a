"""ImageNet-E: the drop of top-1 under each edit, on identical pictures, and its mean over the ten real edits."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gauntlet.errors import ArgumentError
from gauntlet.metrics.intervals import Interval, mean_interval

SETTINGS = {
    "inver": "Inver",
    "background_smooth": "-20",
    "background_complex": "20",
    "background_adversarial": "20-adv",
    "background_random": "Random",
    "size_full": "Full",
    "size_0.1": "0.1",
    "size_0.08": "0.08",
    "size_0.05": "0.05",
    "position": "rp",
    "direction": "rd",
}
"""The eleven settings: slug here, name in the paper, in the order of its table."""
CONTROL = "inver"
"""The setting that only passes the pipeline; not part of the mean."""
REAL_EDITS = tuple(setting for setting in SETTINGS if setting != CONTROL)


@dataclass(frozen=True)
class SettingDrop:
    """One edit: counts and rates on N pictures.

    Attributes:
        correct: Edited pictures that are classified right.
        lost: Pictures right before the edit and wrong after it.
        gained: The other way round.
        top1: Rate of `correct`.
        drop: Top-1 of the originals less that of the edited, (lost - gained) / N.
    """

    correct: int
    lost: int
    gained: int
    top1: Interval
    drop: Interval


@dataclass(frozen=True)
class DropTable:
    """All edits of one model: `mean_drop` is over the real ones, or None where one of the ten is missing."""

    correct: int
    top1: Interval
    settings: dict[str, SettingDrop]
    mean_drop: Interval | None


def drop_table(
    original: np.ndarray, edited: Mapping[str, np.ndarray], *, resamples: int, generator: np.random.Generator
) -> DropTable:
    """Compare a model's answers before and after each edit.

    Args:
        original: Whether each original is classified right, bool N.
        edited: The same for each setting, bool N each, the pictures in the same order.
        resamples: Bootstrap draws of the N pictures, the same draws for all settings.
        generator: Makes the draws.

    Raises:
        ArgumentError: No setting, an unknown one, or one with another number of pictures.

    Source: ImageNet-E: drop of accuracy on the same pictures; its "Avg." is the mean of the ten edits without Inver.

    >>> right = np.array([True, True, False, True])
    >>> table = drop_table(right, {"inver": right}, resamples=9, generator=np.random.default_rng(0))
    >>> table.settings["inver"].drop.value, table.top1.value
    (0.0, 0.75)
    """
    for setting, right in edited.items():
        if setting not in SETTINGS:
            raise ArgumentError(
                f"a setting must be one of {', '.join(SETTINGS)}; got {setting!r}; the paper's own name?"
            )
        if right.shape != original.shape:
            raise ArgumentError(f"{setting} must hold the {len(original)} pictures of the originals; got {len(right)}")
    ordered = [setting for setting in SETTINGS if setting in edited]
    if not ordered:
        raise ArgumentError("at least one setting must be given; got none")
    before = original.astype(float)[:, None]
    after = np.stack([edited[setting] for setting in ordered], axis=1).astype(float)
    drops = before - after
    complete = all(setting in edited for setting in REAL_EDITS)
    real = [place for place, setting in enumerate(ordered) if setting in REAL_EDITS]
    mean = drops[:, real].mean(axis=1, keepdims=True) if complete else before[:, :0]
    intervals = mean_interval(
        np.concatenate([before, after, drops, mean], axis=1), resamples=resamples, generator=generator
    )
    count = len(ordered)
    return DropTable(
        correct=int(original.sum()),
        top1=intervals[0],
        settings={
            setting: SettingDrop(
                correct=int(edited[setting].sum()),
                lost=int((original & ~edited[setting]).sum()),
                gained=int((~original & edited[setting]).sum()),
                top1=intervals[1 + place],
                drop=intervals[1 + count + place],
            )
            for place, setting in enumerate(ordered)
        },
        mean_drop=intervals[-1] if complete else None,
    )


@dataclass(frozen=True)
class Published:
    """One row of the paper's table, rates in [0, 1]: the drop by setting, and the mean that it states."""

    model: str
    top1: float
    drops: dict[str, float]
    mean_drop: float


def _row(model: str, *points: float) -> Published:
    top1, *drops, mean = (round(value / 100, 6) for value in points)
    return Published(model, top1, dict(zip(SETTINGS, drops, strict=True)), mean)


PUBLISHED = {
    "resnet50": _row(
        "ResNet-50", 92.69, 1.97, 7.30, 13.35, 29.92, 13.34, 2.71, 7.25, 10.51, 21.26, 26.46, 25.12, 15.72
    ),
    "densenet121": _row(
        "DenseNet-121", 92.10, 1.49, 6.29, 9.00, 29.20, 12.43, 3.50, 7.00, 10.68, 21.55, 26.53, 23.64, 14.98
    ),
    "efficientnet_b0": _row(
        "EfficientNet-B0", 92.85, 1.07, 7.10, 10.71, 34.88, 15.64, 3.03, 8.00, 11.57, 23.28, 27.91, 19.11, 16.12
    ),
    "resnest50": _row(
        "ResNeSt-50", 95.38, 1.44, 6.33, 8.98, 26.62, 11.28, 2.53, 5.27, 8.01, 18.03, 21.37, 20.32, 12.88
    ),
    "vit_s": _row("ViT-S", 94.14, 0.82, 6.42, 8.98, 31.12, 13.06, 0.80, 5.37, 8.59, 17.37, 22.86, 17.13, 13.17),
    "swin_s": _row("Swin-S", 96.21, 1.13, 5.18, 7.33, 23.50, 9.31, 1.27, 4.21, 6.29, 14.16, 17.35, 13.42, 10.20),
    "convnext_t": _row(
        "ConvNeXt-T", 96.07, 1.43, 4.69, 6.26, 19.83, 7.93, 1.75, 3.28, 5.18, 12.76, 15.71, 15.78, 9.32
    ),
    "resnet50_adversarial": _row(
        "ResNet-50, adversarially trained",
        81.96, 0.66, 4.75, 13.62, 37.87, 15.25, 4.87, 9.62, 13.94, 25.51, 31.96, 31.36, 18.88,
    ),
}  # fmt: skip
"""Table of the paper (4,352 pictures a setting), by model."""
