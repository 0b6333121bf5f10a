"""The rows of one section of a COCO JSON, taken out column by column and checked."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from gauntlet.errors import DataError

RLE = re.compile(r"(?:[P-o]*[0-O])+")
"""A compressed run-length code: each number ends in a character without the continuation bit."""


class Rows:
    """A list of JSON objects that knows where it came from, so that an error can name file and row."""

    def __init__(self, path: Path, section: str, rows: list) -> None:
        """Take the rows of `section` in the file `path`; DataError where one is not an object."""
        self.path, self.section, self.rows = path, section, rows
        self.refuse(
            np.array([not isinstance(row, dict) for row in rows], bool),
            lambda i: f"must be an object; got {type(rows[i]).__name__}",
        )

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.rows)

    def refuse(self, wrong: np.ndarray, message: Callable[[int], str]) -> None:
        """Raise DataError for the first row where `wrong` (bool [N]) is set, and say how many more there are."""
        found = np.flatnonzero(wrong)
        if not len(found):
            return
        first, more = int(found[0]), len(found) - 1
        row = self.rows[first]
        name = f" (id {row['id']})" if isinstance(row, dict) and "id" in row else ""
        rest = f"; {more} more such row{'s' * (more > 1)}" if more else ""
        raise DataError(f"{self.path}: {self.section}[{first}]{name}: {message(first)}{rest}")

    def values(self, key: str) -> list:
        """Take one column; DataError where a row does not have it."""
        try:
            return [row[key] for row in self.rows]
        except KeyError:
            missing = np.array([key not in row for row in self.rows], bool)
            self.refuse(
                missing, lambda i: f"must have {key!r}; got {', '.join(sorted(self.rows[i]))} (another format?)"
            )
            raise

    def integers(self, key: str) -> np.ndarray:
        """Take one column of whole numbers, int64 [N]."""
        column = self.values(key)
        wrong = np.array([type(value) is not int or abs(value) >= 2**63 for value in column], bool)
        self.refuse(wrong, lambda i: f"{key} must be a whole number of 64 bits; got {column[i]!r}")
        return np.array(column, np.int64)

    def unique(self, key: str) -> np.ndarray:
        """Take one column of whole numbers of which no two are equal, int64 [N]."""
        column = self.integers(key)
        first = np.zeros(len(column), np.int64)
        if len(column):
            _, first_of_kind, kind = np.unique(column, return_index=True, return_inverse=True)
            first = first_of_kind[kind]
        self.refuse(
            first != np.arange(len(column)),
            lambda i: (
                f"{key} must be unique; {column[i]} stands in {self.section}[{first[i]}] already "
                "(two JSONs joined without new ids?)"
            ),
        )
        return column

    def numbers(self, key: str) -> np.ndarray:
        """Take one column of numbers, float64 [N]; NaN and infinity pass, text does not."""
        column = self.values(key)
        wrong = np.array([type(value) not in (float, int) for value in column], bool)
        self.refuse(wrong, lambda i: f"{key} must be a number; got {column[i]!r}")
        return np.array(column, np.float64)

    def texts(self, key: str) -> list[str]:
        """Take one column of text."""
        column = self.values(key)
        wrong = np.array([type(value) is not str or not value for value in column], bool)
        self.refuse(wrong, lambda i: f"{key} must be text; got {column[i]!r}")
        return column

    def boxes(self) -> np.ndarray:
        """Take the column `bbox`, float64 [N, 4] xywh: four finite numbers, width and height not negative."""
        column = self.values("bbox")
        kinds = {float, int}
        wrong = [type(box) is not list or len(box) != 4 or not kinds.issuperset(map(type, box)) for box in column]
        self.refuse(
            np.array(wrong, bool), lambda i: f"bbox must be four numbers x, y, width, height; got {column[i]!r}"
        )
        boxes = np.array(column, np.float64).reshape(-1, 4)
        self.refuse(
            ~np.isfinite(boxes).all(axis=1), lambda i: f"bbox must be finite; got {column[i]} (a mean of nothing?)"
        )
        self.refuse(
            (boxes[:, 2:] < 0).any(axis=1),
            lambda i: f"bbox must have no negative width or height; got {column[i]} (corners in the wrong order?)",
        )
        return boxes


def check_masks(rows: Rows, sizes: np.ndarray) -> None:
    """Check the annotations' `segmentation`, where there is one: no mask may be empty or of another size.

    Args:
        rows: The annotations.
        sizes: float64 [N, 2], width and height of each annotation's image, px.

    Raises:
        DataError: an empty mask, a polygon of fewer than three points, a run-length code of another image's size.
    """
    column = [row.get("segmentation") for row in rows.rows]
    given = np.array(["segmentation" in row for row in rows.rows], bool)
    rows.refuse(
        given & np.array([not mask for mask in column], bool),
        lambda i: f"the mask must not be empty; got segmentation {column[i]!r} (an object wholly hidden?)",
    )
    polygons = [type(mask) is list and not all(_is_polygon(points) for points in mask) for mask in column]
    rows.refuse(
        np.array(polygons, bool),
        lambda i: f"each polygon must have three points or more, as x, y, x, y, ...; got {str(column[i])[:60]}",
    )
    coded = np.array([i for i, mask in enumerate(column) if mask and type(mask) is not list], np.int64)
    wrong = np.zeros(len(rows), bool)
    wrong[coded] = [not _is_code(column[i]) for i in coded]
    rows.refuse(
        wrong, lambda i: f"segmentation must be polygons or a run-length code (size, counts); got {str(column[i])[:60]}"
    )
    wrong[coded] = [column[i]["size"] != [sizes[i, 1], sizes[i, 0]] for i in coded]
    rows.refuse(
        wrong,
        lambda i: (
            f"the mask's size (height, width) must be its image's, {sizes[i, 1]:g} x {sizes[i, 0]:g} px; got "
            f"{column[i]['size']} (width and height swapped?)"
        ),
    )
    wrong[coded] = _code_areas([column[i] for i in coded]) == 0
    rows.refuse(wrong, lambda i: "the mask must not be empty; it covers 0 px (an object wholly hidden?)")


def _is_polygon(points: object) -> bool:
    return (
        type(points) is list
        and len(points) >= 6
        and len(points) % 2 == 0
        and {float, int}.issuperset(map(type, points))
        and bool(np.isfinite(points).all())
    )


def _is_code(mask: object) -> bool:
    if type(mask) is not dict or type(mask.get("size")) is not list or len(mask["size"]) != 2:
        return False
    counts = mask.get("counts")
    if type(counts) is str:
        return RLE.fullmatch(counts) is not None
    return type(counts) is list and all(type(run) is int and run >= 0 for run in counts)


def _code_areas(codes: list[dict]) -> np.ndarray:
    """Count each mask's pixels, float64 [N]; in an uncompressed code every second run is set."""
    from pycocotools import mask as rle

    packed = [code for code in codes if type(code["counts"]) is str]
    # pycocotools 2.0.11 with numpy 2 counts the masks of one call in eight bits.
    areas = (area for i in range(0, len(packed), 255) for area in rle.area(packed[i : i + 255]).tolist())
    return np.array(
        [next(areas) if type(code["counts"]) is str else sum(code["counts"][1::2]) for code in codes], float
    )
