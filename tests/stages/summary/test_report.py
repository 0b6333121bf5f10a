import base64
import csv
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from dvc_render.html import HTML
from pydantic import ValidationError

from gauntlet.errors import DataError
from stages.summary import report
from stages.summary.methods import METHODS
from tests.fixtures.scores import interval, write_coco_o_score, write_history, write_pictures, write_results

PARAMS = {"rows": 24, "side_px": 64, "quality": 80, "page_mib": 15.0}
HOSTILE = """</script><script>window.hacked = 1</script><img src=x onerror="window.hacked = 2">'"{{ 7 * 7 }}"""


def make(data: Path, out: Path, **changes: float) -> Path:
    """Run the stage over `data` into `out` and return the page."""
    out.mkdir(parents=True)
    report.run(
        report.Params(**(PARAMS | changes)),
        scores=data / "scores",
        built=data / "built",
        attacked=data / "attacked",
        answers=data / "answers",
        models=data / "models",
        page=out / "index.html",
        summary=out / "summary.json",
        plots=out / "plots",
        plots_template=out / "plots.html",
    )
    return out / "index.html"


class Reader(HTMLParser):
    """Collects a page's elements, its scripts, and the table rows' texts."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements:
            self.texts.append((self.elements[-1][0], data))

    def tags(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = write_results(tmp_path_factory.mktemp("data"))
    make(data, data / "report")
    return data


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "report/index.html").read_text()


def test_page_has_a_row_for_each_of_the_ten_methods_in_order(page: str):
    rows = re.findall(r'<tr id="row-(\w+)">', page)
    assert rows == [method.slug for method in METHODS]
    assert len(rows) == 10
    assert page.count("To come; not measured yet") == 8


def test_row_states_result_interval_paper_and_difference(page: str):
    row = " ".join(page.split('<tr id="row-coco_o">')[1].split("</tr>")[0].split()).replace("\u202f", " ")
    assert "22.6 %" in row
    assert "[21.8, 23.4]" in row
    assert "16.4 % AP" in row
    assert "37.4 %" in row
    assert "Data: small scenes" in row
    drop = page.split('<tr id="row-imagenet_e">')[1].split("</tr>")[0].replace("\u202f", " ")
    assert "14.0 points" in drop
    assert "15.72 points" in drop


def test_every_number_names_its_origin(folder: Path, page: str):
    for file in (folder / "scores").rglob("*.json"):
        score = json.loads(file.read_text())
        block = page.split(f'id="{score["method"]}--{score["subject"]}"')[1].split("</details>")[0]
        assert score["stage"] in block
        assert score["scorer"] in block
        for path, md5 in score["inputs"].items():
            assert path in block
            assert md5 in block
        assert "&#34;resamples&#34;: 1000" in block


def test_page_asks_for_nothing_outside_itself(page: str):
    reader = Reader(page)
    links = [value for _, attributes in reader.elements for key, value in attributes.items() if key in ("src", "href")]
    assert links
    assert all(link.startswith(("#", "data:")) for link in links)
    assert not reader.tags("iframe") + reader.tags("object") + reader.tags("base")
    assert "url(" not in "".join(text for tag, text in reader.texts if tag == "style")


def test_policy_allows_just_the_scripts_of_the_page(page: str):
    policy = next(meta["content"] for meta in Reader(page).tags("meta") if "http-equiv" in meta)
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    assert len(scripts) == 2
    assert policy.split("script-src ")[1].split() == [f"'sha256-{digest}'" for digest in digests]
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy


def test_every_picture_is_inlined_with_words_for_those_who_cannot_see_it(folder: Path, page: str):
    pictures = [image for image in Reader(page).tags("img") if image["src"].startswith("data:image/webp;base64,")]
    assert len(pictures) == len(list(folder.glob("*/*/samples/*.png")))
    assert all(image["alt"] and int(image["width"]) <= PARAMS["side_px"] for image in pictures)


def test_same_inputs_same_bytes(folder: Path, tmp_path: Path):
    again = make(folder, tmp_path / "again").parent
    first = folder / "report"
    names = sorted(file.relative_to(first) for file in first.rglob("*") if file.is_file())
    assert len(names) == 15
    for name in names:
        assert (first / name).read_bytes() == (again / name).read_bytes(), name


def test_whatever_a_score_a_gallery_or_a_history_says_is_text(tmp_path: Path, page: str):
    data = write_results(tmp_path)
    file = data / "scores/coco_o/fcos.json"
    score = json.loads(file.read_text())
    score |= {"subject": HOSTILE, "scorer": HOSTILE, "device": HOSTILE, "stage": HOSTILE}
    score |= {"inputs": {HOSTILE: HOSTILE}, "versions": {HOSTILE: HOSTILE}, "params": {HOSTILE: [HOSTILE]}}
    score["headline"] |= {"name": HOSTILE, "interval": HOSTILE}
    score["results"]["domains"][HOSTILE] = {key: interval(0.8) for key in ("ap", "drop", "relative_drop")}
    file.write_text(json.dumps(score))
    file = data / "built/coco_o/samples/gallery.json"
    gallery = json.loads(file.read_text()) | {"title": HOSTILE, "note": HOSTILE}
    gallery["rows"][0]["caption"] = gallery["rows"][0]["images"][0]["label"] = HOSTILE
    file.write_text(json.dumps(gallery))
    write_history(data / "models", method="coco_o", model="<i>&'\"", quantity=HOSTILE)

    hostile = make(data, tmp_path / "report").read_text()

    def kinds(text: str) -> set[tuple[str, ...]]:
        return {(tag, *sorted(attributes)) for tag, attributes in Reader(text).elements}

    assert kinds(hostile) == kinds(page)
    assert len(re.findall(r"<script>", hostile)) == 2
    assert "{{ 7 * 7 }}" in hostile


def test_summary_nests_method_subject_and_name(folder: Path):
    summary = json.loads((folder / "report/summary.json").read_text())
    assert summary["coco_o"]["fcos"] == {"ap": {"value": 0.2256, "low": 0.2176, "high": 0.2336, "n": 400}}
    assert set(summary["imagenet_e"]) == {"plain", "improved"}


def test_tables_are_tidy(folder: Path):
    def read(name: str) -> list[dict[str, str]]:
        with (folder / "report/plots" / name).open(newline="") as stream:
            return list(csv.DictReader(stream))

    domains = read("coco_o.csv")
    assert len(domains) == 3 * 7
    assert {"subject": "fcos", "domain": "source", "ap": "0.47"}.items() <= domains[7].items()
    assert len(read("imagenet_e.csv")) == 2 * 11
    training = read("training.csv")
    assert len(training) == 5 * 8 * 2
    assert {row["quantity"] for row in training} == {"loss", "ap", "top1"}


def test_dvc_fills_the_template_and_needs_no_network(folder: Path):
    text = HTML((folder / "report/plots.html").read_text()).with_scripts("SCRIPTS").with_element("<b>plot</b>").embed()
    assert "<b>plot</b>" in text
    assert "SCRIPTS" not in text
    assert not re.search(r"<(script|link)[^>]+(src|href)=", text)


def test_before_the_first_score_all_ten_are_to_come(tmp_path: Path):
    for name in ("scores", "built", "attacked", "models"):
        (tmp_path / name).mkdir()
    page = make(tmp_path, tmp_path / "report").read_text()
    assert page.count("To come; not measured yet") == 10
    assert json.loads((tmp_path / "report/summary.json").read_text()) == {}


def test_page_keeps_within_its_limit(tmp_path: Path):
    data = tmp_path / "data"
    write_coco_o_score(data / "scores", detector="fcos", source=0.4)
    write_pictures(data / "built/coco_o/samples", title="Six domains", labels=("original", "sketch"))
    for name in ("attacked", "models"):
        (data / name).mkdir()
    with pytest.raises(DataError, match=r"must stay within page_mib = 0\.5; it takes 0\.9 MiB; lower rows"):
        make(data, tmp_path / "report", page_mib=0.5)


def test_fewer_rows_are_said_to_be_fewer(folder: Path, tmp_path: Path):
    page = make(folder, tmp_path / "report", rows=2).read_text()
    assert page.count("4 further rows are in the folder") == 3


@pytest.mark.parametrize("change", [{"rows": -1}, {"quality": 0}, {"side_px": 4}, {"page_mib": 0}, {"row": 3}])
def test_params_are_checked(change: dict):
    with pytest.raises(ValidationError):
        report.Params(**(PARAMS | change))
