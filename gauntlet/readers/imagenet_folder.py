"""Read pictures in a folder a class, ImageNet's among them, and the lists of pictures that benchmarks publish."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gauntlet.errors import DataError
from gauntlet.readers.labelled import IMAGE_SUFFIXES, CentreCrop, Files, Labelled, Transform, check_split, hold_out

EVALUATION = CentreCrop(256, 224, "bicubic")
"""ARES-Bench's: 224 px from a shorter side of 224 / 0.875."""


def read_class_folders(
    folder: Path, *, transform: Transform | None, class_names: Sequence[str] | None = None
) -> Labelled:
    """List the pictures of `<folder>/<class>/...`, in the order of their paths.

    Args:
        folder: With one folder a class, of any depth below.
        transform: From a picture to one of the size that all share; None where they have it already.
        class_names: Names of the folders by label, such as ImageNet's 1,000 wnids; the folder may lack some. None
            numbers the folders that are there in the order of their names.

    Raises:
        DataError: No folders, one without pictures, or one that `class_names` does not know.
    """
    found = sorted(entry.name for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else []
    if not found:
        raise DataError(f"{folder} must hold one folder a class; it holds none; one level too low, or still packed?")
    names = list(found if class_names is None else class_names)
    known = {name: label for label, name in enumerate(names)}
    paths, labels = [], []
    for name in found:
        if name not in known:
            raise DataError(f"{folder / name} must be named by one of the {len(names)} classes; one level too high?")
        pictures = sorted(path for path in (folder / name).rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
        if not pictures:
            raise DataError(f"{folder / name} must hold pictures; it has none; a partial copy?")
        paths += pictures
        labels += [known[name]] * len(pictures)
    return Labelled(Files(paths, transform), np.array(labels, np.int64), names)


def read_imagenet(
    folder: Path,
    split: str,
    *,
    seed: int = 0,
    held_out: int = 1000,
    transform: Transform | None = EVALUATION,
    class_names: Sequence[str] | None = None,
) -> Labelled:
    """List a split of ImageNet, or of any data set in the same layout; pictures are decoded when asked for.

    Args:
        folder: With train/<wnid>/*.JPEG and val/<wnid>/*.JPEG; ImageNet's own validation split is "test" here.
        split: "train", "val" (carved from the training pictures) or "test".
        seed: Of the held-out pictures; train and val must be read with one seed.
        held_out: Training pictures that are "val".
        transform: To the size that all share: `CentreCrop` to evaluate, `RandomCrop` to train.
        class_names: Names of the folders by label; None takes those that are there.

    Raises:
        DataError: As `read_class_folders`; or "test" lacks the class folders, as ImageNet's archive leaves it.
    """
    check_split(split)
    place = folder / ("val" if split == "test" else "train")
    if split == "test" and place.is_dir() and not any(entry.is_dir() for entry in place.iterdir()):
        raise DataError(f"{place} must hold one folder a class; its pictures lie loose; not yet sorted into wnids?")
    whole = read_class_folders(place, transform=transform, class_names=class_names)
    return whole if split == "test" else hold_out(whole, held_out, seed=seed)[split == "val"]


class Listed(NamedTuple):
    """Pictures of a list, and the class (int64, N) that a targeted attack on each should aim at."""

    images: Labelled
    targets: np.ndarray


def read_image_list(
    listing: Path, folder: Path, *, class_names: Sequence[str], transform: Transform | None = EVALUATION
) -> Listed:
    """Read ARES-Bench's list of validation pictures: "path label target", one a line.

    Args:
        listing: The list, such as imagenet_val_1k.txt.
        folder: That the paths start from.
        class_names: By label.
        transform: As `read_imagenet`.

    Raises:
        DataError: A line is no such triple, a label lies outside the classes, or a picture is not there.
    """
    if not listing.is_file():
        raise DataError(f"{listing} must exist; misspelt?")
    paths, numbers = [], []
    for number, line in enumerate(listing.read_text().splitlines(), 1):
        if not line.strip():
            continue
        path, *labels = line.rsplit(maxsplit=2)
        if len(labels) != 2 or not all(label.isdecimal() and int(label) < len(class_names) for label in labels):
            raise DataError(
                f"{listing}, line {number}: must be a path, a label and a target in 0..{len(class_names) - 1}; "
                f"got {line[:60]!r}; another list?"
            )
        if not (folder / path).is_file():
            raise DataError(f"{listing}, line {number}: {folder / path} must exist; does the path start elsewhere?")
        paths.append(folder / path)
        numbers.append([int(label) for label in labels])
    if not paths:
        raise DataError(f"{listing} must name pictures; it is empty; an interrupted copy?")
    labels, targets = np.array(numbers, np.int64).T
    return Listed(Labelled(Files(paths, transform), labels, list(class_names)), targets)
