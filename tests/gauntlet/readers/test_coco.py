import json

import numpy as np
import pytest
from PIL import Image

from gauntlet.boxes import Truth
from gauntlet.errors import DataError
from gauntlet.readers.coco import DOMAINS, read_coco, read_coco_o, read_results
from tests.fixtures.coco import CATEGORIES, SIDE_PX, true_results, write_coco, write_coco_o


@pytest.fixture
def folder(tmp_path):
    return write_coco(tmp_path / "sketch")


def edit(folder, section, row=None, **fields):
    """Change one row of a section, or the section itself, and return the JSON's path."""
    path = folder / "annotations" / "instances_val2017.json"
    content = json.loads(path.read_text())
    if row is None:
        content[section] = fields["value"]
    else:
        content[section][row] |= fields
    path.write_text(json.dumps(content))
    return path


def refused(folder, *parts, **settings):
    """Read, and hold the one line of the error to its parts."""
    with pytest.raises(DataError) as caught:
        read_coco(folder, **settings)
    message = str(caught.value)
    assert "\n" not in message
    assert all(part in message for part in parts), message
    return message


def test_reads_columns_in_the_order_of_the_file(folder):
    data = read_coco(folder)
    assert len(data) == 3
    assert data.truth.categories == CATEGORIES
    assert data.truth.image_id.tolist() == [1, 2, 2, 3, 3, 3]
    assert data.truth.boxes_xywh.shape == (6, 4)
    assert data.mended == {"clipped": 0, "without_size": 0}


def test_images_are_opened_when_asked_for(folder):
    pixels = read_coco(folder).images[0].open()
    assert pixels.shape == (SIDE_PX, SIDE_PX, 3)
    assert pixels.dtype == np.uint8


def test_reads_the_official_coco_o_layout(tmp_path):
    sets = read_coco_o(write_coco_o(tmp_path))
    assert tuple(sets) == DOMAINS
    assert all(data.truth.image_ids.tolist() == [1, 2, 3] for data in sets.values())


@pytest.mark.parametrize(
    ("inside", "hint"), [("", "not ood_sketch"), ("ood_coco", "one level too high"), (None, "looks like one domain")]
)
def test_a_wrong_coco_o_root_is_named(tmp_path, inside, hint):
    root = write_coco_o(tmp_path / "data", domains=DOMAINS[:5] if inside == "" else DOMAINS)
    if inside:
        root = root.rename(tmp_path / inside).parent
    elif inside is None:
        root = root / "sketch"
    with pytest.raises(DataError, match=hint):
        read_coco_o(root)


def test_a_truncated_image_is_named_with_its_id(folder):
    image = read_coco(folder).images[1]
    image.path.write_bytes(image.path.read_bytes()[:500])
    with pytest.raises(DataError, match=r"000000000002\.jpg: must be a whole image.*image id 2; a broken download"):
        image.open()


def test_an_image_of_another_size_is_named(folder):
    image = read_coco(folder).images[0]
    Image.new("RGB", (65, 64)).save(image.path)
    with pytest.raises(DataError, match=r"must be 64 x 64 px as the JSON says .*; got 65 x 64 \(resized"):
        image.open()


def test_a_missing_image_file_is_named(folder):
    (folder / "val2017" / "000000000003.jpg").unlink()
    refused(folder, "instances_val2017.json: images[2] (id 3)", "000000000003.jpg must exist", "unfinished copy")


def test_a_file_name_may_lie_in_a_folder_below_but_not_outside(folder):
    (folder / "val2017" / "below").mkdir()
    (folder / "val2017" / "000000000001.jpg").rename(folder / "val2017" / "below" / "a.jpg")
    edit(folder, "images", 0, file_name="below/a.jpg")
    assert read_coco(folder).images[0].open().shape == (64, 64, 3)
    edit(folder, "images", 0, file_name="../annotations/instances_val2017.json")
    refused(folder, "images[0] (id 1)", "must stay inside")


BAD_ANNOTATIONS = {
    "outside": ({"bbox": [50, 10, 30, 10]}, "the box must lie in its image of 64 x 64 px", "xyxy written for xywh"),
    "left of it": ({"bbox": [-3, 10, 30, 10]}, "the box must lie in its image"),
    "no width": ({"bbox": [5, 5, 0, 10]}, "must have a width and a height; got 0 x 10"),
    "negative": ({"bbox": [50, 10, -30, 10]}, "no negative width or height", "corners in the wrong order"),
    "NaN": ({"bbox": [float("nan"), 10, 30, 10]}, "bbox must be finite"),
    "infinite": ({"bbox": [1, 10, float("inf"), 10]}, "bbox must be finite"),
    "three numbers": ({"bbox": [1, 2, 3]}, "bbox must be four numbers"),
    "text": ({"bbox": "1 2 3 4"}, "bbox must be four numbers"),
    "category": ({"category_id": 1}, "category_id must stand in categories; got 1", "labels 0..K-1"),
    "image": ({"image_id": 99}, "image_id must stand in images; got 99"),
    "id twice": ({"id": 1}, "id must be unique; 1 stands in annotations[0]", "joined without new ids"),
    "id of text": ({"id": "4"}, "id must be a whole number of 64 bits; got '4'"),
    "huge id": ({"id": 10**30}, "id must be a whole number of 64 bits"),
    "crowd": ({"iscrowd": 2}, "iscrowd must be 0 or 1; got 2"),
    "area": ({"area": float("nan")}, "area must be finite"),
    "empty polygons": ({"segmentation": []}, "the mask must not be empty", "wholly hidden"),
    "line": ({"segmentation": [[1, 2, 3, 4]]}, "three points or more"),
    "empty code": ({"segmentation": {"size": [64, 64], "counts": [64 * 64]}}, "must not be empty; it covers 0 px"),
    "empty packed code": ({"segmentation": {"size": [64, 64], "counts": "PP4"}}, "must not be empty; it covers 0 px"),
    "broken code": ({"segmentation": {"size": [64, 64], "counts": "0PPo"}}, "polygons or a run-length code"),
    "swapped code": ({"segmentation": {"size": [32, 64], "counts": [9, 9]}}, "64 x 64 px; got [32, 64]", "swapped"),
}


