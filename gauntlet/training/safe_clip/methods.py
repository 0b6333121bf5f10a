"""The methods by name, in the order of the tables."""

from gauntlet.training.safe_clip.cache_adapter import SafeA, TipAdapter, TipAdapterF
from gauntlet.training.safe_clip.clip_adapter import ClipAdapter
from gauntlet.training.safe_clip.coop import Coop
from gauntlet.training.safe_clip.pool import Safe
from gauntlet.training.safe_clip.probe import LinearProbe, ZeroShot
from gauntlet.training.safe_clip.task import Fitted

METHODS: dict[str, type[Fitted]] = {
    method.name: method for method in (ZeroShot, LinearProbe, Coop, ClipAdapter, TipAdapter, TipAdapterF, Safe, SafeA)
}
"""METHODS[name].fit(task, settings) -> Fitted; METHODS[name](weights, chosen) restores."""
