"""Read a model folder: `model.json` says what it is, `model.safetensors` holds its weights."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from gauntlet.errors import DataError
from gauntlet.models.registry import build


@dataclass(frozen=True)
class ModelCard:
    """What a model folder says of itself.

    Attributes:
        architecture: Its name, as `gauntlet.models.registry.build` takes it.
        classes: Names of its classes, in the order of the logits.
        settings: Keyword arguments of the builder.
        about: Everything else: what it was trained on, how, with which seed.
    """

    architecture: str
    classes: list[str]
    settings: dict = field(default_factory=dict)
    about: dict = field(default_factory=dict)


def read_card(folder: Path) -> ModelCard:
    """Read model.json.

    Raises:
        DataError: It is missing, no JSON, or lacks architecture or classes.
    """
    path = folder / "model.json"
    try:
        content = json.loads(path.read_text())
        known = {name: content.pop(name) for name in ("architecture", "classes", "settings")}
    except FileNotFoundError:
        raise DataError(f"{path} must exist; is {folder} a model folder, and its training finished?") from None
    except json.JSONDecodeError as error:
        raise DataError(f"{path} must be JSON; {error}") from None
    except KeyError as error:
        raise DataError(f"{path} must name {error.args[0]}; written by another tool?") from None
    return ModelCard(**known, about=content)


def load_model(folder: Path) -> tuple[nn.Module, ModelCard]:
    """Build the model and load its weights.

    Returns:
        The model in evaluation mode on the CPU, and its card.

    Raises:
        DataError: The folder is incomplete, or the weights do not fit the architecture.
    """
    card = read_card(folder)
    model = build(card.architecture, classes=len(card.classes), settings=card.settings)
    path = folder / "model.safetensors"
    try:
        model.load_state_dict(load_file(path))
    except FileNotFoundError:
        raise DataError(f"{path} must exist; an interrupted copy?") from None
    except SafetensorError as error:
        raise DataError(f"{path} must be a whole safetensors file; {error}; truncated?") from None
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise DataError(f"{path} must fit {card.architecture}; {reason}; another version of it?") from None
    return model.eval(), card
