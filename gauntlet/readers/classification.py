"""Read the classification images that `objects.images` writes."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gauntlet.errors import DataError
from gauntlet.readers.objects import decode, shard_members


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
        DataError: It is missing.
    """
    path = folder / "classes.json"
    if not path.exists():
        raise DataError(f"{path} must exist; wrong folder or an unfinished build?")
    return json.loads(path.read_text())


def read_images(folder: Path, split: str) -> Images:
    """Read one split.

    Args:
        folder: `data/built/objects32` or `objects128`, or a folder in the same layout.
        split: "train", "val" or "test".

    Raises:
        DataError: An image or mask is truncated, of another size, missing, or its mask is empty.
    """
    class_names = read_classes(folder)
    records: dict[str, dict] = {}
    for name, data in shard_members(folder, f"{split}-*.tar"):
        key, _, kind = name.partition(".")
        record = records.setdefault(key, {})
        if kind == "json":
            record[kind] = json.loads(data)
        else:
            record[kind] = decode(data, where=f"{folder}: {name}", mode="L" if kind == "mask.png" else "RGB")
    for key, record in records.items():
        _check(key, record, folder=folder, classes=len(class_names))
    return Images(
        x=np.stack([record["png"] for record in records.values()]),
        masks=np.stack([record["mask.png"] > 127 for record in records.values()]),
        labels=np.array([record["json"]["label"] for record in records.values()], np.int64),
        keys=list(records),
        class_names=class_names,
    )


def _check(key: str, record: dict, *, folder: Path, classes: int) -> None:
    for kind in ("png", "mask.png", "json"):
        if kind not in record:
            raise DataError(f"{folder}: {key}.{kind} must exist beside its siblings; a shard cut in two?")
    if record["png"].shape[:2] != record["mask.png"].shape:
        shapes = record["png"].shape[:2], record["mask.png"].shape
        raise DataError(f"{folder}: {key}: image and mask must have one size; got {shapes[0]} and {shapes[1]}")
    if not (record["mask.png"] > 127).any():
        raise DataError(f"{folder}: {key}: the mask must not be empty; saved as 0/1 instead of 0/255?")
    if not 0 <= record["json"]["label"] < classes:
        raise DataError(f"{folder}: {key}: label must lie in 0..{classes - 1}; got {record['json']['label']}")
