"""Shifted versions of a few-shot set, for domain generalisation: its classes or some of them, test pictures only."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gauntlet.errors import DataError
from gauntlet.readers.few_shot_sets import read_class_list, read_split_file
from gauntlet.readers.imagenet_folder import read_class_folders
from gauntlet.readers.labelled import Files, Labelled, Transform

IMAGENET_TARGETS = {
    "imagenetv2": "imagenetv2-matched-frequency-format-val",
    "imagenet-sketch": "images",
    "imagenet-adversarial": "imagenet-a",
    "imagenet-rendition": "imagenet-r",
}
"""Folder of the pictures by name of the target, as CoOp has them: one folder a class, ImageNet-V2's named 0..999."""


class Target(NamedTuple):
    """Test pictures of a shifted set.

    Attributes:
        images: Labels index its own class names.
        places: int64, one a class: where each stands among the source's classes; ImageNet-A and -R have 200 of 1,000.
    """

    images: Labelled
    places: np.ndarray


def read_target(folder: Path, name: str, *, class_names: Sequence[str], transform: Transform | None = None) -> Target:
    """Read a shifted version of the set whose classes are `class_names`.

    Args:
        folder: That holds `<name>/`.
        name: A key of `IMAGENET_TARGETS` (with CoOp's classnames.txt inside), or a folder with `split_zhou_*.json`.
        class_names: Of the source, by label.
        transform: To the size that all share.

    Raises:
        DataError: The folder is missing, holds no test pictures, or has a class that the source lacks.
    """
    place = folder / name
    if not place.is_dir():
        raise DataError(f"{place} must be a folder; it is none; misspelt, or not yet fetched?")
    if name in IMAGENET_TARGETS:
        return _imagenet(place, IMAGENET_TARGETS[name], class_names=class_names, transform=transform)
    rows = read_split_file(place, images="images")
    images = rows.labelled("test", transform)
    if not len(images):
        raise DataError(f"{place} must have test pictures; its split file lists none; another set's?")
    known = {class_name: number for number, class_name in enumerate(class_names)}
    if strange := [class_name for class_name in images.class_names if class_name not in known]:
        raise DataError(f"{place}: each class must be one of the source's {len(known)}; {strange[0]!r} is not")
    return Target(images, np.array([known[class_name] for class_name in images.class_names], np.int64))


def _imagenet(place: Path, pictures: str, *, class_names: Sequence[str], transform: Transform | None) -> Target:
    # By wnid or number, never by name: ImageNet has two classes of one name.
    listed = read_class_list(place / "classnames.txt")
    if list(listed.values()) != list(class_names):
        raise DataError(f"{place}/classnames.txt must be the source's own list; it differs; another order?")
    keys = [str(number) for number in range(len(listed))] if place.name == "imagenetv2" else list(listed)
    whole = read_class_folders(place / pictures, transform=transform, class_names=keys)
    places, labels = np.unique(whole.labels, return_inverse=True)
    names = [class_names[number] for number in places]
    return Target(Labelled(Files(whole.x.paths, transform), labels.astype(np.int64), names), places)
