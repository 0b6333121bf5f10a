import pytest

from stages.imagenet_e.build import Params, run
from tests.fixtures.classification import write_backgrounds, write_images

BUILD = {"seed": 0, "split": "test", "images": None, "amount": 20, "steps": 2, "diffusion": None, "samples": 2}


@pytest.fixture(scope="session")
def sources(tmp_path_factory):
    """Write objects128, backgrounds and folders.json."""
    folder = tmp_path_factory.mktemp("sources")
    write_images(folder / "objects128", count=5)
    write_backgrounds(folder / "backgrounds")
    (folder / "folders.json").write_text("{}")
    return folder


@pytest.fixture(scope="session")
def build(sources):
    """Return a function that runs the stage."""

    def built(edited, **changes):
        run(
            Params(**(BUILD | changes)),
            images=sources / "objects128",
            backgrounds=sources / "backgrounds",
            folders=sources / "folders.json",
            edited=edited,
        )
        return edited

    return built


@pytest.fixture(scope="session")
def edited(build, tmp_path_factory):
    """Build once for all tests that only read."""
    return build(tmp_path_factory.mktemp("built") / "imagenet_e")