@pytest.mark.parametrize("name", BAD_ANNOTATIONS)
def test_a_bad_annotation_is_named(folder, name):
    fields, *parts = BAD_ANNOTATIONS[name]
    edit(folder, "annotations", 3, **fields)
    refused(folder, f"instances_val2017.json: annotations[3] (id {fields.get('id', 4)})", *parts)


def test_the_rest_is_counted_not_listed(folder):
    for row in (1, 3, 4):
        edit(folder, "annotations", row, category_id=7)
    assert refused(folder, "annotations[1]").endswith("; 2 more such rows")


@pytest.mark.parametrize(
    ("section", "row", "fields", "part"),
    [
        ("images", 1, {"id": 1}, "images[1] (id 1): id must be unique"),
        ("images", 1, {"width": 0}, "images[1] (id 2): width and height must be positive"),
        ("images", 1, {"width": 64.5}, "width must be a whole number"),
        ("images", 1, {"file_name": 5}, "file_name must be text"),
        ("categories", 1, {"id": 6}, "categories[1] (id 6): id must be unique"),
        ("categories", 1, {"name": "bus"}, "name must be unique, classes are matched by it; 'bus' stands in"),
        ("annotations", None, {"value": {}}, "the lists images, annotations, categories"),
        ("annotations", None, {"value": [5]}, "annotations[0]: must be an object; got int"),
        ("images", None, {"value": [{"id": 1, "file_name": "a"}]}, "images[0] (id 1): must have 'width'; got file_"),
    ],
)
def test_a_wrong_schema_is_named(folder, section, row, fields, part):
    edit(folder, section, row, **fields)
    refused(folder, part)


def test_results_in_place_of_the_truth_and_broken_json_are_named(folder):
    path = folder / "annotations" / "instances_val2017.json"
    path.write_text("[]")
    refused(folder, "a results file in place of the ground truth")
    path.write_text('{"images": [')
    refused(folder, "must be JSON", "unfinished write")
    path.unlink()
    refused(folder, "must exist", "the right folder?")


def test_a_box_one_pixel_over_is_borne_and_left_alone(folder):
    edit(folder, "annotations", 0, bbox=[40, 40, 25, 24])
    assert read_coco(folder).truth.boxes_xywh[0].tolist() == [40, 40, 25, 24]


def test_clipping_counts_what_it_mends(folder):
    edit(folder, "annotations", 0, bbox=[-10, 40, 30, 40])
    edit(folder, "annotations", 1, bbox=[5, 5, 0, 10])
    data = read_coco(folder, outside="clip")
    assert data.truth.boxes_xywh[:2].tolist() == [[0, 40, 20, 24], [5, 5, 0, 10]]
    assert data.mended == {"clipped": 1, "without_size": 1}
    edit(folder, "annotations", 0, bbox=[70, 40, 30, 40])
    refused(folder, "annotations[0]", "the box must lie in its image", outside="clip")


def test_a_set_without_boxes_or_masks_is_read(folder):
    edit(folder, "annotations", value=[])
    assert len(read_coco(folder).truth) == 0


@pytest.fixture
def detections(folder):
    path = folder / "annotations" / "instances_val2017.json"
    return read_coco(folder).truth, true_results(path), folder / "detections.json"


def test_reads_the_results_of_any_framework(detections):
    truth, rows, path = detections
    path.write_text(json.dumps(rows))
    results = read_results(path, truth)
    assert results.scores.tolist() == [1.0] * 6
    assert np.array_equal(results.boxes_xywh, truth.boxes_xywh)
    path.write_text("[]")
    assert len(read_results(path, truth)) == 0


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"image_id": 9}, "image_id must be one of the set's; got 9 (detections of another split or domain?)"),
        ({"category_id": 0}, "category_id must stand in categories; got 0"),
        ({"score": float("nan")}, "score must be finite"),
        ({"score": None}, "score must be a number; got None"),
        ({"bbox": [1, 2, -3, 4]}, "bbox must have no negative width"),
    ],
)
def test_a_bad_detection_is_named(detections, fields, part):
    truth, rows, path = detections
    rows[4] |= fields
    path.write_text(json.dumps(rows))
    with pytest.raises(DataError) as caught:
        read_results(path, truth)
    assert f"detections.json: detection[4]: {part}" in str(caught.value)


def test_the_truth_in_place_of_results_is_named(detections):
    truth, _, path = detections
    path.write_text('{"annotations": []}')
    with pytest.raises(DataError, match=r"must be a list of detections; got dict \(an instances file\?\)"):
        read_results(path, truth)


def test_truth_without_a_category_keeps_its_images(folder):
    truth = read_coco(folder).truth
    rest = truth.without(["bus"])
    assert isinstance(rest, Truth)
    assert len(rest) == len(truth) - truth.count("bus")
    assert np.array_equal(rest.image_ids, truth.image_ids)
