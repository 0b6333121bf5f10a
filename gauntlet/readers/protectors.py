"""Protectors that a training stage wrote: config.json and model.safetensors in a folder."""

import json
from dataclasses import fields
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from gauntlet.errors import ArgumentError, DataError
from gauntlet.models.guides import built
from gauntlet.models.iap_face import Protector, Shape

ABLATIONS = ("message_only", "disruption_only")
"""Folders within that of the joint model, in its layout."""


def read_protector(folder: Path, *, device: str = "cpu") -> Protector:
    """Read a protector, frozen and in eval mode.

    Args:
        folder: That of the joint model, or of an ablation within it.
        device: Where it shall run.

    Raises:
        DataError: A file is missing or broken, or the two do not fit.
    """
    protector = _built(Path(folder) / "config.json")
    path = Path(folder) / "model.safetensors"
    try:
        protector.load_state_dict(load_file(path))
    except FileNotFoundError:
        raise DataError(f"{path} must exist; it does not; is {folder} the folder of a protector?") from None
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} must be a whole safetensors file; {error}; a partial copy?") from None
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path} must hold the weights of its config.json; {reason}; of another model?") from None
    return protector.requires_grad_(False).eval().to(device)


def _built(path: Path) -> Protector:
    names = sorted(field.name for field in fields(Shape))
    try:
        config = json.loads(path.read_text())
        shape, guides = config["shape"], config["guides"]
        if not isinstance(shape, dict) or sorted(shape) != names:
            raise DataError(f"{path}: shape must say {', '.join(names)}; got {shape!r}; of another version?")
        return Protector(Shape(**shape), guides=built(guides, size_px=shape["size_px"]))
    except FileNotFoundError:
        raise DataError(f"{path} must exist; it does not; is {path.parent} the folder of a protector?") from None
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError, ArgumentError) as error:
        raise DataError(f"{path} must be the JSON of a protector; {error!r}; a partial copy?") from None
