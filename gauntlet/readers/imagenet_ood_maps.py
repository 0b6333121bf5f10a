"""The maps that come with ObjectNet and ImageNet-Real: from their labels to the outputs of an ImageNet model."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gauntlet.errors import DataError

NUMBER = re.compile(r"ILSVRC2012_val_(\d{8})$")


def real_labels(path: Path, pictures: Sequence[Path], *, classes: int) -> list[frozenset[int]]:
    """Look up the labels of validation pictures in real.json, a list of lists by the pictures' numbers less one.

    Args:
        path: real.json.
        pictures: Named ILSVRC2012_val_XXXXXXXX.
        classes: Labels lie below it.

    Returns:
        For each picture its labels; none where real.json has none.

    Raises:
        DataError: real.json is no such list, or a picture has no number or none in the list.
    """
    table = _json(path, list)
    if bad := [row for row, labels in enumerate(table) if not _are_labels(labels, classes)]:
        raise DataError(f"{path}, entry {bad[0]}: must be a list of labels in 0..{classes - 1}; got {table[bad[0]]!r}")
    found = []
    for picture in pictures:
        match = NUMBER.match(picture.stem)
        if not match:
            raise DataError(f"{picture} must be named ILSVRC2012_val_XXXXXXXX, whose number finds its labels; renamed?")
        if not 1 <= int(match[1]) <= len(table):
            raise DataError(f"{path} must hold an entry for each picture; {picture.name} is beyond its {len(table)}")
        found.append(frozenset(table[int(match[1]) - 1]))
    return found


def right_by_folder(mappings: Path, *, classes: int) -> dict[str, frozenset[int]]:
    """Combine ObjectNet's four maps.

    Args:
        mappings: With objectnet_to_imagenet_1k.json (label to the names of ImageNet's classes, "; " between them),
            folder_to_objectnet_label.json, imagenet_to_label_2012_v2 (a name a line, in the order of the challenge)
            and pytorch_to_imagenet_2012_id.json (output of a model to line).
        classes: Outputs lie below it.

    Returns:
        For each folder of a class that ImageNet has too, the outputs that are right.

    Raises:
        DataError: A map is missing, or names what another lacks.
    """
    overlap = _json(mappings / "objectnet_to_imagenet_1k.json", dict)
    folders = {label: name for name, label in _json(mappings / "folder_to_objectnet_label.json", dict).items()}
    lines = _lines(mappings / "pytorch_to_imagenet_2012_id.json")
    listing = mappings / "imagenet_to_label_2012_v2"
    if not listing.is_file():
        raise DataError(f"{listing} must exist; ObjectNet's mappings unpacked in part?")
    first = min(lines, default=0)  # lines are numbered from 0 or from 1
    names = enumerate(listing.read_text(encoding="utf-8").splitlines(), first)
    outputs = {name.strip(): lines[number] for number, name in names if lines.get(number, classes) < classes}
    right = {}
    for label, joined in overlap.items():
        if label not in folders:
            raise DataError(f"{mappings}/folder_to_objectnet_label.json must hold {label!r}; maps of two versions?")
        for name in joined.split("; "):
            if name not in outputs:
                raise DataError(f"{listing} must hold {name!r}, a class of {label!r}; maps of two versions?")
        right[folders[label]] = frozenset(outputs[name] for name in joined.split("; "))
    if not right:
        raise DataError(f"{mappings}/objectnet_to_imagenet_1k.json must map classes; it is empty; an interrupted copy?")
    return right


def _lines(path: Path) -> dict[int, int]:
    """Read which output of a model stands in which line of the list of names."""
    table = _json(path, dict)
    try:
        return {int(line): int(output) for output, line in table.items()}
    except (TypeError, ValueError):
        raise DataError(f"{path} must map numbers to numbers; got {str(table)[:40]!r}; another map?") from None


def _are_labels(labels: Any, classes: int) -> bool:
    return isinstance(labels, list) and all(type(label) is int and 0 <= label < classes for label in labels)


def _json(path: Path, kind: type) -> Any:
    if not path.is_file():
        raise DataError(f"{path} must exist; unpacked in part, or misspelt?")
    try:
        value = json.loads(path.read_bytes())
    except ValueError as error:
        raise DataError(f"{path} must be JSON; {error}; an interrupted copy?") from None
    if not isinstance(value, kind):
        raise DataError(f"{path} must hold a JSON {'object' if kind is dict else 'list'}; got {str(value)[:40]!r}")
    return value
