import re
from pathlib import Path

from gauntlet.metrics.imagenet_e import SETTINGS
from tests.fixtures.classification import write_images

CARD = Path(__file__).parents[1] / "data" / "cards" / "imagenet_e.md"


def test_the_four_lines_of_the_card_load_the_data(tmp_path, monkeypatch):
    write_images(tmp_path / "data" / "built" / "imagenet_e", split="background_complex")
    monkeypatch.chdir(tmp_path)
    code = re.search(r"```python\n(.*?)```", CARD.read_text(), flags=re.DOTALL)[1]
    assert len(code.splitlines()) == 4
    loaded = {}
    exec(code, loaded)
    assert loaded["picture"].shape == (64, 64, 3)
    assert loaded["name"] == "banana"


def test_the_card_names_every_setting():
    text = CARD.read_text()
    assert all(f"`{slug}`" in text and name in text for slug, name in SETTINGS.items())
