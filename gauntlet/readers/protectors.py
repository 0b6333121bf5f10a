"""Protectors that a training stage wrote."""

from pathlib import Path

from gauntlet.models.iap_face import Protector

ABLATIONS = ("message_only", "disruption_only")
"""Folders beside the joint model's files, in the same layout."""


def read_protector(folder: Path, *, device: str = "cpu") -> Protector:
    """Read a protector, frozen and in eval mode: config.json and model.safetensors.

    Raises:
        DataError: A file is missing or broken, or the two do not fit.
    """
    raise NotImplementedError
