"""The pictures that a classifier is audited on: a data set built here, or a folder of the user's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from gauntlet.errors import ArgumentError, DataError, UnavailableError
from gauntlet.readers.datasets import read_dataset
from gauntlet.readers.imagenet_e import imagenet_wnids
from gauntlet.readers.imagenet_folder import EVALUATION, read_class_folders
from gauntlet.readers.labelled import Labelled
from stages.contract import nearest
from stages.labelled import some

SMALL_PX = 64
"""Sides up to which pictures count as small: they bear a larger budget."""
LINF, L2 = 32 / 255, 1 / 8
"""Ends of the curves: the L2 one per px of the side, so that it is the same change of a pixel at any size."""
DEEP = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")


@dataclass(frozen=True)
class Built:
    """A data set built here, and the budgets that suit it; None for those of its pictures' size."""

    layout: str
    place: Path
    eps: float | None = None
    largest: Mapping[str, float] = field(default_factory=dict)


BUILT = {
    "objects32": Built("objects", Path("data/built/objects32")),
    "objects128": Built("objects", Path("data/built/objects128")),
    "digits": Built("digits", Path("data/raw/digits.tar"), eps=0.3, largest={"linf": 0.5, "l2": 8.0}),
}


@dataclass(frozen=True)
class Shown:
    """Pictures at hand.

    Attributes:
        name: Of the data set, or of the folder.
        place: Where it lies.
        pictures: Those that are shown to the model.
        whole: How many there were to draw from.
        eps: Linf radius of one budget that suits them.
        largest: Greatest budget of the curve, by norm.
    """

    name: str
    place: Path
    pictures: Labelled
    whole: int
    eps: float
    largest: Mapping[str, float]


def built_here() -> list[str]:
    """List the data sets that are there."""
    return [name for name, built in BUILT.items() if built.place.exists()]


def read_shown(name: str, *, count: int, seed: int, class_names: Sequence[str] | None = None) -> Shown:
    """Read the test split of a data set built here, or a folder with one folder of pictures a class.

    Args:
        name: A key of `BUILT`, or a folder, which may also be in the layout of objects32.
        count: Pictures to draw; all where there are fewer.
        seed: Of the draw.
        class_names: Of the model, where they are known: the folders may then be some of them.

    Raises:
        ArgumentError: No such data set.
        DataError: It is missing or damaged, or its folders are no classes.
    """
    built, place = BUILT.get(name), Path(name)
    if built is None and not place.exists() and "/" not in name:
        hint = nearest(name, BUILT)
        raise ArgumentError(f"--data must be {', '.join(BUILT)} or a folder; got {name!r}; misspelt?{hint}")
    if built is None:
        built = Built("objects" if (place / "classes.json").exists() else "folder", place)
    if not built.place.exists():
        raise DataError(f"{built.place} must exist; misspelt, or not built yet (`dvc repro` or `dvc pull`)?")
    if built.layout == "folder":
        whole, drawn = _from_folder(place, count=count, seed=seed, class_names=class_names)
    else:
        pictures = read_dataset(built.layout, built.place, "test")
        whole, drawn = len(pictures), some(pictures, count, seed=seed)
    side = max(np.shape(drawn.x[0])[:2])
    return Shown(
        name=name if name in BUILT else place.resolve().name,
        place=built.place,
        pictures=drawn,
        whole=whole,
        eps=built.eps or (8 if side <= SMALL_PX else 4) / 255,
        largest=built.largest or {"linf": LINF, "l2": L2 * side},
    )


def _from_folder(folder: Path, *, count: int, seed: int, class_names: Sequence[str] | None) -> tuple[int, Labelled]:
    pictures = read_class_folders(folder, transform=None, class_names=_vocabulary(folder, class_names))
    drawn = some(pictures, count, seed=seed)
    sizes = {_size(path) for path in drawn.x.paths}
    alike = len(sizes) == 1 and max(*sizes) <= EVALUATION.crop_px
    return len(pictures), drawn if alike else drawn.transformed(EVALUATION)


def _vocabulary(folder: Path, class_names: Sequence[str] | None) -> list[str] | None:
    """Return the classes that the folders are some of: the model's, or ImageNet's; None where they are all."""
    names = {entry.name for entry in folder.iterdir() if entry.is_dir()} if folder.is_dir() else set()
    if class_names and names and names <= set(class_names):
        return list(class_names)
    try:
        wnids = imagenet_wnids()
    except UnavailableError:
        return None
    return wnids if names and names <= set(wnids) else None


def _size(path: Path) -> tuple[int, int]:
    """Read a picture's size, refusing one whose numbers are not 0 to 255: Pillow would clip them in silence."""
    try:
        with Image.open(path) as image:
            if image.mode in DEEP:
                raise DataError(
                    f"{path} must have 8 bits a channel; its mode is {image.mode}; a depth map, or raw data?"
                )
            return image.size
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} must be a whole image; {error}; truncated, or not an image?") from None
