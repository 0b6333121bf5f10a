"""Apply a second set of parameters over params.yaml: `python -m stages --apply params/full.yaml`."""

from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import RoundTripRepresenter

from gauntlet.errors import ArgumentError


def overlay(base: Path, change: Path) -> str:
    """Return the text of `base` with the values of `change` in it; comments and order stay.

    A mapping is merged key by key, anything else replaces what was there. Keys may be new: the stages' Params refuse
    those that they do not know.

    Raises:
        ArgumentError: A file is missing, is no YAML, or holds no mapping.
    """
    yaml = YAML()
    yaml.width, yaml.preserve_quotes = 120, True
    yaml.representer.add_representer(type(None), lambda representer, _: _null(representer))
    values = _load(yaml, base)
    _merge(values, _load(yaml, change))
    stream = StringIO()
    yaml.dump(values, stream)
    return stream.getvalue()


def _load(yaml: YAML, path: Path) -> Mapping:
    try:
        values = yaml.load(path.read_text())
    except FileNotFoundError:
        raise ArgumentError(f"{path} must exist; misspelt, or another folder?") from None
    except YAMLError as error:
        raise ArgumentError(f"{path} must be YAML; {error}") from None
    if not isinstance(values, Mapping):
        raise ArgumentError(f"{path} must hold sections; got {type(values).__name__}")
    return values


def _merge(values: Mapping, change: Mapping) -> None:
    for key, value in change.items():
        if isinstance(value, Mapping) and isinstance(values.get(key), Mapping):
            _merge(values[key], value)
        else:
            values[key] = value


def _null(representer: RoundTripRepresenter) -> ScalarNode:
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")
