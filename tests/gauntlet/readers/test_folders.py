import json

import pytest

from gauntlet.errors import DataError
from gauntlet.readers.folders import named_folder


def test_finds_a_folder_by_its_name(tmp_path):
    (tmp_path / "folders.json").write_text(json.dumps({"coco": {"path": str(tmp_path)}}))
    assert named_folder(tmp_path / "folders.json", "coco") == tmp_path


@pytest.mark.parametrize(("name", "part"), [("cocoo", "'cocoo'; it has coco"), ("coco", "a folder that exists")])
def test_a_name_or_place_that_is_not_there_is_named(tmp_path, name, part):
    (tmp_path / "folders.json").write_text(json.dumps({"coco": {"path": str(tmp_path / "away")}}))
    with pytest.raises(DataError, match=part):
        named_folder(tmp_path / "folders.json", name)
