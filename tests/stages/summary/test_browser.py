"""The report in a real browser: it opens from disk, decodes its pictures, moves its charts and stays silent."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page

from tests.fixtures.scores import write_results
from tests.stages.summary.test_report import HOSTILE, make


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with one gallery that would do harm if anything in it were not escaped."""
    data = write_results(tmp_path_factory.mktemp("data"))
    file = data / "built/scenes/samples/gallery.json"
    gallery = json.loads(file.read_text())
    gallery["rows"][0]["caption"] = gallery["rows"][0]["images"][0]["label"] = HOSTILE
    file.write_text(json.dumps(gallery))
    return make(data, data / "report")


def signal(page: Page, chart: str, name: str) -> object:
    return page.evaluate("([id, name]) => document.getElementById(id).view.signal(name)", [chart, name])


def domain(page: Page, chart: str) -> list[float]:
    return page.evaluate("id => document.getElementById(id).view.scale('x').domain()", chart)


def opacities(chart: Locator) -> set[str | None]:
    marks = chart.locator("g.role-mark.mark-symbol path")
    return {marks.nth(index).get_attribute("opacity") for index in range(marks.count())}


def click(page: Page, target: Locator) -> None:
    box = target.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def test_every_chart_is_drawn(page: Page):
    assert page.locator("figure.chart").count() == 8
    assert page.locator("figure.chart svg").count() == 8


def test_every_picture_of_the_galleries_decodes(page: Page, report: Path):
    widths = page.evaluate(
        """async () => {
            for (const details of document.querySelectorAll(".more")) details.open = true;
            const pictures = [...document.querySelectorAll(".picture img")];
            for (const picture of pictures) picture.scrollIntoView({ behavior: "instant" });
            await Promise.all(pictures.map((picture) => ((picture.loading = "eager"), picture.decode())));
            return pictures.map((picture) => picture.naturalWidth);
        }"""
    )
    assert len(widths) == len(list(report.parents[1].glob("*/*/samples/*.png")))
    assert min(widths) > 0


def test_a_click_in_the_legend_singles_out_a_series(page: Page):
    chart = page.locator("#chart-coco_o-ap")
    chart.scroll_into_view_if_needed()
    assert opacities(chart) == {"1"}
    click(page, chart.locator(".role-legend-label text").nth(1))
    page.wait_for_function("document.getElementById('chart-coco_o-ap').view.data('chosen_store').length === 1")
    assert opacities(chart) == {"1", "0.12"}
    click(page, chart.locator(".role-axis-title text").first)
    page.wait_for_function("document.getElementById('chart-coco_o-ap').view.data('chosen_store').length === 0")


def test_a_drag_pans_and_the_wheel_zooms_with_control_alone(page: Page):
    name = "chart-coco_o-training-loss"
    chart = page.locator(f"#{name}")
    chart.scroll_into_view_if_needed()
    box = chart.locator("svg").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    before = domain(page, name)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y, steps=4)
    page.mouse.up()
    page.wait_for_timeout(50)
    panned = domain(page, name)
    assert panned[0] < before[0]
    assert panned[1] - panned[0] == pytest.approx(before[1] - before[0])
    page.mouse.wheel(0, -240)
    page.wait_for_timeout(50)
    assert domain(page, name) == pytest.approx(panned)
    chart.scroll_into_view_if_needed()
    box = chart.locator("svg").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -240)
    page.keyboard.up("Control")
    page.wait_for_timeout(50)
    zoomed = domain(page, name)
    assert zoomed[1] - zoomed[0] < panned[1] - panned[0]


def test_the_pointer_gets_the_number(page: Page):
    chart = page.locator("#chart-coco_o-drop")
    chart.scroll_into_view_if_needed()
    box = chart.locator("g.role-mark.mark-symbol path").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tip = page.locator("#vg-tooltip-element.visible")
    tip.wait_for()
    assert "relative drop of AP (%)" in tip.inner_text()


def test_a_picture_enlarges_and_escape_brings_one_back(page: Page):
    picture = page.locator(".picture").first
    picture.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog")
    assert dialog.is_visible()
    first = dialog.locator("p").inner_text()
    page.keyboard.press("ArrowRight")
    assert dialog.locator("p").inner_text() != first
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert picture.evaluate("element => element === document.activeElement")


def test_a_number_leads_to_its_origin(page: Page):
    page.locator("#row-coco_o .value").first.click()
    block = page.locator("[id='coco_o--faster_rcnn']")
    page.wait_for_function("document.getElementById('coco_o--faster_rcnn').open")
    assert block.locator("dl").is_visible()


def test_nothing_that_was_quoted_runs(page: Page):
    assert page.evaluate("window.hacked") is None
    assert page.get_by_text("window.hacked = 1").count() > 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_sideways_scroll_and_text_stands_out(browser: Browser, report: Path, scheme: str):
    page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page.goto(report.as_uri())
    page.wait_for_selector("html[data-charts=drawn]")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    colours = page.evaluate(
        """() => ["--paper", "--ink", "--soft", "--link"].map((name) =>
            getComputedStyle(document.documentElement).getPropertyValue(name).trim())"""
    )
    paper, *inks = map(luminance, colours)
    assert all(contrast(paper, ink) >= 4.5 for ink in inks)
    page.close()


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.1)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)
