"""The card in a real browser: it opens from disk without a network, draws its charts and lets nothing quoted run."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from gauntlet.readers.classification import read_images
from stages.audit import __main__ as door
from tests.fixtures.robust_scores import write_ares_bench_score
from tests.stages.audit.conftest import lay_out
from tests.stages.summary.conftest import browser, on_a_desk  # noqa: F401

HOSTILE = "<img src=x onerror='window.hacked=1'>\"{{ 7 * 7 }}<script>window.hacked=2<"
"""As far as a folder's name can go: it holds no slash."""


@pytest.fixture(scope="module")
def card(tmp_path_factory) -> Path:
    """The card of a model on a folder one of whose classes would do harm, beside two models of ours."""
    root = lay_out(tmp_path_factory.mktemp("page"))
    images = read_images(root / "data/built/objects32", "test")
    names = ["banana", "bus", HOSTILE]
    for place, (x, label) in enumerate(zip(images.x, images.labels, strict=True)):
        folder = root / "data/objects" / names[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(x).save(folder / f"{place}.png")
    for model, radius in (("plain", 0.005), ("fgsm_law", 0.09)):
        path = write_ares_bench_score(root / "data/scores", model=model, radius=radius, clean=0.8, data="objects")
        score = json.loads(path.read_text())
        score["results"]["largest"] = 32 / 255
        path.write_text(json.dumps(score | {"n": 6, "seeds": [0]}))
    order = "audited_models:sorted_colour"
    (root / "audited_models.py").write_text(
        (root / "audited_models.py").read_text()
        + "\n\ndef sorted_colour():\n    return Given(lambda logits: logits[:, [2, 0, 1]])\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.syspath_prepend(str(root))
        patch.delitem(sys.modules, "audited_models", raising=False)
        patch.setattr(door, "limit_threads", lambda _: None)
        patch.setattr(door, "unwind_on_sigterm", lambda: None)
        suites = "curves,frequency,corruptions,defences"
        assert door.main([order, "--data", "data/objects", "--images", "6", "--suites", suites, "--out", "card"]) == 0
    return root / "card/card.html"


@pytest.fixture(scope="module")
def page(browser: Browser, card: Path) -> Iterator[Page]:  # noqa: F811
    """The card on a desk; by the end it must have said nothing and asked for nothing."""
    with on_a_desk(browser, card) as page:
        yield page


def test_every_chart_is_drawn_beside_the_models_trained_here(page: Page):
    drawn = page.locator("figure.chart svg").count()
    assert drawn == page.locator("figure.chart").count() == 7
    legend = page.locator("#chart-ares_bench-curve-linf-objects .role-legend-label text").all_text_contents()
    assert set(legend) == {"this model", "plain", "fgsm_law"}


def test_the_numbers_on_the_page_are_those_of_the_json(page: Page, card: Path):
    found = json.loads((card.parent / "card.json").read_text())
    clean = page.locator("#results tbody tr", has_text="Clean top-1").locator("td").first.inner_text()
    assert clean.replace("\u202f", " ") == f"{100 * found['results']['clean']['value']:.1f} %"
    rows = page.locator("#standing tbody tr")
    assert rows.count() == found["standing"][0]["of"] == 3
    assert found["standing"][0]["rank"] == 1 + rows.evaluate_all(
        "rows => rows.findIndex(r => r.className == 'audited')"
    )
    flags = page.locator(".warning li").all_inner_texts()
    assert flags == found["flags"]
    assert any("behind JPEG" in flag for flag in flags)


def test_a_hostile_class_name_is_words_alone(page: Page):
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src=x]").count() == 0
    assert page.get_by_text("{{ 7 * 7 }}").count() > 0


def test_every_picture_decodes(page: Page):
    widths = page.evaluate(
        """async () => {
            const pictures = [...document.querySelectorAll(".picture img")];
            await Promise.all(pictures.map((picture) => ((picture.loading = "eager"), picture.decode())));
            return pictures.map((picture) => picture.naturalWidth);
        }"""
    )
    assert len(widths) > 6
    assert set(widths) == {32}


def test_a_phone_needs_no_sideways_scroll(browser: Browser, card: Path):  # noqa: F811
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(card.as_uri())
    page.wait_for_selector("html[data-charts=drawn]")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()
