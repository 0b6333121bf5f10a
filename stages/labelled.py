"""Which labelled pictures a stage works on: those built here, or an official data set in a folder of the user's."""

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.datasets import read_dataset
from gauntlet.readers.folders import named_folder
from gauntlet.readers.labelled import Labelled, balanced_order
from stages import Params

BUILT = ("objects", "digits")
Layout = Literal["objects", "digits", "cifar10", "cifar100", "tiny_imagenet", "imagenet"]


class Data(Params):
    """A data set.

    Attributes:
        layout: "objects" and "digits" are built here; any other is read from `folder`.
        folder: Name in raw.folder, for the official data sets; null for those built here.
        held_out: Training pictures set aside to select models on; null for the data set's own number.
        seed: Of that split.
    """

    layout: Layout
    folder: str | None = None
    held_out: int | None = Field(default=None, ge=1)
    seed: int = 0

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.folder or {"objects": "objects32"}.get(self.layout, self.layout)


def read(data: Data, split: str, *, images: Path, digits: Path, folders: Path) -> Labelled:
    """Read one split.

    Raises:
        ArgumentError: A folder is named for data that are built here, or none for official ones; a number of held-out
            pictures for those built here.
        DataError: A file is missing or damaged, or the folder has another layout.
    """
    if (data.layout in BUILT) != (data.folder is None):
        raise ArgumentError(
            f"data.folder must be null for {' and '.join(BUILT)}, else a name of raw.folder; "
            f"got {data.folder!r} with the layout {data.layout}"
        )
    if data.held_out is not None and data.layout in BUILT:
        raise ArgumentError(f"data.held_out must be null for {data.layout}, split already; got {data.held_out}")
    place = {"objects": images, "digits": digits}.get(data.layout) or named_folder(folders, data.folder)
    return read_dataset(data.layout, place, split, seed=data.seed, held_out=data.held_out)


def some(pictures: Labelled, count: int | None, *, seed: int) -> Labelled:
    """Return so many of the pictures, drawn at random with every class in its share; all of them for None."""
    if count is None or count >= len(pictures):
        return pictures
    return pictures.take(np.sort(balanced_order(pictures.labels, seed=seed)[:count]))


def check_classes(folder: Path, known: list[str], wanted: list[str]) -> None:
    """Check that a model was trained on the data's classes, in their order.

    Args:
        folder: Of the model, for the message.
        known: Its classes.
        wanted: The data's.

    Raises:
        DataError: They differ.
    """
    if len(known) != len(wanted):
        raise DataError(f"{folder} must have the data's {len(wanted)} classes; got {len(known)}; built anew since?")
    for place, (got, name) in enumerate(zip(known, wanted, strict=True)):
        if got != name:
            raise DataError(f"{folder}: class {place} must be the data's {name!r}; got {got!r}; built anew since?")
