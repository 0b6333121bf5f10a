import contextlib
import io

import numpy as np
import pytest
from faster_coco_eval import COCO as FasterCOCO
from faster_coco_eval import COCOeval_faster

from gauntlet.boxes import Results, Truth
from gauntlet.errors import ArgumentError
from gauntlet.metrics.detection import (
    SUMMARIES,
    Evaluation,
    accumulate,
    average_precision,
)
from gauntlet.metrics.intervals import percentile_interval
from gauntlet.readers.coco import read_coco, read_coco_o
from tests.fixtures.coco import write_coco, write_coco_o


def one_image(boxes, found, scores, *, crowd=None):
    """Put some boxes and findings (xywh) into image 7, category 3."""
    boxes, found = np.array(boxes, float).reshape(-1, 4), np.array(found, float).reshape(-1, 4)
    image, category = np.array([7]), np.array([3])
    truth = Truth(
        image,
        {3: "bus"},
        image.repeat(len(boxes)),
        category.repeat(len(boxes)),
        boxes,
        boxes[:, 2:].prod(1),
        np.zeros(len(boxes), bool) if crowd is None else np.array(crowd),
    )
    return truth, Results(image.repeat(len(found)), category.repeat(len(found)), found, np.array(scores, float))


def random_scene(seed, *, images=20, categories=4, objects=5, noise=4.0):
    """Draw objects, noisy findings of them, and false alarms; ids are sparse and out of order."""
    generator = np.random.default_rng(seed)
    ids = generator.permutation(images) * 3 + 5
    count = images * objects
    image, category = generator.choice(ids, count), generator.integers(1, categories + 1, count) * 2
    boxes = np.concatenate([generator.uniform(0, 300, (count, 2)), generator.uniform(8, 160, (count, 2))], axis=1)
    crowd = generator.random(count) < 0.05
    names = {2 * k: f"c{k}" for k in range(1, categories + 2)}
    truth = Truth(ids, names, image, category, boxes, boxes[:, 2:].prod(1) * 0.7, crowd)
    found = np.concatenate([boxes + generator.normal(0, noise, boxes.shape), generator.permutation(boxes)])
    found[:, 2:] = np.maximum(found[:, 2:], 1)
    places = np.concatenate([image, generator.choice(ids, count)])
    return truth, Results(places, np.tile(category, 2), found, generator.random(2 * count))


@pytest.mark.parametrize(
    ("found", "scores", "ap50"),
    [
        ([[0, 0, 10, 10], [50, 50, 10, 10]], [0.9, 0.8], 1.0),
        ([[0, 0, 10, 10]], [0.9], 51 / 101),  # recall 1/2: the thresholds 0, 0.01, ..., 0.50
        ([[80, 80, 9, 9], [0, 0, 10, 10]], [0.9, 0.8], 51 / 101 / 2),  # a false alarm before the only hit
        ([[0, 0, 10, 10], [0, 0, 10, 10]], [0.9, 0.8], 51 / 101),  # a second box on the same object is a false alarm
        ([], [], 0.0),
    ],
)
def test_two_boxes_in_closed_form(found, scores, ap50):
    result = average_precision(*one_image([[0, 0, 10, 10], [50, 50, 10, 10]], found, scores))
    assert result.ap50 == pytest.approx(ap50)
    assert result.ap == pytest.approx(ap50)
    assert (result.ap_small, result.ap_medium, result.ap_large) == (pytest.approx(ap50), None, None)
    assert (result.images, result.boxes) == (1, 2)


def test_a_box_with_iou_070_counts_at_five_of_ten_thresholds():
    truth, results = one_image([[0, 0, 100, 100]], [[0, 0, 100, 70.001]], [0.5])
    assert average_precision(truth, results).ap == pytest.approx(0.5)
    assert average_precision(truth, results).ap75 == 0


def test_a_crowd_is_neither_missed_nor_a_false_alarm():
    boxes = [[0, 0, 10, 10], [50, 50, 40, 40]]
    result = average_precision(*one_image(boxes, [[0, 0, 10, 10], [55, 55, 9, 9]], [0.5, 0.9], crowd=[False, True]))
    assert (result.ap, result.boxes) == (pytest.approx(1.0), 1)


def test_ground_truth_fed_back_scores_one_in_each_domain(tmp_path):
    for data in read_coco_o(write_coco_o(tmp_path)).values():
        truth = data.truth
        fed_back = Results(truth.image_id, truth.category_id, truth.boxes_xywh, np.ones(len(truth)))
        result = average_precision(truth, fed_back)
        assert result.ap == pytest.approx(1.0, abs=1e-12)
        assert list(result.by_category.values()) == pytest.approx([1.0] * 3, abs=1e-12)


def test_nothing_is_printed(capsys):
    Evaluation(*random_scene(0)).score()
    assert capsys.readouterr() == ("", "")


