import json
from functools import partial

import pytest

from stages.coco_o import build as stage
from stages.machine import parallel
from tests.fixtures.coco import write_scenes
from tests.fixtures.objects import write_backgrounds, write_objects

BUILD = {
    "seed": 5,
    "images": None,
    "source": None,
    "split": "test2017",
    "outside": "error",
    "background_split": "test",
    "severity": dict.fromkeys(("sketch", "weather", "cartoon", "painting", "tattoo", "handmake"), (2, 3)),
    "drawn": {
        "sketch": {"sources": ["openmoji"], "style": "outline"},
        "cartoon": {"sources": ["openmoji"], "style": "flat"},
    },
    "weather": ["fog", "snow"],
    "samples": 2,
}


@pytest.fixture(scope="session")
def sources(tmp_path_factory):
    """Write scenes, objects, backgrounds and an empty folders.json."""
    folder = tmp_path_factory.mktemp("sources")
    write_scenes(folder / "scenes")
    write_objects(folder / "objects")
    write_backgrounds(folder / "backgrounds")
    (folder / "folders.json").write_text("{}")
    return folder


@pytest.fixture(scope="session")
def build(sources):
    """Return a function that runs the stage; paths and parameters may be replaced."""

    def built(shifted, *, workers=1, paths=None, **changes):
        places = {name: sources / name for name in ("scenes", "objects", "backgrounds")}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stage, "parallel", partial(parallel, workers=workers))
            stage.run(
                stage.Params(**(BUILD | changes)),
                **(places | {"folders": sources / "folders.json"} | (paths or {})),
                shifted=shifted,
            )
        return shifted

    return built


@pytest.fixture(scope="session")
def shifted(build, tmp_path_factory):
    """Build once for all tests that only read."""
    return build(tmp_path_factory.mktemp("built") / "coco_o")


@pytest.fixture
def changed_scenes(sources, tmp_path):
    """Return a function that copies the scenes with one split's JSON changed in place."""

    def copied(change, *, split="test2017"):
        folder = write_scenes(tmp_path / "scenes")
        path = folder / "annotations" / f"instances_{split}.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))
        return folder

    return copied
