import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

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


@contextmanager
def on_a_desk(browser: Browser, file: Path) -> Iterator[Page]:
    """Open a page whose charts are drawn; by the end it must have said nothing and asked for nothing but itself."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.on("request", lambda request: asked.append(request.url))
    page.set_default_timeout(8000)
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-charts=drawn]")
    yield page
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]


@pytest.fixture(scope="module")
def page(browser: Browser, report: Path) -> Iterator[Page]:
    """A module's `report`, open on a desk; it must have said nothing and asked for nothing by the end."""
    with on_a_desk(browser, report) as page:
        yield page
