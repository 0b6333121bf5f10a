"""All scores on one page: what was measured, how sure it is, what the paper says, and where it came from.

Reads every score, the galleries that the data sets carry, the histories of the models and a few answers, and writes a
page that opens from disk without a network, the headlines as DVC metrics, tidy tables for `dvc plots`, and the template
that lets `dvc plots` do without a network too.
"""

import csv
from pathlib import Path

from pydantic import Field

from gauntlet.errors import DataError
from stages import Out
from stages import Params as StageParams
from stages.files import write_json
from stages.summary import (
    ares_bench,
    coco_o,
    fairberts,
    fgsm_law,
    iap_face,
    imagenet_e,
    s_eval,
    safe_clip,
    training,
    transaudio,
    wapat,
)
from stages.summary.galleries import find_galleries, read_gallery
from stages.summary.listening import find_players
from stages.summary.page import plots_page, render_page
from stages.summary.readings import Score, read_histories, read_scores
from stages.summary.s_eval_answers import find_records
from stages.summary.sections import build_sections

COLUMNS = {
    "fgsm_law": (
        *("subject", "data", "eps", "method", "seed", "cost", "collapsed"),
        *("attack", "top1", "low", "high", "n"),
    ),
    "ares_bench": ("method", "subject", "data", "quantity", "x", "value", "low", "high"),
    "ares_bench_transfer": ("data", "attack", "source", "subject", "robust_top1"),
    "coco_o": ("subject", "domain", "ap", "low", "high", "n", "relative_drop", "drop_low", "drop_high"),
    "imagenet_e": ("subject", "setting", "drop", "low", "high", "n"),
    "safe_clip": ("subject", "method", "quantity", "name", "x", "value", "low", "high", "n"),
    "wapat": ("subject", "quantity", "name", "x", "wer", "low", "high", "n"),
    "transaudio": ("subject", "made", "edit", "victim", "quantity", "value", "low", "high", "n"),
    "s_eval": ("subject", "judge", "quantity", "name", "x", "value", "low", "high", "n"),
    "fairberts": ("subject", "method", "part", "quantity", "weight", "value", "low", "high", "n"),
    "iap_face": ("subject", "method", "view", "quantity", "value", "low", "high", "n"),
    "training": ("method", "subject", "epoch", "quantity", "value"),
}
"""The tables for `dvc plots` and their columns."""
TABLES = {
    "fgsm_law": fgsm_law.table,
    "ares_bench": ares_bench.table,
    "coco_o": coco_o.table,
    "imagenet_e": imagenet_e.table,
    "safe_clip": safe_clip.table,
    "wapat": wapat.table,
    "transaudio": transaudio.table,
    "s_eval": s_eval.table,
    "fairberts": fairberts.table,
    "iap_face": iap_face.table,
}


class Params(StageParams):
    """What of the galleries goes into the page.

    Attributes:
        rows: At most so many rows of each gallery and of each set of players, and answers of each victim.
        side_px: Longest side of a picture in the page, in px.
        quality: Of its WebP, 1 to 100.
        page_mib: The page may not grow beyond this.
    """

    rows: int = Field(ge=0)
    side_px: int = Field(ge=16, le=2048)
    quality: int = Field(ge=1, le=100)
    page_mib: float = Field(gt=0)


def run(
    params: Params,
    *,
    scores: Path,
    built: Path,
    attacked: Path,
    answers: Path,
    models: Path,
    page: Out,
    summary: Out,
    plots: Out,
    plots_template: Out,
) -> None:
    """Write the page, the headlines, the tables and the template."""
    found = read_scores(scores)
    histories = read_histories(models)
    galleries = [
        read_gallery(folder, name=name, rows=params.rows, side_px=params.side_px, quality=params.quality)
        for name, folder in find_galleries(built, attacked, scores)
    ]
    players = find_players(built, attacked, scores, rows=params.rows)
    records = find_records(answers, attacked, found, rows=params.rows)
    sections = build_sections(found, histories=histories, galleries=galleries, players=players, records=records)
    text = render_page(sections, scores=found)
    if len(text.encode()) > params.page_mib * 2**20:
        raise DataError(
            f"the page must stay within page_mib = {params.page_mib:g}; it takes {len(text.encode()) / 2**20:.1f} MiB; "
            "lower rows, side_px or quality"
        )
    page.write_text(text)
    write_json(summary, headlines(found))
    by_method = {slug: [score for score in found if score.method == slug] for slug in TABLES}
    tables = {slug: table(by_method[slug]) for slug, table in TABLES.items()}
    tables["ares_bench_transfer"] = ares_bench.transfer_table(by_method["ares_bench"])
    tables["training"] = training.table(histories)
    for name, rows in tables.items():
        write_table(plots / f"{name}.csv", rows, columns=COLUMNS[name])
    plots_template.write_text(plots_page())


def headlines(scores: list[Score]) -> dict:
    """Nest each headline as method, subject, name: what `dvc metrics show` prints."""
    nested: dict = {}
    for score in scores:
        headline = score.headline
        nested.setdefault(score.method, {})[score.subject] = {
            headline.name: {"value": headline.value, "low": headline.low, "high": headline.high, "n": headline.n}
        }
    return nested


def write_table(path: Path, rows: list[dict], *, columns: tuple[str, ...]) -> None:
    """Write rows as CSV, with its header even where there are none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
