"""Read CelebA (Liu et al., ICCV 2015) in its own layout."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.faces import Faces
from gauntlet.readers.labelled import CentreCrop, Files, check_split

COLUMNS = {
    "black_hair": "Black_Hair",
    "blond_hair": "Blond_Hair",
    "brown_hair": "Brown_Hair",
    "glasses": "Eyeglasses",
    "beard": "No_Beard",
}
"""CelebA's column of each of our attributes; its No_Beard is read the other way round."""

PICTURES = "img_align_celeba"
ATTRIBUTE_FILE = "list_attr_celeba.txt"
PARTITION_FILE = "list_eval_partition.txt"
SPLITS = {"train": 0, "val": 1, "test": 2}
BOUNDS = (162771, 182638)
"""First number of val and of test in the official partition, for copies that come without its file."""
CROP_PX = 178


def read_celeba(folder: Path, split: str, *, size_px: int, count: int | None = None) -> Faces:
    """Read the first faces of a split: the middle square of 178 px, scaled.

    Args:
        folder: Holds `img_align_celeba/*.jpg` and `list_attr_celeba.txt`; `list_eval_partition.txt` where it is there
            (in the folder or in CelebA's own `Anno` and `Eval`).
        split: "train", "val" or "test" of the official partition.
        size_px: Side of the pictures.
        count: How many; None for all.

    Returns:
        The faces, without edits: no picture of the same person after a single edit exists.

    Raises:
        ArgumentError: No such split, or a size or count below one.
        DataError: A file is missing or damaged; names it, with the row or the picture.
    """
    check_split(split)
    if size_px < 1 or (count is not None and count < 1):
        raise ArgumentError(f"size_px and count must be at least 1; got {size_px} and {count}")
    rows = _attributes(_listed(folder, ATTRIBUTE_FILE))
    parts = _partition(folder)
    names = [name for name in rows if parts(name) == SPLITS[split]][:count]
    if not names:
        raise DataError(f"{folder} must list pictures of split {split}; it lists none; a part of CelebA?")
    pictures = Files([folder / PICTURES / name for name in names], transform=_square)
    x = np.empty((len(names), 3, size_px, size_px), np.uint8)
    for place in range(len(names)):
        scaled = Image.fromarray(pictures[place]).resize((size_px, size_px), Image.Resampling.BICUBIC)
        x[place] = np.asarray(scaled).transpose(2, 0, 1)
    return Faces(
        x=torch.from_numpy(x),
        attributes=torch.tensor([rows[name] for name in names]),
        names=tuple(COLUMNS),
        edits=None,
        keys=tuple(names),
    )


def _square(image: Image.Image, place: int) -> Image.Image:
    short = min(image.size)
    return CentreCrop(resize_px=short, crop_px=min(CROP_PX, short))(image, place)


def _listed(folder: Path, name: str) -> Path:
    places = [folder / name, folder / "Anno" / name, folder / "Eval" / name]
    for place in places:
        if place.is_file():
            return place
    raise DataError(f"{places[0]} must exist; it does not; another layout, or a partial copy of CelebA?")


def _attributes(file: Path) -> dict[str, tuple[bool, ...]]:
    """Read name -> our attributes from the list: a count, the columns, then a row a picture of 1 and -1."""
    lines = file.read_text().splitlines()
    columns = lines[1].split() if len(lines) > 1 else []
    if missing := [column for column in COLUMNS.values() if column not in columns]:
        raise DataError(f"{file}: its second line must name {missing[0]}; it does not; another list?")
    places = {name: columns.index(column) for name, column in COLUMNS.items()}
    rows = {}
    for number, line in enumerate(lines[2:], start=3):
        name, *values = line.split() or [""]
        if len(values) != len(columns) or set(values) - {"1", "-1"}:
            raise DataError(
                f"{file}, line {number}: must be a picture and {len(columns)} times 1 or -1; got {line[:60]!r}"
            )
        rows[name] = tuple((values[at] == "1") != (attribute == "beard") for attribute, at in places.items())
    return rows


def _partition(folder: Path):
    """Return the function from a picture's name to its number of split."""
    try:
        file = _listed(folder, PARTITION_FILE)
    except DataError:
        return lambda name: int(np.searchsorted(BOUNDS, int(Path(name).stem), side="right"))
    known = {}
    for number, line in enumerate(file.read_text().splitlines(), start=1):
        words = line.split()
        if len(words) != 2 or words[1] not in ("0", "1", "2"):
            raise DataError(f"{file}, line {number}: must be a picture and 0, 1 or 2; got {line[:60]!r}")
        known[words[0]] = int(words[1])
    return known.get
