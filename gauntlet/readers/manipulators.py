"""Read face editors: what `iap_face.manipulators` writes, and the published StarGAN and AttGAN checkpoints."""

from pathlib import Path

from gauntlet.models.face_features import FaceFeatures
from gauntlet.models.manipulators import Manipulator

FEATURES = "features"
"""The folder beside the manipulators that holds the attribute network."""


def read_manipulators(folder: Path, *, device: str = "cpu") -> dict[str, Manipulator]:
    """Read all manipulators of a folder, by name, frozen and in eval mode; the attribute network is left out.

    Raises:
        DataError: No manipulator, or one that is incomplete.
    """
    raise NotImplementedError


def read_face_features(folder: Path, *, device: str = "cpu") -> FaceFeatures:
    """Read the attribute network, `<manipulators>/features`, frozen and in eval mode.

    Raises:
        DataError: It is missing or incomplete.
    """
    raise NotImplementedError
