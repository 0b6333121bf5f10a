"""Read ImageNet-E: the settings built here, and the authors' folders."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from gauntlet.errors import DataError, UnavailableError
from gauntlet.readers.objects import decode, shard_members

ORIGINAL = "original"
SUFFIXES = (".jpeg", ".jpg", ".png")


def read_backdrops(folder: Path, keys: list[str]) -> np.ndarray:
    """Read the pictures without their objects that `imagenet_e.build` leaves: uint8 NHWC, in the order of `keys`.

    Raises:
        DataError: One is missing or truncated.
    """
    found = {
        name.removesuffix(".png"): decode(data, where=f"{folder}: {name}")
        for name, data in shard_members(folder, "backdrop-*.tar")
    }
    if lost := [key for key in keys if key not in found]:
        raise DataError(f"{folder}/backdrop-*.tar must hold every key; {lost[0]}.png is missing; a partial pull?")
    return np.stack([found[key] for key in keys])


def read_edits(folder: Path, setting: str) -> pd.DataFrame:
    """Read what the manifest of `imagenet_e.build` says of the usable pictures of one setting, by key.

    Raises:
        DataError: The manifest is missing or damaged.
    """
    path = folder / "manifest.parquet"
    try:
        rows = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} must be a whole Parquet file; {error}; an interrupted copy?") from None
    return rows[(rows["setting"] == setting) & rows["usable"].astype(bool)].set_index("key")


@dataclass(frozen=True)
class OfficialImage:
    """One picture of the authors' folders.

    Attributes:
        key: Name of the validation picture, ILSVRC2012_val_XXXXXXXX.
        label: Index of its wnid among the 1,000 sorted ones.
        path: The file.
    """

    key: str
    label: int
    path: Path

    def open(self) -> np.ndarray:
        """Decode the picture: uint8 HWC; grey and CMYK become RGB.

        Raises:
            DataError: It is truncated.
        """
        return decode(self.path.read_bytes(), where=str(self.path))


@dataclass(frozen=True)
class OfficialSet:
    """Pictures by setting, "original" among them, in one order of keys; `left_out` are not in every setting."""

    images: dict[str, list[OfficialImage]]
    left_out: list[str]


def imagenet_wnids() -> list[str]:
    """Return the 1,000 wnids in the order of the usual models' classes.

    Raises:
        UnavailableError: timm, which holds the list, is not installed.
    """
    package = find_spec("timm")  # its list is read without the import, which takes seconds
    path = Path(package.origin).parent / "data" / "_info" / "imagenet_synsets.txt" if package else None
    if path is None or not path.exists():
        raise UnavailableError("ImageNet's list of classes comes with timm; install the extra `vision`")
    return path.read_text().split()


def read_official(folder: Path, *, settings: Mapping[str, str], wnids: list[str]) -> OfficialSet:
    """List the pictures that every setting has.

    Args:
        folder: The unpacked data set.
        settings: Sub-folder of each setting by slug, and of the originals as "original"; in each
            `<wnid>/ILSVRC2012_val_XXXXXXXX.JPEG` (or .jpg, .png).
        wnids: Every class, in the order of the model's outputs.

    Raises:
        DataError: "original" or a sub-folder is missing, a class is unknown, a key comes twice, or no picture is in
            all settings.
    """
    if ORIGINAL not in settings:
        raise DataError(f"the map of settings must name the folder of the originals; got {', '.join(settings)}")
    labels = {wnid: place for place, wnid in enumerate(wnids)}
    found = {setting: _list(folder / place, labels) for setting, place in settings.items()}
    shared = set.intersection(*(set(images) for images in found.values()))
    if not shared:
        raise DataError(f"{folder}: some picture must be in all of {', '.join(settings.values())}; other file names?")
    _agree(folder, found, shared)
    return OfficialSet(
        images={setting: [images[key] for key in sorted(shared)] for setting, images in found.items()},
        left_out=sorted(set.union(*(set(images) for images in found.values())) - shared),
    )


def _list(folder: Path, labels: Mapping[str, int]) -> dict[str, OfficialImage]:
    if not folder.is_dir():
        raise DataError(f"{folder} must be a folder of wnid folders; it is not there; misspelt in the map of settings?")
    images: dict[str, OfficialImage] = {}
    for place in sorted(entry for entry in folder.iterdir() if entry.is_dir()):
        if place.name not in labels:
            raise DataError(f"{place}: must be named by a wnid such as n01440764; one level too high or too low?")
        for path in sorted(place.iterdir()):
            if path.suffix.lower() in SUFFIXES:
                if path.stem in images:
                    raise DataError(f"{path}: a key must come once; {images[path.stem].path} has it too")
                images[path.stem] = OfficialImage(path.stem, labels[place.name], path)
    return images


def _agree(folder: Path, found: Mapping[str, Mapping[str, OfficialImage]], shared: set[str]) -> None:
    for setting, images in found.items():
        for key in shared:
            if images[key].label != found[ORIGINAL][key].label:
                raise DataError(
                    f"{folder}: {key} must have one class; in {setting} it lies in {images[key].path.parent}"
                )
