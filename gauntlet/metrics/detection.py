"""Average precision of detections, and how far it moves when the images are drawn anew.

pycocotools matches detections to objects and gives the numbers. The bootstrap keeps those matches: a resample only
weights each image by how often it was drawn, so that precision and recall of all resamples are cumulative sums of
weights, taken side by side. With weights of one it gives pycocotools' own precision, bit for bit.
"""

import contextlib
import io
from dataclasses import dataclass

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval, Params

from gauntlet.boxes import Results, Truth
from gauntlet.errors import ArgumentError

SUMMARIES = {
    "ap": ("all", None),
    "ap50": ("all", 0.5),
    "ap75": ("all", 0.75),
    "ap_small": ("small", None),
    "ap_medium": ("medium", None),
    "ap_large": ("large", None),
}
"""Each number by its range of areas and its IoU threshold (None: the mean over 0.50, 0.55, ..., 0.95)."""
MOST_DETECTIONS = 100
"""The best-scored detections of a category that count in an image, as in COCO's own protocol."""
RECALLS = Params(iouType="bbox").recThrs
"""Where precision is read: 0, 0.01, ..., 1."""


@dataclass(frozen=True)
class AveragePrecision:
    """COCO's box AP: rates in [0, 1], None where the set has no object of that kind.

    Attributes:
        ap: Mean over IoU 0.50:0.05:0.95, over recall 0:0.01:1 and over categories.
        ap50: At IoU 0.50; `ap75` at 0.75; `ap_small`, `ap_medium`, `ap_large` by area (32 and 96 px squared).
        by_category: `ap` of each category.
        images: How many images were judged.
        boxes: How many objects they hold, crowds left out.
    """

    ap: float | None
    ap50: float | None
    ap75: float | None
    ap_small: float | None
    ap_medium: float | None
    ap_large: float | None
    by_category: dict[str, float | None]
    images: int
    boxes: int


@dataclass(frozen=True)
class Resampled:
    """The same numbers on R bootstrap resamples: float64 [R] each, NaN where a resample has no such object."""

    ap: np.ndarray
    ap50: np.ndarray
    ap75: np.ndarray
    ap_small: np.ndarray
    ap_medium: np.ndarray
    ap_large: np.ndarray


@dataclass(frozen=True)
class Matches:
    """The D detections of one category in one range of areas, by falling score, of those that count at some IoU.

    Attributes:
        image: int64 [D], index of the image.
        hit: bool [T, D], matched to an object at IoU threshold t.
        counted: bool [T, D], neither matched to an object out of the range nor itself unmatched and out of it.
        objects: int64 [I], objects to be found in each image.
    """

    image: np.ndarray
    hit: np.ndarray
    counted: np.ndarray
    objects: np.ndarray


def average_precision(truth: Truth, results: Results) -> AveragePrecision:
    """Compute COCO's box AP with pycocotools, on all images of `truth`.

    >>> one = np.array([1])
    >>> boxes = np.array([[0.0, 0.0, 10.0, 10.0]])
    >>> truth = Truth(one, {1: "bus"}, one, one, boxes, np.array([100.0]), np.array([False]))
    >>> round(average_precision(truth, Results(one, one, boxes, np.array([0.9]))).ap, 6)
    1.0
    """
    return Evaluation(truth, results).score()


class Evaluation:
    """One comparison of detections with the truth: matched once, then scored and resampled at will."""

    def __init__(self, truth: Truth, results: Results) -> None:
        """Match `results` to `truth` at ten IoU thresholds and in four ranges of areas."""
        self.truth = truth
        with contextlib.redirect_stdout(io.StringIO()):
            self.coco = _evaluate(truth, results)
        areas, images = len(self.coco.params.areaRng), len(self.coco.params.imgIds)
        cells = [self.coco.evalImgs[i : i + images] for i in range(0, len(self.coco.evalImgs), max(images, 1))]
        self.matches = [[_matches(cells[k * areas + a]) for a in range(areas)] for k in range(len(truth.categories))]

    def score(self) -> AveragePrecision:
        """Return pycocotools' own numbers."""
        with contextlib.redirect_stdout(io.StringIO()):
            self.coco.accumulate()
        precision = self.coco.eval["precision"][..., 0]
        names = [self.truth.categories[int(i)] for i in self.coco.params.catIds]
        places = {name: self._where(name) for name in SUMMARIES}
        return AveragePrecision(
            **{name: _mean(precision[thresholds, :, :, area]) for name, (area, thresholds) in places.items()},
            by_category={name: _mean(precision[:, :, k, 0]) for k, name in enumerate(names)},
            images=len(self.truth.image_ids),
            boxes=int((~self.truth.crowd).sum()),
        )

    def resample(self, resamples: int, *, generator: np.random.Generator) -> Resampled:
        """Draw the images anew with replacement, `resamples` times, and score each draw.

        A category without an object in a draw is left out of that draw's mean, as pycocotools does.

        Raises:
            ArgumentError: fewer than one resample, or nothing to draw from.
        """
        images = len(self.truth.image_ids)
        if resamples < 1 or not images or not self.matches:
            raise ArgumentError(
                f"a bootstrap needs resamples, images and categories, one at least of each; got {resamples}, {images} "
                f"and {len(self.matches)}"
            )
        weights = generator.multinomial(images, np.full(images, 1 / images), size=resamples)
        return self.weighted(weights)

    def weighted(self, weights: np.ndarray) -> Resampled:
        """Score with each image counted as often as its weight says.

        Args:
            weights: int [R, I], for each of R draws and each image, by ascending id.
        """
        means = np.array([[accumulate(cell, weights).mean(axis=1) for cell in row] for row in self.matches])
        return Resampled(**{name: self._summary(means, name) for name in SUMMARIES})

    def _where(self, name: str) -> tuple[int, np.ndarray]:
        """Give the place of a summary's range of areas, and which IoU thresholds it takes (bool [T])."""
        area, threshold = SUMMARIES[name]
        thresholds = self.coco.params.iouThrs
        chosen = np.isclose(thresholds, threshold) if threshold else np.ones(len(thresholds), bool)
        return self.coco.params.areaRngLbl.index(area), chosen

    def _summary(self, values: np.ndarray, name: str) -> np.ndarray:
        """Average values [K, A, T, R] over categories and thresholds as SUMMARIES says; NaN where all are -1."""
        area, thresholds = self._where(name)
        part = values[:, area][:, thresholds]
        present = (part > -1).any(axis=1)
        total = np.where(present, part.mean(axis=1), 0).sum(axis=0)
        return np.divide(total, present.sum(axis=0), out=np.full(total.shape, np.nan), where=present.any(axis=0))


