"""The speech of the report in a real browser: every clip decodes from the page itself and answers the pointer."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.fixtures.speech_scores import write_speech_results
from tests.stages.summary.test_report import make


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = write_speech_results(tmp_path_factory.mktemp("data"))
    return make(data, data / "report")


def test_every_chart_is_drawn(page: Page):
    assert page.locator("figure.chart svg").count() == page.locator("figure.chart").count() == 5 + 2 + 3


def test_every_clip_decodes_and_says_what_it_is(page: Page, report: Path):
    clips = page.evaluate(
        """async () => {
            for (const details of document.querySelectorAll(".more")) details.open = true;
            const players = [...document.querySelectorAll(".clip audio")];
            const ready = (player) => player.readyState >= 1 || player.error
                || new Promise((done) => ["loadedmetadata", "error"].forEach((e) => player.addEventListener(e, done)));
            await Promise.all(players.map(ready));
            return players.map((player) => [player.duration, player.error, player.getAttribute("aria-label")]);
        }"""
    )
    assert len(clips) == 8 + 10 + 6 * 3
    assert all(seconds > 1 and error is None and label for seconds, error, label in clips)


def test_every_spectrogram_decodes_and_has_words(page: Page):
    pictures = page.evaluate(
        """async () => {
            const pictures = [...document.querySelectorAll(".drawn img")];
            await Promise.all(pictures.map((picture) => ((picture.loading = "eager"), picture.decode())));
            return pictures.map((picture) => [picture.naturalWidth, picture.alt]);
        }"""
    )
    assert all(width == 360 and alt.startswith("Spectrogram of ") for width, alt in pictures)


def test_a_click_on_a_spectrogram_plays_from_there_and_only_one_plays(page: Page):
    alone = "place => [...document.querySelectorAll('.clip audio')].every((each, at) => each.paused === (at !== place))"
    for place in (0, 1):
        drawn = page.locator(".drawn").nth(place)
        drawn.click(position={"x": 0.4 * drawn.evaluate("element => element.clientWidth"), "y": 20})
        page.wait_for_function(alone, arg=place)
        player = page.locator(".clip audio").nth(place)
        assert player.evaluate("each => each.currentTime") >= 0.4
    player.evaluate("each => each.pause()")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_sideways_scroll(browser: Browser, report: Path, scheme: str):
    page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page.goto(report.as_uri())
    page.wait_for_selector("html[data-charts=drawn]")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()


def test_what_was_heard_stands_beside_the_clips_as_text(page: Page):
    row = page.locator(".heard").first
    cells = row.locator("tbody tr").first.locator("td")
    assert cells.nth(1).inner_text() == "please enter your account number"
    assert cells.nth(1).locator("del").inner_text() == "account"
    assert cells.nth(2).locator("mark").first.inner_text() == "<i>&"
    assert cells.nth(3).inner_text() == "the whole target"
