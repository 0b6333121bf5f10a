"""Boxes as columns: what the detection readers give, the detectors find and the metrics compare.

A column of numbers for each field, because a detection benchmark has a hundred thousand boxes. Ids are those of the
COCO JSON that the boxes come from; boxes in files are `xywh` as COCO writes them, boxes of detectors `xyxy`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gauntlet.errors import DataError


@dataclass(frozen=True)
class Truth:
    """The annotated boxes of N objects in I images.

    Attributes:
        image_ids: int64 [I], every image of the set, those without a box too.
        categories: Name of each category id.
        image_id: int64 [N].
        category_id: int64 [N].
        boxes_xywh: float64 [N, 4], left, top, width, height in px.
        area: float64 [N], px; the mask's where there is one: it decides small, medium or large.
        crowd: bool [N], a region of many objects that is never counted as missed.
    """

    image_ids: np.ndarray
    categories: Mapping[int, str]
    image_id: np.ndarray
    category_id: np.ndarray
    boxes_xywh: np.ndarray
    area: np.ndarray
    crowd: np.ndarray

    def __len__(self) -> int:
        """Count the boxes."""
        return len(self.image_id)

    def count(self, category: str) -> int:
        """Count the boxes of a category, by its name."""
        ids = [i for i, name in self.categories.items() if name == category]
        return int(np.isin(self.category_id, ids).sum())

    def without(self, categories: Collection[str]) -> "Truth":
        """Leave some categories, by name, and their boxes out; the images stay."""
        names = {i: name for i, name in self.categories.items() if name not in categories}
        kept = np.isin(self.category_id, list(names))
        columns = (self.image_id, self.category_id, self.boxes_xywh, self.area, self.crowd)
        return Truth(self.image_ids, names, *(column[kept] for column in columns))


@dataclass(frozen=True)
class Results:
    """N found boxes, as COCO's results format has them.

    Attributes:
        image_id: int64 [N].
        category_id: int64 [N].
        boxes_xywh: float64 [N, 4], px.
        scores: float64 [N], higher is surer; only their order counts.
    """

    image_id: np.ndarray
    category_id: np.ndarray
    boxes_xywh: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        """Count the boxes."""
        return len(self.image_id)


@dataclass(frozen=True)
class Detections:
    """What a detector finds in one image: `boxes_xyxy` float64 [N, 4] px, `scores` float64 [N], `labels` int64 [N]."""

    boxes_xyxy: np.ndarray
    scores: np.ndarray
    labels: np.ndarray


def as_results(
    detections: Sequence[Detections], *, image_ids: Sequence[int], category_ids: Sequence[int | None]
) -> Results:
    """Give a detector's findings the ids of a data set.

    Args:
        detections: One for each image.
        image_ids: The images, in the same order.
        category_ids: The data set's category id for label 1, 2, ...; None where it does not have that class: such
            detections are left out, they can be neither right nor wrong there; so is label 0, the background.

    Raises:
        DataError: a label lies outside 0..len(category_ids).
    """
    image_id = np.repeat(np.asarray(image_ids, np.int64), [len(found.scores) for found in detections])
    labels = _join([found.labels for found in detections], np.int64)
    wrong = np.flatnonzero((labels < 0) | (labels > len(category_ids)))
    if len(wrong):
        raise DataError(
            f"the detector's labels must lie in 1..{len(category_ids)} (its classes; 0 is background); got "
            f"{labels[wrong[0]]} in image {image_id[wrong[0]]} (COCO's sparse ids for 1..K?)"
        )
    known = np.array([-1 if i is None else i for i in (None, *category_ids)], np.int64)[labels]
    boxes = _join([found.boxes_xyxy.reshape(-1, 4) for found in detections], np.float64).reshape(-1, 4)
    boxes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    kept = np.array([i is not None for i in (None, *category_ids)], bool)[labels]
    scores = _join([found.scores for found in detections], np.float64)
    return Results(image_id[kept], known[kept], boxes[kept], scores[kept])


def _join(arrays: Sequence[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate([np.zeros_like(arrays[0][:0]), *arrays]).astype(dtype) if len(arrays) else np.zeros(0, dtype)