def _evaluate(truth: Truth, results: Results) -> COCOeval:
    """Match with pycocotools; ids are dealt anew from 1, because it takes a match with id 0 for none."""
    images = [{"id": i} for i in truth.image_ids.tolist()]
    categories = [{"id": i, "name": name} for i, name in truth.categories.items()]
    crowd, zeros = truth.crowd.astype(int), np.zeros(len(results), int)
    sides = (
        _annotations(truth.image_id, truth.category_id, truth.boxes_xywh, area=truth.area, crowd=crowd),
        _annotations(
            results.image_id,
            results.category_id,
            results.boxes_xywh,
            area=results.boxes_xywh[:, 2:].prod(1),
            crowd=zeros,
        ),
    )
    for found, score in zip(sides[1], results.scores.tolist(), strict=True):
        found["score"] = score
    cocos = []
    for annotations in sides:
        coco = COCO()
        coco.dataset = {"images": images, "categories": categories, "annotations": annotations}
        coco.createIndex()
        cocos.append(coco)
    evaluation = COCOeval(*cocos, "bbox")
    evaluation.params.maxDets = [MOST_DETECTIONS]
    evaluation.evaluate()
    return evaluation


def _annotations(
    image_id: np.ndarray, category_id: np.ndarray, boxes: np.ndarray, *, area: np.ndarray, crowd: np.ndarray
) -> list[dict]:
    keys = ("id", "image_id", "category_id", "bbox", "area", "iscrowd")
    columns = (np.arange(1, len(image_id) + 1), image_id, category_id, boxes, area, crowd)
    return [dict(zip(keys, row, strict=True)) for row in zip(*(column.tolist() for column in columns), strict=True)]


def _matches(cells: list[dict | None]) -> Matches:
    """Join one category's and one area's matches of I images, by falling score, ties in the order of the images."""
    filled = [(i, cell) for i, cell in enumerate(cells) if cell is not None]
    objects = np.array([0 if cell is None else np.sum(cell["gtIgnore"] == 0) for cell in cells], np.int64)
    if not filled:
        nothing = np.zeros((len(Params(iouType="bbox").iouThrs), 0), bool)
        return Matches(np.zeros(0, np.int64), nothing, nothing, objects)
    image = np.repeat([i for i, _ in filled], [len(cell["dtScores"]) for _, cell in filled])
    order = np.argsort(-np.concatenate([cell["dtScores"] for _, cell in filled]), kind="mergesort")
    hit = np.concatenate([cell["dtMatches"] for _, cell in filled], axis=1)[:, order] > 0
    counted = ~np.concatenate([cell["dtIgnore"] for _, cell in filled], axis=1)[:, order].astype(bool)
    some = counted.any(axis=0)
    return Matches(image[order][some], hit[:, some], counted[:, some], objects)


def accumulate(matches: Matches, weights: np.ndarray) -> np.ndarray:
    """Accumulate one category and range of areas, with each image counted as often as its weight says.

    Only hits can be the best precision at a recall, so precision is worked out at the hits alone; how many detections
    counted up to there comes from one running sum, shared by the thresholds that count the same detections.

    Args:
        matches: Of I images.
        weights: int [R, I].

    Returns:
        float64 [T, 101, R]: precision at each IoU threshold and recall, -1 where a draw has no object; bit for bit what
        pycocotools accumulates over a set in which each image stands so often.
    """
    weights = np.ascontiguousarray(weights.T, np.int32)
    to_find, drawn = matches.objects @ weights, weights[matches.image]
    resamples = weights.shape[1]
    best = np.zeros((len(matches.hit), len(RECALLS) + 1, resamples))
    rows, kind = np.unique(matches.counted, axis=0, return_inverse=True)
    for number, row in enumerate(rows):
        seen = np.cumsum(drawn[row], axis=0, dtype=np.int32)
        place = np.cumsum(row) - 1
        for t in np.flatnonzero(kind.ravel() == number):
            hits = np.flatnonzero(row & matches.hit[t])
            true = np.cumsum(drawn[hits], axis=0, dtype=np.int32)
            false = seen[place[hits]] - true
            reached = np.searchsorted(RECALLS, true / np.maximum(to_find, 1), side="right")
            cells = reached * resamples + np.arange(resamples)
            np.maximum.at(best[t].reshape(-1), cells.ravel(), (true / (false + true + np.spacing(1))).ravel())
    np.maximum.accumulate(best[:, ::-1], axis=1, out=best[:, ::-1])
    best[..., to_find == 0] = -1
    return best[:, 1:]


def _mean(precision: np.ndarray) -> float | None:
    """Average the values that exist; None where none does."""
    present = precision[precision > -1]
    return float(np.mean(present)) if present.size else None
