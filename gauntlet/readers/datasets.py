"""Classification data sets by name, each with its training, held-out and test split."""

from collections.abc import Callable
from pathlib import Path

from gauntlet.errors import ArgumentError
from gauntlet.readers.cifar import read_cifar10, read_cifar100
from gauntlet.readers.digits import read_digits
from gauntlet.readers.imagenet_folder import read_imagenet
from gauntlet.readers.labelled import Labelled, check_split
from gauntlet.readers.tiny_imagenet import read_tiny_imagenet


def _digits(archive: Path, split: str, *, seed: int, held_out: int | None) -> Labelled:
    return read_digits(archive, split, seed=seed)


def _objects(folder: Path, split: str, *, seed: int, held_out: int | None) -> Labelled:
    from gauntlet.readers.classification import read_images  # needs pandas, which a GPU machine may lack

    images = read_images(folder, split, masks=False)
    return Labelled(images.x, images.labels, images.class_names)


def _carved(read: Callable[..., Labelled]) -> Callable[..., Labelled]:
    def carve(folder: Path, split: str, *, seed: int, held_out: int | None) -> Labelled:
        return read(folder, split, seed=seed, held_out=1000 if held_out is None else held_out)

    return carve


DATASETS: dict[str, Callable[..., Labelled]] = {
    "objects": _objects,
    "digits": _digits,
    "cifar10": _carved(read_cifar10),
    "cifar100": _carved(read_cifar100),
    "tiny_imagenet": _carved(read_tiny_imagenet),
    "imagenet": _carved(read_imagenet),
}


def read_dataset(layout: str, place: Path, split: str, *, seed: int = 0, held_out: int | None = None) -> Labelled:
    """Read one split of a data set; "val" is never part of the test pictures.

    Args:
        layout: A key of `DATASETS`; "objects" is what `objects.images` builds, "imagenet" any train/ and val/ folders.
        place: Its folder; for the digits the tar of the raw stage.
        split: "train", "val" or "test".
        seed: Of the held-out split; all splits must be read with one seed. "objects" brings its own splits.
        held_out: Training pictures that are "val", 1,000 if None; digits (500) and objects bring their own number.

    Returns:
        Pictures in memory, or decoded when asked for where they are files: `tensors()` gives what training takes.

    Raises:
        ArgumentError: An unknown layout or split, or a held-out split that leaves nothing to train on.
        DataError: A file is missing or damaged, or the folder has another layout.
    """
    if layout not in DATASETS:
        raise ArgumentError(f"layout must be one of {', '.join(DATASETS)}; got {layout!r}; misspelt?")
    check_split(split)
    return DATASETS[layout](place, split, seed=seed, held_out=held_out)
