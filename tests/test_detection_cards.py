import contextlib
import io
import re
from pathlib import Path

import pytest

from tests.fixtures.coco import write_coco_o, write_scenes

CARDS = Path(__file__).parents[1] / "data" / "cards"


@pytest.mark.parametrize(("card", "write"), [("scenes", write_scenes), ("coco_o", write_coco_o)])
def test_the_four_lines_of_the_card_load_the_data(card, write, tmp_path, monkeypatch):
    write(tmp_path / "data" / "built" / card)
    monkeypatch.chdir(tmp_path)
    code = re.search(r"```python\n(.*?)```", (CARDS / f"{card}.md").read_text(), flags=re.DOTALL)[1]
    assert len(code.splitlines()) == 4
    loaded = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(code, loaded)
    assert loaded["boxes"][0]["bbox"]
    assert Path(loaded["image"]).is_file()
