"""SAFE and IAP in a real browser: every figure and gallery is drawn, and what names hold is text."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.fixtures.iap_scores import write_iap_results
from tests.fixtures.safe_clip_scores import SETS, write_safe_clip_results
from tests.stages.summary.test_report import HOSTILE, make

FIGURES = (4 + len(SETS) + 2) + (6 + 2)
"""The methods' own, and two of training curves each."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("data")
    write_safe_clip_results(data)
    write_iap_results(data)
    file = data / "scores/safe_clip/generalisation.json"
    score = json.loads(file.read_text())
    score["results"]["targets"][HOSTILE] = score["results"]["targets"]["flat"]
    score["results"]["source"] = HOSTILE
    file.write_text(json.dumps(score))
    return make(data, data / "report", rows=12)


def test_every_chart_is_drawn(page: Page):
    assert page.locator("figure.chart svg").count() == page.locator("figure.chart").count() == FIGURES


def test_both_galleries_are_shown(page: Page):
    assert page.locator("#safe_clip figure.row").count() == 3
    assert page.locator("#iap_face figure.row").count() == 3


def test_whatever_a_score_holds_is_text(page: Page):
    assert page.evaluate("window.hacked") is None


def test_nothing_is_wider_than_the_page(page: Page):
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_summary_and_tables_have_both(report: Path):
    summary = json.loads((report.parent / "summary.json").read_text())
    assert summary["iap_face"].keys() == {"stargan", "attgan", "attention", "message"}
    assert summary["safe_clip"].keys() == {"means", "generalisation", *SETS}
    for name in ("safe_clip", "iap_face"):
        assert len((report.parent / f"plots/{name}.csv").read_text().splitlines()) > 100
