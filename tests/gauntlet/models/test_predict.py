import numpy as np
import pytest
import torch

from gauntlet.boxes import as_results
from gauntlet.errors import ArgumentError, DataError
from gauntlet.models.predict import detect
from gauntlet.readers.coco import read_coco
from tests.fixtures.coco import write_coco
from tests.fixtures.detectors import ColourDetector


@pytest.fixture
def data(tmp_path):
    return read_coco(write_coco(tmp_path, images=5))


def test_finds_the_boxes_in_order_whatever_the_batch(data):
    images = [image.open() for image in data.images]
    detector = ColourDetector(tuple(data.truth.categories.values()))
    found = detect(detector, images, batch=2)
    results = as_results(found, image_ids=data.truth.image_ids, category_ids=list(data.truth.categories))
    order = np.lexsort((data.truth.category_id, data.truth.image_id))
    assert np.array_equal(results.image_id, data.truth.image_id[order])
    assert np.allclose(results.boxes_xywh, data.truth.boxes_xywh[order])
    for one, other in zip(found, detect(detector, iter(images), batch=5), strict=True):
        assert np.array_equal(one.boxes_xyxy, other.boxes_xyxy)


def test_takes_pixels_in_the_unit_range_and_leaves_gradients_off(data):
    class Probe(ColourDetector):
        def forward(self, images):
            assert all(image.dtype == torch.float32 and image.min() >= 0 and image.max() <= 1 for image in images)
            assert torch.is_inference_mode_enabled()
            return super().forward(images)

    assert len(detect(Probe(), [data.images[0].open()])) == 1


def test_a_model_in_training_and_an_empty_batch_are_refused():
    with pytest.raises(ArgumentError, match="eval mode"):
        detect(ColourDetector().train(), [])
    with pytest.raises(ArgumentError, match="batch must be at least 1"):
        detect(ColourDetector(), [], batch=0)


def test_classes_that_the_data_lack_are_left_out_and_strange_labels_refused(data):
    found = detect(ColourDetector(), [image.open() for image in data.images])
    some = as_results(found, image_ids=data.truth.image_ids, category_ids=[6, None, None])
    assert set(some.category_id) == {6}
    with pytest.raises(DataError, match=r"labels must lie in 1\.\.1"):
        as_results(found, image_ids=data.truth.image_ids, category_ids=[6])
    assert len(as_results([], image_ids=[], category_ids=[6])) == 0