def official(truth, results, *, evaluator, coco):
    """Score by a reference library through its own front door: a data set and its `loadRes`."""
    annotations = zip(truth.image_id, truth.category_id, truth.boxes_xywh, truth.area, truth.crowd, strict=True)
    keys = ("id", "image_id", "category_id", "bbox", "area", "iscrowd")
    rows = [(n, int(i), int(k), b.tolist(), float(a), int(c)) for n, (i, k, b, a, c) in enumerate(annotations, 1)]
    with contextlib.redirect_stdout(io.StringIO()):
        reference = coco()
        reference.dataset = {
            "images": [{"id": int(i)} for i in truth.image_ids],
            "categories": [{"id": i, "name": name} for i, name in truth.categories.items()],
            "annotations": [dict(zip(keys, row, strict=True)) for row in rows],
        }
        reference.createIndex()
        found = zip(results.image_id, results.category_id, results.boxes_xywh, results.scores, strict=True)
        names = ("image_id", "category_id", "bbox", "score")
        found = [dict(zip(names, (int(i), int(k), b.tolist(), float(s)), strict=True)) for i, k, b, s in found]
        judge = evaluator(reference, reference.loadRes(found), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return judge


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_the_reference_libraries(seed):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth, results = random_scene(seed)
    ours = average_precision(truth, results)
    numbers = [getattr(ours, name) for name in SUMMARIES]
    assert numbers == official(truth, results, evaluator=COCOeval, coco=COCO).stats[:6].tolist()
    faster = official(truth, results, evaluator=COCOeval_faster, coco=FasterCOCO)
    assert numbers == pytest.approx(list(faster.stats[:6]), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_accumulating_with_weights_of_one_is_pycocotools_bit_for_bit(seed):
    truth, results = random_scene(seed, images=30)
    evaluation = Evaluation(truth, results)
    score = evaluation.score()
    ones = np.ones((1, 30), int)
    for k, row in enumerate(evaluation.matches):
        for a, matches in enumerate(row):
            expected = evaluation.coco.eval["precision"][:, :, k, a, 0]
            assert np.array_equal(accumulate(matches, ones)[..., 0], expected)
    weighted = evaluation.weighted(ones)
    for name in SUMMARIES:
        assert getattr(weighted, name)[0] == pytest.approx(getattr(score, name), abs=1e-14)


def test_a_weight_of_two_is_the_image_twice():
    truth, results = random_scene(5, images=6)
    order = np.sort(truth.image_ids)
    weights = np.array([2, 0, 1, 3, 0, 1])
    parts = [(i, copy) for i, weight in zip(order, weights, strict=True) for copy in range(weight)]
    ids = {part: 100 + number for number, part in enumerate(parts)}

    def repeat(columns, image_id):
        rows = [(part, np.flatnonzero(image_id == part[0])) for part in parts]
        places = np.concatenate([np.full(len(here), ids[part]) for part, here in rows])
        return places, *(column[np.concatenate([here for _, here in rows])] for column in columns)

    image, *rest = repeat((truth.category_id, truth.boxes_xywh, truth.area, truth.crowd), truth.image_id)
    copies = Truth(np.array(list(ids.values())), truth.categories, image, *rest)
    found = Results(*repeat((results.category_id, results.boxes_xywh, results.scores), results.image_id))
    expected, ours = average_precision(copies, found), Evaluation(truth, results).weighted(weights[None])
    for name in SUMMARIES:
        assert getattr(ours, name)[0] == pytest.approx(getattr(expected, name), abs=1e-12)


def test_a_category_without_an_object_in_a_draw_is_left_out_of_its_mean():
    truth, results = random_scene(1, images=2, categories=1)
    only = truth.image_ids.min()
    kept = truth.image_id == only
    part = Truth(*(c[kept] if len(c) == len(kept) else c for c in vars(truth).values()))
    empty = Evaluation(part, results).weighted(np.array([[1, 1], [0, 2]]))
    assert not np.isnan(empty.ap[0])
    assert np.isnan(empty.ap[1])


def test_the_order_of_the_images_changes_nothing():
    truth, results = random_scene(2)
    shuffled = Truth(truth.image_ids[::-1], *(column for column in list(vars(truth).values())[1:]))
    draws = [Evaluation(t, results).resample(20, generator=np.random.default_rng(0)) for t in (truth, shuffled)]
    assert np.array_equal(draws[0].ap, draws[1].ap)


def test_the_interval_holds_the_number_and_shrinks_with_more_images():
    widths = []
    for images in (20, 180):
        evaluation = Evaluation(*random_scene(3, images=images))
        draws = evaluation.resample(200, generator=np.random.default_rng(0))
        interval = percentile_interval(evaluation.score().ap, draws.ap, n=images)
        assert interval.low <= interval.value <= interval.high
        widths.append(interval.high - interval.low)
    assert widths[1] < 0.6 * widths[0]


def test_perfect_detections_have_an_interval_of_no_width(tmp_path):
    truth = read_coco(write_coco(tmp_path, images=5)).truth
    perfect = Evaluation(truth, Results(truth.image_id, truth.category_id, truth.boxes_xywh, np.ones(len(truth))))
    assert perfect.resample(50, generator=np.random.default_rng(0)).ap == pytest.approx(np.ones(50))


def test_no_images_and_no_resamples_are_refused():
    truth, results = random_scene(0)
    with pytest.raises(ArgumentError, match="one at least of each; got 0, 20 and 5"):
        Evaluation(truth, results).resample(0, generator=np.random.default_rng(0))
