"""What `coco_o.build` shifts, and what it shifts with: pictures and their annotations, drawings, backgrounds."""

import json
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from pycocotools import mask as rle

from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.coco import CocoSet, read_coco
from gauntlet.readers.objects import CutOut, read_backgrounds, read_manifest
from gauntlet.shifts.arguments import SMALLEST_SIDE_PX
from gauntlet.shifts.drawings import closed

HOMONYMS = frozenset({("mouse", "electronic")})
"""Name and supercategory of COCO categories that share their name with a cut-out of another thing."""


@dataclass(frozen=True)
class Picture:
    """One image to shift.

    Attributes:
        index: Its place in the split.
        pixels: uint8 HW3.
        annotations: COCO records with their ids; boxes checked.
        names: Category name of each annotation.
        masks: bool HW, one an annotation; None where some annotation has only a box.
    """

    index: int
    pixels: np.ndarray
    annotations: list[dict]
    names: list[str]
    masks: list[np.ndarray] | None

    def back_to_front(self) -> list[np.ndarray] | None:
        """Return the masks ordered by where their boxes stand, the farthest first; None without masks."""
        if self.masks is None:
            return None
        feet = [record["bbox"][1] + record["bbox"][3] for record in self.annotations]
        return [self.masks[index] for index in np.argsort(feet, kind="stable")]


@dataclass(frozen=True)
class Source:
    """The first images of a split in COCO's format, unopened.

    Attributes:
        data: The checked split.
        records: COCO image records, file names ending in .jpg as COCO-O's do.
        annotations: Annotations by image; a box without size is left out.
        categories: COCO category records.
        unsized: How many boxes without size were left out.
    """

    data: CocoSet
    records: list[dict]
    annotations: list[list[dict]]
    categories: list[dict]
    unsized: int

    def __len__(self) -> int:
        """Count the images."""
        return len(self.records)

    def picture(self, index: int) -> Picture:
        """Open one image and unpack its masks."""
        image, records = self.data.images[index], self.annotations[index]
        names = [self.data.truth.categories[record["category_id"]] for record in records]
        coded = [_mask(record["segmentation"], image.height, image.width) for record in records if _has_mask(record)]
        return Picture(index, image.open(), records, names, coded if len(coded) == len(records) else None)


def read_source(
    folder: Path, *, split: str, outside: Literal["error", "clip"], images: int | None, licences: dict[str, str]
) -> Source:
    """Read and check a split; `licences` by cut-out are added to the annotations that name theirs.

    Raises:
        DataError: a bad record, an image too small to shift, two file names that differ in their suffix only.
    """
    data = read_coco(folder, split=split, outside=outside)
    content = json.loads(data.path.read_bytes())
    records = [
        {**record, "file_name": str(PurePosixPath(record["file_name"]).with_suffix(".jpg"))}
        for record in content["images"][:images]
    ]
    _check_images(data, records)
    sized = (data.truth.boxes_xywh[:, 2:] > 0).all(axis=1)
    found: dict[int, list[dict]] = {record["id"]: [] for record in records}
    for record, box, usable in zip(content["annotations"], data.truth.boxes_xywh.tolist(), sized, strict=True):
        if usable and record["image_id"] in found:
            licence = {"licence": licences[record["object"]]} if record.get("object") in licences else {}
            found[record["image_id"]].append({**record, "bbox": box, **licence})
    return Source(data, records, list(found.values()), content["categories"], int((~sized).sum()))


def _check_images(data: CocoSet, records: Sequence[dict]) -> None:
    if not records:
        raise DataError(f"{data.path}: must hold images; got none (an empty split?)")
    names: set[str] = set()
    for record in records:
        if min(record["width"], record["height"]) < SMALLEST_SIDE_PX:
            raise DataError(
                f"{data.path}: both sides of an image must be at least {SMALLEST_SIDE_PX} px; image id "
                f"{record['id']} is {record['width']} x {record['height']} (thumbnails?)"
            )
        if record["file_name"] in names:
            raise DataError(
                f"{data.path}: file names must differ in more than their suffix, all become .jpg; "
                f"{record['file_name']} comes twice (an image in two formats?)"
            )
        names.add(record["file_name"])


def _has_mask(record: dict) -> bool:
    return bool(record.get("segmentation"))


def _mask(code: dict | list, height: int, width: int) -> np.ndarray:
    """Unpack polygons or a run-length code to a bool HW mask."""
    if isinstance(code, list):
        code = rle.merge(rle.frPyObjects(code, height, width))
    elif isinstance(code["counts"], list):
        code = rle.frPyObjects(code, height, width)
    with warnings.catch_warnings():  # pycocotools 2.0.11 hands numpy 2 an array without `copy`
        warnings.simplefilter("ignore", DeprecationWarning)
        return rle.decode(code).astype(bool)


@dataclass(frozen=True)
class Background:
    """A background crop (uint8 HW3) with its key and licence."""

    key: str
    licence: str
    pixels: np.ndarray


def backdrops(folder: Path, split: str) -> list[Background]:
    """Read the background crops of one split.

    Raises:
        DataError: the manifest and the shard disagree, or the split is empty.
    """
    manifest = read_manifest(folder)
    rows = manifest[manifest["split"] == split]
    if not len(rows):
        raise DataError(f"{folder}: the manifest must list backgrounds of split {split!r}; got none; misspelt?")
    crops = read_backgrounds(folder, split)
    if len(crops) != len(rows):
        raise DataError(f"{folder}: {split} must hold {len(rows)} backgrounds; got {len(crops)}; a partial pull?")
    return [
        Background(key, licence, pixels)
        for key, licence, pixels in zip(rows["key"], rows["licence"], crops, strict=True)
    ]


def drawings(
    cutouts: Sequence[CutOut], *, sources: Collection[str], style: str, categories: Sequence[dict]
) -> dict[str, list[CutOut]]:
    """Sort the drawings of a style by category name: a named thing, or a whole coarse class. Not all have some.

    Outline drawings come back closed, so that one in front hides what is behind it.

    Raises:
        ArgumentError: no cut-out is of this source and style.
    """
    drawn = [cutout for cutout in cutouts if cutout.source in sources and cutout.style == style]
    if not drawn:
        raise ArgumentError(
            f"drawn must name sources that have cut-outs of its style; {', '.join(sources)} has none in {style}; "
            "misspelt?"
        )
    if style == "outline":
        drawn = [replace(cutout, rgba=closed(cutout.rgba)) for cutout in drawn]
    meant = [each["name"] for each in categories if (each["name"], each.get("supercategory")) not in HOMONYMS]
    by_name = {name: [cutout for cutout in drawn if name in (cutout.category, cutout.coarse)] for name in meant}
    return {name: found for name, found in by_name.items() if found}


def refuse_seen(drawn: Sequence[CutOut], scenes: Path) -> None:
    """Hold the drawn domains to cut-outs that the scenes' training split does not show.

    Raises:
        ArgumentError: one of them was trained on.
        DataError: the training split's annotations are missing.
    """
    data = read_coco(scenes, split="train2017")
    seen = {record.get("object") for record in json.loads(data.path.read_bytes())["annotations"]}
    if known := [cutout for cutout in drawn if cutout.key in seen]:
        raise ArgumentError(
            f"drawn must name sources that no detector has learned from; {known[0].key} of {known[0].source} stands "
            f"in {data.path}; is {known[0].source} one of objects.scenes' sources too?"
        )
