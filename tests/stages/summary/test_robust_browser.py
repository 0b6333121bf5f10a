"""The charts of FGSM-LAW and ARES-Bench in a real browser: they answer the pointer, move and stay silent."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page

from tests.fixtures.robust_scores import ROBUST, write_robust_results
from tests.stages.summary.test_report import make

CURVE, TRANSFER = "chart-ares_bench-curve-linf-objects32", "chart-ares_bench-transfer-objects32"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of as many variants as the matrix trains."""
    data = write_robust_results(tmp_path_factory.mktemp("data"), methods=tuple(ROBUST))
    for name in ("built", "attacked"):
        (data / name).mkdir()
    return make(data, data / "report")


def point_at(page: Page, chart: Locator) -> tuple[float, float]:
    """Put the pointer near the middle of the plot and return where that is."""
    chart.scroll_into_view_if_needed()
    box = chart.locator("svg").bounding_box()
    place = box["x"] + box["width"] / 2, box["y"] + 0.6 * box["height"]
    page.mouse.move(*place)
    return place


def bands(chart: Locator) -> list[str | None]:
    areas = chart.locator("g.role-mark.mark-area path")
    return [areas.nth(number).get_attribute("fill-opacity") for number in range(areas.count())]


def test_every_chart_is_drawn(page: Page):
    assert page.locator("figure.chart svg").count() == page.locator("figure.chart").count() == 8 + 9


def test_the_line_under_the_pointer_shows_its_band_and_name(page: Page):
    chart = page.locator(f"#{CURVE}")
    assert set(bands(chart)) == {"0"}
    point_at(page, chart)
    tip = page.locator("#vg-tooltip-element.visible")
    tip.wait_for()
    assert any(name in tip.inner_text() for name in ROBUST)
    assert "undefined" not in tip.inner_text()
    assert sorted(bands(chart)) == ["0"] * (len(ROBUST) - 1) + ["0.22"]
    page.mouse.move(2, 2)
    page.wait_for_timeout(50)
    assert set(bands(chart)) == {"0"}


def test_a_curve_moves_with_the_pointer(page: Page):
    def domain() -> list[float]:
        return page.evaluate("id => document.getElementById(id).view.scale('x').domain()", CURVE)

    before = domain()
    x, y = point_at(page, page.locator(f"#{CURVE}"))
    page.mouse.down()
    page.mouse.move(x + 80, y, steps=4)
    page.mouse.up()
    page.wait_for_timeout(50)
    panned = domain()
    assert panned[0] < before[0]
    assert panned[1] - panned[0] == pytest.approx(before[1] - before[0])
    page.mouse.dblclick(x, y)
    page.wait_for_timeout(50)
    assert domain() == pytest.approx(before)


def test_a_grey_name_in_the_legend_singles_out_its_line(page: Page):
    chart = page.locator(f"#{CURVE}")
    chart.scroll_into_view_if_needed()
    chart.locator(".role-legend-label text").last.click(force=True)
    page.wait_for_function(f"document.getElementById('{CURVE}').view.data('chosen_store').length === 1")
    page.mouse.move(2, 2)
    page.wait_for_timeout(50)
    assert sorted(bands(chart)) == ["0"] * (len(ROBUST) - 1) + ["0.22"]


def test_the_transfer_matrix_shows_the_attack_that_is_asked_for(page: Page):
    chart = page.locator(f"#{TRANSFER}")

    def numbers() -> list[str]:
        return chart.locator("g.role-mark.mark-text text").all_text_contents()

    worst = numbers()
    assert len(worst) == len(ROBUST) ** 2
    chart.locator("select").select_option("FGSM")
    page.wait_for_timeout(50)
    assert len(numbers()) == len(worst)
    assert numbers() != worst


def test_the_overview_unfolds_the_variants_that_do_not_lead(page: Page):
    row = page.locator("#row-fgsm_law")
    assert row.locator(".value:visible").count() == 3
    row.locator("summary").click()
    assert row.locator(".value:visible").count() == len(ROBUST) + 2


@pytest.mark.parametrize("opened", [1280, 390])
def test_a_narrow_window_needs_no_sideways_scroll_and_cuts_no_legend(browser: Browser, report: Path, opened: int):
    page = browser.new_page(viewport={"width": opened, "height": 900})
    page.goto(report.as_uri())
    page.wait_for_selector("html[data-charts=drawn]")
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(1000)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    cut = page.evaluate(
        """() => [...document.querySelectorAll("figure.chart")].filter((figure) => {
            const plot = figure.querySelector("svg").getBoundingClientRect();
            return [...figure.querySelectorAll(".role-legend-label text")].some((text) => {
                const box = text.getBoundingClientRect();
                return box.top < plot.top - 1 || box.right > plot.right + 1;
            });
        }).map((figure) => figure.id)"""
    )
    assert cut == []
    page.close()
