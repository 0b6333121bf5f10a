"""Where CoOp's eleven few-shot sets, and the shifted versions of ImageNet, keep pictures, labels and splits."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gauntlet.errors import DataError
from gauntlet.readers.imagenet_folder import read_class_folders
from gauntlet.readers.labelled import SPLITS, Files, Labelled, Transform, balanced_order

HELD_OUT = 10
"""Pictures a class of ImageNet's training split that are its "val" here: its own validation split is the test."""


@dataclass(frozen=True)
class Rows:
    """The splits of a set.

    Attributes:
        class_names: By label.
        paths: By split, one file each.
        labels: By split, int64.
    """

    class_names: list[str]
    paths: dict[str, list[Path]]
    labels: dict[str, np.ndarray]

    def labelled(self, split: str, transform: Transform | None) -> Labelled:
        """Return one split; its pictures are decoded when asked for."""
        return Labelled(Files(self.paths[split], transform), self.labels[split], self.class_names)


def _readable(name: str) -> str:
    return name.replace("_", " ")


def read_split_file(place: Path, *, images: str, listing: str | None = None) -> Rows:
    """Read CoOp's `split_zhou_<Name>.json`: {train, val, test: [[path, label, class], ...]}.

    Args:
        place: The set's folder.
        images: Folder inside that the paths start from; "" for `place` itself.
        listing: Name of the split file; None takes the only `split_zhou_*.json` there.

    Raises:
        DataError: The file is missing, no JSON, lacks a split, has a malformed row, gives a label two names or none, or
            names a picture that is not there.
    """
    path = place / listing if listing else _only_listing(place)
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        raise DataError(f"{path} must exist; the split that CoOp publishes beside its code; not yet fetched?") from None
    except ValueError as error:
        raise DataError(f"{path} must be JSON; {error}; an interrupted copy?") from None
    if not isinstance(content, dict) or any(not isinstance(content.get(split), list) for split in SPLITS):
        raise DataError(f"{path} must hold lists train, val and test; another file?")
    names: dict[int, str] = {}
    paths, labels = {}, {}
    for split in SPLITS:
        found = [
            _row(row, where=f"{path}, {split}, row {number}", names=names) for number, row in enumerate(content[split])
        ]
        paths[split] = [place / images / impath for impath, _ in found]
        labels[split] = np.array([label for _, label in found], np.int64)
        _check_there(paths[split], where=f"{path}, {split}")
    if sorted(names) != list(range(len(names))):
        raise DataError(f"{path}: labels must be 0..{len(names) - 1} without a gap; the last is {sorted(names)[-1]}")
    return Rows([_readable(names[label]) for label in range(len(names))], paths, labels)


def _only_listing(place: Path) -> Path:
    found = sorted(place.glob("split_zhou_*.json"))
    if len(found) != 1:
        raise DataError(f"{place} must hold one split_zhou_*.json; it holds {len(found)}; not yet fetched?")
    return found[0]


def _row(row: object, *, where: str, names: dict[int, str]) -> tuple[str, int]:
    match row:
        case [str(impath), int(label), str(name)] if label >= 0 and impath:
            if names.setdefault(label, name) != name:
                raise DataError(f"{where}: label {label} must have one name; got {names[label]!r} and {name!r}")
            return impath, label
    raise DataError(f"{where}: must be [path, label, class name]; got {str(row)[:60]}; another layout?")


def _check_there(paths: Sequence[Path], *, where: str) -> None:
    for path in paths:
        if not path.is_file():
            raise DataError(f"{where}: {path} must exist; listed but not there; a partial copy?")


def read_aircraft(place: Path) -> Rows:
    """Read FGVC-Aircraft by its own lists: `variants.txt` and `images_variant_{train,val,test}.txt`.

    Raises:
        DataError: A list or a picture is missing, or a line names an unknown variant.
    """
    variants = _lines(place / "variants.txt")
    known = {name: label for label, name in enumerate(variants)}
    paths, labels = {}, {}
    for split in SPLITS:
        listing = place / f"images_variant_{split}.txt"
        numbers = []
        paths[split] = []
        for number, line in enumerate(_lines(listing), 1):
            picture, _, variant = line.partition(" ")
            if variant not in known:
                raise DataError(f"{listing}, line {number}: must be a picture and a variant; got {line[:60]!r}")
            paths[split].append(place / "images" / f"{picture}.jpg")
            numbers.append(known[variant])
        labels[split] = np.array(numbers, np.int64)
        _check_there(paths[split], where=str(listing))
    return Rows(variants, paths, labels)


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise DataError(f"{path} must exist; misspelt, or not yet fetched?")
    return [line.strip() for line in path.read_text().splitlines() if line.strip()]


def read_class_list(path: Path) -> dict[str, str]:
    """Read CoOp's `classnames.txt`: "n01440764 tench", one a line.

    Raises:
        DataError: It is missing, or a line is no such pair.
    """
    pairs = {}
    for number, line in enumerate(_lines(path), 1):
        wnid, _, name = line.partition(" ")
        if not name:
            raise DataError(f"{path}, line {number}: must be a wnid and a name; got {line[:60]!r}; another list?")
        pairs[wnid] = name.strip()
    return pairs


def read_imagenet_layout(place: Path) -> Rows:
    """Read `images/{train,val}/<wnid>/` by `classnames.txt`; "test" is its validation split.

    "val" is held out of the training pictures, 10 a class: CoOp takes the test pictures for it, which would choose on
    the test.

    Raises:
        DataError: The list or a folder is missing, or a folder is not in the list.
    """
    named = read_class_list(place / "classnames.txt")
    train, test = (
        read_class_folders(place / "images" / split, transform=None, class_names=list(named))
        for split in ("train", "val")
    )
    order = balanced_order(train.labels, seed=0)
    held_out = HELD_OUT * len(named)
    if held_out >= len(train):
        raise DataError(f"{place}/images/train must hold over {HELD_OUT} pictures a class; got {len(train)} in all")
    val, rest = train.take(np.sort(order[:held_out])), train.take(np.sort(order[held_out:]))
    splits = {"train": rest, "val": val, "test": test}
    return Rows(
        list(named.values()),
        {name: list(split.x.paths) for name, split in splits.items()},
        {name: split.labels for name, split in splits.items()},
    )


def _listed(images: str, listing: str) -> Callable[[Path], Rows]:
    def read(place: Path) -> Rows:
        return read_split_file(place, images=images, listing=f"split_zhou_{listing}.json")

    return read


LAYOUTS: dict[str, Callable[[Path], Rows]] = {
    "imagenet": read_imagenet_layout,
    "caltech-101": _listed("101_ObjectCategories", "Caltech101"),
    "oxford_pets": _listed("images", "OxfordPets"),
    "stanford_cars": _listed("", "StanfordCars"),
    "oxford_flowers": _listed("jpg", "OxfordFlowers"),
    "food-101": _listed("images", "Food101"),
    "fgvc_aircraft": read_aircraft,
    "sun397": _listed("SUN397", "SUN397"),
    "dtd": _listed("images", "DescribableTextures"),
    "eurosat": _listed("2750", "EuroSAT"),
    "ucf101": _listed("UCF-101-midframes", "UCF101"),
}
"""By the name of the set's folder.

Source: CoOp (Zhou et al., IJCV 2022), its notes on data sets and its split files.
"""
