"""The folder of fitted methods: <set>/<shots>/<seed>/ with their tensors, what was chosen, and how they trained."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from gauntlet.errors import DataError
from gauntlet.training.safe_clip.methods import METHODS
from gauntlet.training.safe_clip.task import Fitted
from stages import Params as StageParams
from stages.files import write_json
from stages.machine import machine
from stages.safe_clip.features import Official

INDEX = "index.json"
SHARES = {"safe_a": "safe"}
"""Whose tensors a method starts from and keeps."""


class Index(StageParams):
    """What the folder holds, and what it was fitted on; score reads the same.

    Attributes:
        official: As the training had it.
        sets: Names.
        shots: Rising.
        seeds: Of the draws.
        short: What was done with classes of too few pictures.
        blend: Which vectors alpha mixes.
        methods: In the order of METHODS.
    """

    official: Official | None
    sets: list[str]
    shots: list[int]
    seeds: list[int]
    short: str
    blend: str
    methods: list[str]


def write_index(models: Path, index: Index) -> None:
    """Write what the folder holds."""
    write_json(models / INDEX, index.model_dump(mode="json"))


def read_index(models: Path) -> Index:
    """Read what the folder holds.

    Raises:
        DataError: There is no such file, or it is not one of these.
    """
    try:
        return Index.model_validate_json((models / INDEX).read_bytes())
    except FileNotFoundError:
        raise DataError(f"{models} must hold {INDEX}; it does not; is its training finished?") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(f"{models / INDEX}: {first['loc']}: {first['msg']}; written by another version?") from None


def place_of(models: Path, name: str, *, shots: int, seed: int) -> Path:
    """Return the folder of a draw."""
    return models / name / str(shots) / str(seed)


def write_fitted(folder: Path, fitted: Mapping[str, Fitted]) -> None:
    """Write the methods of one draw, in half precision; what safe_a shares with safe stands there alone."""
    folder.mkdir(parents=True)
    for name, each in fitted.items():
        shared = fitted[SHARES[name]].weights if name in SHARES else {}
        tensors = {key: _half(tensor) for key, tensor in each.tensors().items() if key not in shared}
        if tensors:
            save_file(tensors, folder / f"{name}.safetensors")
    write_json(folder / "chosen.json", {name: each.chosen for name, each in fitted.items()})
    write_json(folder / "history.json", {name: each.history for name, each in fitted.items()})


def read_fitted(folder: Path, methods: Sequence[str]) -> dict[str, Fitted]:
    """Read the methods of one draw, ready to classify.

    Raises:
        DataError: A file is missing or broken.
    """
    path = folder / "chosen.json"
    try:
        chosen, fitted = json.loads(path.read_text()), {}
        for name in methods:
            shared = fitted[SHARES[name]].weights if name in SHARES else {}
            path = folder / f"{name}.safetensors"
            fitted[name] = METHODS[name]({**shared, **_weights(path)}, chosen[name])
    except (OSError, KeyError, ValueError, SafetensorError) as error:
        said = " ".join(str(error).split())[:200]
        raise DataError(f"{path} must be whole, as the training wrote it; {said}; a partial copy?") from None
    return fitted


def _half(tensor: Tensor) -> Tensor:
    return (tensor.half() if tensor.is_floating_point() else tensor).cpu().contiguous()


def _weights(path: Path) -> dict[str, Tensor]:
    if not path.exists() and path.stem == "zero_shot":
        return {}
    read = load_file(path, device=machine().device)
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in read.items()}
