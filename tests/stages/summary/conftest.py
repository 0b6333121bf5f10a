import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium without a network."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.fail(
            "a Chromium must be on PATH to look at the report; install it: apt-get install chromium", pytrace=False
        )
    with sync_playwright() as playwright:
        with playwright.chromium.launch(executable_path=program, args=ARGUMENTS) as browser:
            yield browser
