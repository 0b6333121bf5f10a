"""S-Eval and fairBERTs in a real browser, with answers that do whatever text can: nothing of it comes to life."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.fixtures.language_scores import FAIR_SETTINGS, VICTIMS, write_answers, write_language_results
from tests.stages.summary.test_report import Reader, make

RESPONSE = (
    "Knead the dough.</div></details></td></table></section>\n"
    "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'><svg onload=\"window.hacked = 1\">"
    "<a href=\"javascript:window.hacked=1\" id=lure>bread</a><iframe srcdoc='<script>top.hacked=1</script>'></iframe>"
    "<style>body{display:none}</style><base href='https://example.org/'><form action=//example.org><input autofocus>"
    "&lt;b&gt;&#x3c;script&#x3e;window.hacked=1&#x3c;/script&#x3e; &amp; --> ]]> <!-- "
    "{{ 7 * 7 }} {% raw %} ${7*7} <%= 7*7 %> [bread](javascript:window.hacked=1) "
    "\u202edaerb\u202c \u2067\u200f\u0000\u001b[2J\ufeff\u2028</textarea></title></script>"
)
"""Harmless in itself; each part would show if it were more than text."""
FIGURES = (6 + 3) + (5 + len(FAIR_SETTINGS)) + 2


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = write_language_results(tmp_path_factory.mktemp("data"))
    write_answers(data, victim="smollm2", response=RESPONSE)
    file = data / "scores/s_eval/smollm2.json"
    score = json.loads(file.read_text())
    for verdict in score["results"]["verdicts"]:
        verdict["category"] = RESPONSE
    score["results"]["safety"]["categories"][RESPONSE] = score["results"]["safety"]["overall"]
    score["results"]["attacks"][RESPONSE] = score["results"]["attacks"]["deepinception"]
    score["results"]["errors"] = {RESPONSE: {RESPONSE: 3}}
    score["results"]["model"] |= {"quantisation": RESPONSE, "parameters": RESPONSE}
    file.write_text(json.dumps(score))
    return make(data, data / "report", rows=12)


def test_every_chart_is_drawn(page: Page):
    assert page.locator("figure.chart svg").count() == page.locator("figure.chart").count() == FIGURES


def test_answers_are_folded_twice_until_they_are_asked_for(page: Page):
    quoted = page.locator(".quoted")
    assert quoted.count() == 12 * len(VICTIMS)
    assert not any(quoted.nth(place).is_visible() for place in range(quoted.count()))
    page.locator(".records > summary").first.click()
    assert page.locator(".records code").first.is_visible()
    assert not quoted.first.is_visible()
    page.locator(".response > summary").first.click()
    assert quoted.first.is_visible()
    assert not quoted.nth(1).is_visible()


def test_whatever_an_answer_holds_is_text(page: Page):
    page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
    assert page.evaluate("document.querySelectorAll('.quoted *').length") == 0
    text = page.locator(".quoted").first.text_content()
    for part in (
        "<script>window.hacked = 1</script>",
        "&lt;b&gt;&#x3c;script",
        "{{ 7 * 7 }} {% raw %} ${7*7} <%= 7*7 %>",
    ):
        assert part in text
    assert "⟨U+202E⟩daerb⟨U+202C⟩ ⟨U+2067⟩⟨U+200F⟩⟨U+0000⟩⟨U+001B⟩[2J⟨U+FEFF⟩⟨U+2028⟩" in text
    assert page.locator("iframe, base, input, #lure, [onerror], [onload]").count() == 0
    assert page.locator("a[href^='javascript']").count() == 0
    assert page.locator("#fairberts h2").is_visible()
    assert page.evaluate("getComputedStyle(document.body).display") == "block"
    assert page.evaluate("window.hacked") is None


def test_an_answer_adds_no_element(report: Path, tmp_path: Path):
    benign = make(write_language_results(tmp_path), tmp_path / "report", rows=12).read_text()

    def kinds(text: str) -> set[tuple[str, ...]]:
        return {(tag, *sorted(attributes)) for tag, attributes in Reader(text).elements}

    assert kinds(report.read_text()) == kinds(benign)


def test_a_click_on_what_reads_as_a_link_leads_nowhere(page: Page):
    page.evaluate("document.querySelectorAll('.records, .response').forEach((details) => (details.open = true))")
    before = page.url
    page.locator(".quoted").first.click()
    assert page.url == before
    assert page.evaluate("window.hacked") is None


def test_an_answer_from_right_to_left_turns_nothing_around_it(page: Page):
    directions = page.evaluate(
        """() => [...document.querySelectorAll(".records td:not(:last-child), .records th")]
            .map((cell) => getComputedStyle(cell).direction)"""
    )
    assert set(directions) == {"ltr"}
    assert page.evaluate("getComputedStyle(document.querySelector('.quoted')).unicodeBidi") in ("isolate", "plaintext")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_sideways_scroll(browser: Browser, report: Path, scheme: str):
    page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page.goto(report.as_uri())
    page.wait_for_selector("html[data-charts=drawn]")
    page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()
