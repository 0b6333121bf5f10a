"""The methods by name."""

from collections.abc import Callable, Mapping

import torch

from gauntlet.training.safe_clip.task import Fitted, Settings, Task

Fit = Callable[..., Fitted]
"""(task, settings, *, generator, earlier: Mapping[str, Fitted]) -> Fitted; `earlier` saves what another method did."""

METHODS: dict[str, Fit] = {}


def fit(
    method: str,
    task: Task,
    settings: Settings,
    *,
    generator: torch.Generator,
    earlier: Mapping[str, Fitted] | None = None,
) -> Fitted:
    """Fit one method of METHODS; with `earlier`, safe_a starts from what safe found."""
    raise NotImplementedError
