"""Names of datasets as people write them."""

import pytest

from flows.plan import Record, UnknownTarget
from flows.pull import paths_of

RECORDS = (
    Record("scenes-build", (), False, {}, ("data/built/scenes",), ()),
    Record("coco_o-train@fcos", (), False, {}, ("data/models/coco_o/fcos",), ()),
    Record("coco_o-score@fcos", (), False, {}, ("data/scores/coco_o/fcos.json",), ("data/scores/coco_o/fcos.json",)),
)


@pytest.mark.parametrize(
    ("names", "paths"),
    [
        (["scenes"], ["data/built/scenes"]),
        (["data/built/scenes/"], ["data/built/scenes"]),
        (["coco_o"], ["data/models/coco_o/fcos"]),
        (["coco_o-train", "scenes"], ["data/built/scenes", "data/models/coco_o/fcos"]),
        ([], []),
    ],
)
def test_names_mean_cached_outputs(names, paths):
    assert paths_of(names, RECORDS) == paths


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(UnknownTarget, match="got 'scense'; there are fcos, scenes"):
        paths_of(["scense"], RECORDS)
