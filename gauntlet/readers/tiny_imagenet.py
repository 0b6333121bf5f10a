"""Read Tiny ImageNet as its authors pack it: 200 classes, 500 training pictures each, 64 px."""

from pathlib import Path

import numpy as np

from gauntlet.errors import DataError
from gauntlet.readers.labelled import IMAGE_SUFFIXES, Files, Labelled, check_split, hold_out

FOLDER = "tiny-imagenet-200"


def read_tiny_imagenet(folder: Path, split: str, *, seed: int = 0, held_out: int = 1000) -> Labelled:
    """List a split; `tensors()` decodes it (1.2 GB of training pixels).

    Labels are places in the sorted wnids.txt. The authors' validation pictures are "test" here, for theirs for testing
    have no labels.

    Args:
        folder: `tiny-imagenet-200`, or the folder around it, with train/<wnid>/images/<wnid>_<i>.JPEG, val/images,
            val/val_annotations.txt and wnids.txt.
        split: "train", "val" (carved from the training pictures) or "test".
        seed: Of the held-out pictures; train and val must be read with one seed.
        held_out: Training pictures that are "val".

    Raises:
        DataError: A file or folder is missing, or an annotation names no class.
    """
    check_split(split)
    place = folder / FOLDER if (folder / FOLDER).is_dir() else folder
    wnids = sorted(_lines(place / "wnids.txt"))
    names = _names(place / "words.txt", wnids)
    if split == "test":
        paths, labels = _annotated(place / "val", wnids)
        return Labelled(Files(paths), np.array(labels, np.int64), names)
    paths, labels = [], []
    for label, wnid in enumerate(wnids):
        found = sorted((place / "train" / wnid / "images").glob("*"), key=_number)
        pictures = [path for path in found if path.suffix.lower() in IMAGE_SUFFIXES]
        if not pictures:
            raise DataError(f"{place}/train/{wnid}/images must hold pictures; it has none; a partial copy?")
        paths += pictures
        labels += [label] * len(pictures)
    return hold_out(Labelled(Files(paths), np.array(labels, np.int64), names), held_out, seed=seed)[split == "val"]


def _number(path: Path) -> tuple[int, str]:
    tail = path.stem.rpartition("_")[2]
    return (int(tail) if tail.isdecimal() else -1, path.name)


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise DataError(f"{path} must exist; is its folder tiny-imagenet-200, unpacked?")
    return [line for line in path.read_text().split("\n") if line.strip()]


def _names(path: Path, wnids: list[str]) -> list[str]:
    """Name the classes by words.txt, or by their wnid where that is missing."""
    words = dict(line.split("\t", 1) for line in _lines(path) if "\t" in line) if path.is_file() else {}
    return [words.get(wnid, wnid) for wnid in wnids]


def _annotated(place: Path, wnids: list[str]) -> tuple[list[Path], list[int]]:
    labels = {wnid: label for label, wnid in enumerate(wnids)}
    rows = [line.split("\t") for line in _lines(place / "val_annotations.txt")]
    for number, row in enumerate(rows, 1):
        if len(row) < 2 or row[1] not in labels:
            raise DataError(
                f"{place}/val_annotations.txt, line {number}: must be a file name, a tab and one of the "
                f"{len(wnids)} wnids; got {' '.join(row)[:60]!r}; spaces for tabs?"
            )
    return [place / "images" / row[0] for row in rows], [labels[row[1]] for row in rows]
