"""Read data sets and detections in COCO's format, every record checked before it is used.

A mistake in a file costs hours when it comes out as a strange number, so each becomes one line that names the file,
the row and the likely slip. The checks are made on columns: for a hundred thousand annotations they take less time
than the parsing of the JSON.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from PIL import Image

from gauntlet.boxes import Results, Truth
from gauntlet.errors import DataError
from gauntlet.readers.coco_rows import Rows, check_masks

DOMAINS = ("sketch", "weather", "cartoon", "painting", "tattoo", "handmake")
"""COCO-O's domains as its folders spell them."""
TOLERANCE_PX = 1.0
"""How far a box may reach over its image's edge: annotators' rounding, not a mistake."""


@dataclass(frozen=True)
class ImageRecord:
    """One image of a set: its id, where it lies, and the size that the JSON states (px)."""

    id: int
    path: Path
    width: int
    height: int

    def open(self) -> np.ndarray:
        """Return the pixels, uint8 [H, W, 3] RGB.

        Raises:
            DataError: the file cannot be decoded to its end, or has another size than the JSON says.
        """
        try:
            with Image.open(self.path) as image:
                pixels = np.asarray(image.convert("RGB"))
        except (OSError, SyntaxError, ValueError) as error:
            slip = "a broken download or copy?"
            raise DataError(f"{self.path}: must be a whole image; {error} (image id {self.id}; {slip})") from error
        if pixels.shape[:2] != (self.height, self.width):
            height, width = pixels.shape[:2]
            raise DataError(
                f"{self.path}: must be {self.width} x {self.height} px as the JSON says (image id {self.id}); "
                f"got {width} x {height} (resized or turned after the boxes were drawn?)"
            )
        return pixels


@dataclass(frozen=True)
class CocoSet:
    """One split of a data set in COCO's format: its images, unopened, and its checked boxes.

    Attributes:
        path: The instances JSON.
        images: In the order of the JSON.
        truth: The annotations.
        mended: How many boxes were changed or tolerated, by reason; all 0 in strict reading.
    """

    path: Path
    images: tuple[ImageRecord, ...]
    truth: Truth
    mended: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        """Count the images."""
        return len(self.images)


def read_coco_o(
    folder: Path, *, domains: Sequence[str] = DOMAINS, outside: Literal["error", "clip"] = "error"
) -> dict[str, CocoSet]:
    """Read COCO-O: `<folder>/<domain>/{val2017,annotations/instances_val2017.json}` for each domain.

    Image ids restart in each domain, so the domains stay apart.

    Source: COCO-O (arXiv 2307.12730), layout of the authors' README.
    """
    missing = [name for name in domains if not (folder / name).is_dir()]
    if missing:
        inner = next((f for f in sorted(folder.glob("*/")) if (f / domains[0]).is_dir()), None)
        if (folder / "annotations").is_dir():
            hint = f"this looks like one domain: name {folder.parent}"
        elif inner:
            hint = f"one level too high: name {inner}"
        else:
            hint = "the folders are called sketch, ..., handmake; not ood_sketch, not handmade"
        raise DataError(f"{folder}: must hold a folder for each domain; {', '.join(missing)} missing ({hint})")
    return {name: read_coco(folder / name, outside=outside) for name in domains}


def read_coco(folder: Path, *, split: str = "val2017", outside: Literal["error", "clip"] = "error") -> CocoSet:
    """Read one split: `<folder>/<split>/*` and `<folder>/annotations/instances_<split>.json`.

    Args:
        folder: The data set's root.
        split: Such as "val2017".
        outside: What becomes of a box that reaches more than 1 px out of its image, and of a box without width or
            height (the official COCO files have a few): "error" refuses both; "clip" cuts the former at the edge,
            lets the latter pass as pycocotools does, and counts them in `mended`.

    Raises:
        DataError: a file is missing, or a record is not as COCO's format has it.
    """
    path = folder / "annotations" / f"instances_{split}.json"
    content = _parse(path)
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in _SECTIONS):
        slip = "a results file in place of the ground truth?" if isinstance(content, list) else "another format?"
        raise DataError(f"{path}: must be an object with the lists images, annotations, categories ({slip})")
    categories = Rows(path, "categories", content["categories"])
    names = _categories(categories)
    images = _images(Rows(path, "images", content["images"]), folder / split)
    annotations = Rows(path, "annotations", content["annotations"])
    truth, mended = _annotations(annotations, images, names, outside=outside)
    return CocoSet(path, images, truth, mended)


def read_results(path: Path, truth: Truth) -> Results:
    """Read detections made by any framework: COCO's results JSON, `[{image_id, category_id, bbox, score}, ...]`.

    Args:
        path: The JSON; `bbox` is x, y, width, height in px.
        truth: The set that the detections are of.

    Raises:
        DataError: an unknown image or category id, a box or score that is not finite, a negative size.
    """
    content = _parse(path)
    if not isinstance(content, list):
        slip = "an instances file?" if isinstance(content, dict) and "annotations" in content else "wrapped in a dict?"
        raise DataError(f"{path}: must be a list of detections; got {type(content).__name__} ({slip})")
    rows = Rows(path, "detection", content)
    image_id, category_id = rows.integers("image_id"), rows.integers("category_id")
    rows.refuse(
        ~np.isin(image_id, truth.image_ids),
        lambda i: f"image_id must be one of the set's; got {image_id[i]} (detections of another split or domain?)",
    )
    _known_category(rows, category_id, truth.categories)
    boxes, scores = rows.boxes(), rows.numbers("score")
    rows.refuse(~np.isfinite(scores), lambda i: f"score must be finite; got {scores[i]} (a diverged model?)")
    return Results(image_id, category_id, boxes, scores)


