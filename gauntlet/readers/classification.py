"""Read the classification images that `objects.images` writes."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gauntlet.errors import DataError
from gauntlet.readers.objects import decode, shard_members

KINDS = ("png", "mask.png", "json")
"""The members of one record."""


@dataclass(frozen=True)
class Images:
    """One split of a classification dataset, in memory.

    Attributes:
        x: uint8, N x H x W x 3.
        masks: bool, N x H x W: the object.
        labels: int64, N: index into `class_names`.
        keys: Unique name of each image.
        class_names: Names of the classes, sorted.
    """

    x: np.ndarray
    masks: np.ndarray
    labels: np.ndarray
    keys: list[str]
    class_names: list[str]


def read_classes(folder: Path) -> list[str]:
    """Read classes.json.

    Raises:
        DataError: It is missing, or no list of names.
    """
    path = folder / "classes.json"
    if not path.exists():
        raise DataError(f"{path} must exist; wrong folder or an unfinished build?")
    try:
        names = json.loads(path.read_text())
    except ValueError as error:
        raise DataError(f"{path} must be JSON; {error}; an interrupted copy?") from None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(f"{path} must be a list of class names; got {str(names)[:60]}")
    return names


def read_images(folder: Path, split: str, *, masks: bool = True) -> Images:
    """Read one split.

    Args:
        folder: `data/built/objects32` or `objects128`, or a folder in the same layout.
        split: "train", "val" or "test".
        masks: Decode them too; without, which takes half the time, all come back empty.

    Raises:
        DataError: An image or mask is truncated, of another size, missing, or its mask is empty.
    """
    class_names = read_classes(folder)
    records: dict[str, dict] = {}
    for name, data in shard_members(folder, f"{split}-*.tar"):
        key, _, kind = name.partition(".")
        record = records.setdefault(key, {})
        if kind == "json":
            record[kind] = _label(data, where=f"{folder}: {name}", classes=len(class_names))
        elif kind == "mask.png" and not masks:
            record[kind] = None
        elif kind in KINDS:
            record[kind] = decode(data, where=f"{folder}: {name}", mode="L" if kind == "mask.png" else "RGB")
    if not records:
        raise DataError(f"{folder} must hold images of the split {split}; its shards are empty; an unfinished build?")
    shape = next((record["png"].shape for record in records.values() if "png" in record), None)
    for key, record in records.items():
        _check(key, record, folder=folder, shape=shape)
    x = np.stack([record["png"] for record in records.values()])
    return Images(
        x=x,
        masks=np.stack([_mask(record, shape) for record in records.values()]),
        labels=np.array([record["json"] for record in records.values()], np.int64),
        keys=list(records),
        class_names=class_names,
    )


def _mask(record: dict, shape: tuple[int, ...]) -> np.ndarray:
    return np.zeros(shape[:2], bool) if record["mask.png"] is None else record["mask.png"] > 127


def _label(data: bytes, *, where: str, classes: int) -> int:
    try:
        label = json.loads(data)["label"]
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{where} must be JSON with a label; got {data[:60]!r}; another dataset?") from None
    if not isinstance(label, int) or not 0 <= label < classes:
        raise DataError(f"{where}: label must lie in 0..{classes - 1}; got {label!r}; another classes.json?")
    return label


def _check(key: str, record: dict, *, folder: Path, shape: tuple[int, ...]) -> None:
    for kind in KINDS:
        if kind not in record:
            raise DataError(f"{folder}: {key}.{kind} must exist beside its siblings; a shard cut in two?")
    if record["png"].shape != shape:
        raise DataError(f"{folder}: {key}.png must be of the others' size {shape}; got {record['png'].shape}")
    if record["mask.png"] is None:
        return
    if shape[:2] != record["mask.png"].shape:
        raise DataError(
            f"{folder}: {key}: image and mask must have one size; got {shape} and {record['mask.png'].shape}"
        )
    if not (record["mask.png"] > 127).any():
        raise DataError(f"{folder}: {key}: the mask must not be empty; saved as 0/1 instead of 0/255?")
