"""Read the cut-outs and backgrounds that `objects.build` and `objects.backgrounds` write."""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from gauntlet.errors import DataError
from gauntlet.readers.archives import Member, members


@dataclass(frozen=True)
class CutOut:
    """One object with its exact mask.

    Attributes:
        key: Unique name, such as "openmoji-color-1F418".
        category: The thing it shows (COCO's name where one fits).
        coarse: The thing's coarse class.
        style: "photo", "render" (3-D), "flat" or "outline".
        source: The package it comes from.
        licence: Licence of that package.
        split: "train", "val" or "test", by instance.
        split_category: The harder split, which holds whole categories out.
        rgba: uint8, H x W x 4; alpha is the mask.
    """

    key: str
    category: str
    coarse: str
    style: str
    source: str
    licence: str
    split: str
    split_category: str
    rgba: np.ndarray


def shard_members(folder: Path, pattern: str) -> Iterator[Member]:
    """Yield name and bytes of every member of the tar shards that match `pattern`, in order.

    Raises:
        DataError: There is no such shard, or one is truncated.
    """
    shards = sorted(folder.glob(pattern))
    if not shards:
        raise DataError(f"{folder} must hold shards {pattern}; found none; wrong folder or an unfinished build?")
    for shard in shards:
        yield from members(shard)


def decode(data: bytes, *, where: str, mode: str = "RGB") -> np.ndarray:
    """Decode a PNG or JPEG to a uint8 array.

    Args:
        data: The encoded image.
        where: File and record, for the error.
        mode: Pillow's name of the channels: "RGB", "RGBA" or "L".

    Raises:
        DataError: The image is truncated or no image at all.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert(mode))
    except (OSError, SyntaxError, ValueError, EOFError, zlib.error, struct.error) as error:
        raise DataError(f"{where} must be a whole image; {error}; truncated, or not an image?") from None


def read_objects(folder: Path) -> list[CutOut]:
    """Read all cut-outs, in the order of the manifest.

    Raises:
        DataError: The manifest is missing or names a cut-out that no shard holds.
    """
    manifest = read_manifest(folder)
    pictures = {
        name.removesuffix(".png"): decode(data, where=f"{folder}: {name}", mode="RGBA")
        for name, data in shard_members(folder / "shards", "objects-*.tar")
        if name.endswith(".png")
    }
    if lost := [key for key in manifest["key"] if key not in pictures]:
        raise DataError(f"{folder}/shards must hold every key of the manifest; {lost[0]} is missing; a partial pull?")
    fields = ["key", "category", "coarse", "style", "source", "licence", "split", "split_category"]
    if (twice := manifest["key"].duplicated()).any():
        raise DataError(f"{folder}/manifest.parquet: each key must stand once; {manifest[twice].key.iloc[0]} does not")
    if lacking := [name for name in fields if name not in manifest]:
        raise DataError(f"{folder}/manifest.parquet must have a column {lacking[0]}; an older or another dataset?")
    return [CutOut(**row, rgba=pictures[row["key"]]) for row in manifest[fields].to_dict("records")]


def read_manifest(folder: Path) -> pd.DataFrame:
    """Read a dataset's manifest.parquet.

    Raises:
        DataError: It is missing, no Parquet, or has no keys.
    """
    path = folder / "manifest.parquet"
    if not path.exists():
        raise DataError(f"{path} must exist; wrong folder or an unfinished build?")
    try:
        manifest = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} must be a whole Parquet file; {error}; an interrupted copy?") from None
    if "key" not in manifest:
        raise DataError(f"{path} must have a column key; got {', '.join(manifest)}; another dataset?")
    return manifest


def read_backgrounds(folder: Path, split: str) -> list[np.ndarray]:
    """Read the background crops of one split as uint8 H x W x 3 arrays, in order.

    Raises:
        DataError: A shard or crop is truncated, or there are none.
    """
    found = [
        decode(data, where=f"{folder}: {name}") for name, data in shard_members(folder / "shards", f"{split}-*.tar")
    ]
    if not found:
        raise DataError(f"{folder} must hold backgrounds of the split {split}; it has none; too few wallpapers?")
    return found