_SECTIONS = ("images", "annotations", "categories")


def _parse(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        slip = f"is {path.parent} the right folder?" if path.parent.is_dir() else f"no folder {path.parent}"
        raise DataError(f"{path}: must exist ({slip})") from error
    except ValueError as error:
        raise DataError(f"{path}: must be JSON; {error} (a broken download or an unfinished write?)") from error


def _categories(rows: Rows) -> dict[int, str]:
    ids, names = rows.unique("id").tolist(), rows.texts("name")
    again = {name: i for i, name in reversed(list(enumerate(names)))}
    rows.refuse(
        np.array([again[name] != i for i, name in enumerate(names)], bool),
        lambda i: (
            f"name must be unique, classes are matched by it; {names[i]!r} stands in categories[{again[names[i]]}]"
        ),
    )
    return dict(zip(ids, names, strict=True))


def _images(rows: Rows, folder: Path) -> tuple[ImageRecord, ...]:
    ids, names = rows.unique("id"), rows.texts("file_name")
    widths, heights = rows.integers("width"), rows.integers("height")
    rows.refuse(
        (widths < 1) | (heights < 1), lambda i: f"width and height must be positive; got {widths[i]}, {heights[i]}"
    )
    rows.refuse(
        np.array([".." in PurePosixPath(name).parts or name.startswith("/") for name in names], bool),
        lambda i: f"file_name must stay inside {folder}; got {names[i]!r}",
    )
    here = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    rows.refuse(
        np.array([name not in here and not (folder / name).is_file() for name in names], bool),
        lambda i: f"{folder / names[i]} must exist (an unfinished copy, or another split's JSON?)",
    )
    sizes = zip(ids.tolist(), names, widths.tolist(), heights.tolist(), strict=True)
    return tuple(ImageRecord(i, folder / name, width, height) for i, name, width, height in sizes)


def _annotations(
    rows: Rows, images: tuple[ImageRecord, ...], names: dict[int, str], *, outside: str
) -> tuple[Truth, dict[str, int]]:
    rows.unique("id")
    image_id, category_id = rows.integers("image_id"), rows.integers("category_id")
    ids = np.array([image.id for image in images], np.int64)
    sizes = np.array([(image.width, image.height) for image in images], np.float64).reshape(-1, 2)
    rows.refuse(
        ~np.isin(image_id, ids), lambda i: f"image_id must stand in images; got {image_id[i]} (two JSONs mixed up?)"
    )
    _known_category(rows, category_id, names)
    order = np.argsort(ids)
    limits = sizes[order[np.searchsorted(ids, image_id, sorter=order)]] if len(rows) else sizes[:0]
    boxes, mended = _fit(rows, rows.boxes(), limits, outside=outside)
    area, crowd = rows.numbers("area"), rows.integers("iscrowd")
    rows.refuse(~(np.isfinite(area) & (area >= 0)), lambda i: f"area must be finite and not negative; got {area[i]}")
    rows.refuse((crowd != 0) & (crowd != 1), lambda i: f"iscrowd must be 0 or 1; got {crowd[i]}")
    check_masks(rows, limits)
    return Truth(ids, names, image_id, category_id, boxes, area, crowd.astype(bool)), mended


def _known_category(rows: Rows, category_id: np.ndarray, names: Sequence[int] | dict[int, str]) -> None:
    rows.refuse(
        ~np.isin(category_id, list(names)),
        lambda i: (
            f"category_id must stand in categories; got {category_id[i]} "
            "(labels 0..K-1 for COCO's own ids, or a category lost from the JSON?)"
        ),
    )


def _fit(rows: Rows, boxes: np.ndarray, limits: np.ndarray, *, outside: str) -> tuple[np.ndarray, dict[str, int]]:
    """Hold boxes (xywh) to their images' sizes (width, height), as `read_coco` says."""
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    flat = (boxes[:, 2:] == 0).any(axis=1)
    over = ((low < -TOLERANCE_PX) | (high > limits + TOLERANCE_PX)).any(axis=1)
    lost = ((high <= 0) | (low >= limits)).any(axis=1) & ~flat
    slip = "xyxy written for xywh, or an image resized after its boxes were drawn?"
    rows.refuse(
        over if outside == "error" else lost,
        lambda i: (
            f"the box must lie in its image of {limits[i, 0]:g} x {limits[i, 1]:g} px (1 px over is borne); got "
            f"x {boxes[i, 0]:g}, y {boxes[i, 1]:g}, width {boxes[i, 2]:g}, height {boxes[i, 3]:g} ({slip})"
        ),
    )
    if outside == "error":
        rows.refuse(flat, lambda i: f"the box must have a width and a height; got {boxes[i, 2]:g} x {boxes[i, 3]:g}")
        return boxes, {"clipped": 0, "without_size": 0}
    cut_low, cut_high = np.clip(low, 0, limits), np.clip(high, 0, limits)
    clipped = np.where(over[:, None], np.concatenate([cut_low, cut_high - cut_low], axis=1), boxes)
    return clipped, {"clipped": int(over.sum()), "without_size": int(flat.sum())}
