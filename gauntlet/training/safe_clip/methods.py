"""The methods by name, in the order of the tables."""

from gauntlet.training.safe_clip.task import Fitted

METHODS: dict[str, type[Fitted]] = {}
"""METHODS[name].fit(task, settings, generator=..., earlier=...) -> Fitted; METHODS[name](weights, chosen) restores."""
