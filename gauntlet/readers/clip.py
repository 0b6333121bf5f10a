"""Open a CLIP: one that was trained here, from its folder, or one of open_clip's by name."""

from pathlib import Path

from gauntlet.models.clip import Clip


def read_clip(source: str | Path, *, weights: str = "", device: str = "cpu") -> Clip:
    """Open a CLIP, frozen and in evaluation mode."""
    raise NotImplementedError
