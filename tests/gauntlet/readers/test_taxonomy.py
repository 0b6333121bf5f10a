import json

import pytest

from gauntlet.errors import DataError
from gauntlet.readers.taxonomy import read_taxonomy
from gauntlet.taxonomy import Risk


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "taxonomy.json"
    path.write_text(json.dumps({"risks": [{"path": ["Sport"], "definition": "Plays.", "code": "SP"}]}))
    assert read_taxonomy(path).risks == (Risk(("Sport",), "Plays.", "SP"),)


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"risks": [{"path": ["Sport"]}]}', '{"risks": [{"path": ["A", "B"], "definition": "C", "code": ""}]}'],
)
def test_another_file_is_named(tmp_path, content):
    path = tmp_path / "taxonomy.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"taxonomy\.json: must be a taxonomy"):
        read_taxonomy(path)
