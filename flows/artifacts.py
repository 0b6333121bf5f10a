"""What a run leaves in Prefect: tables of stages and scores, the diff, pictures, and a link to the report."""

import base64
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from prefect.artifacts import (
    create_image_artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)

from flows.leash import dvc
from flows.plan import Record
from flows.runner import Outcome

THUMBNAIL_PX = 112
ROWS, COLUMNS = 6, 8
MARKDOWN_LIMIT = 20_000


def key(*words: str) -> str:
    """Join words to an artifact key: lower-case letters, digits and dashes.

    >>> key("score", "coco_o-score@fcos")
    'score-coco-o-score-fcos'
    """
    return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")


def stage_artifacts(record: Record, *, root: Path) -> None:
    """Leave the score and the pictures that one stage wrote."""
    for out in record.outs:
        row = score_row(root / out) if out.endswith(".json") else None
        if row:
            create_table_artifact([row], key=key("score", record.stage), description=f"`{out}`")
        sheet = contact_sheet(root / out / "samples")
        if sheet:
            samples = (root / out / "samples").as_uri()
            create_image_artifact(sheet, key=key("samples", record.stage), description=f"`{out}/samples`")
            create_link_artifact(samples, link_text=f"{out}/samples", key=key("folder", record.stage))


def score_row(path: Path) -> dict[str, Any] | None:
    """Return the headline of a score file as one table row, or None if the file is no score."""
    try:
        score = json.loads(path.read_text(encoding="utf-8"))
        headline = score["headline"]
        interval = [headline.get("low"), headline.get("high")]
        return {
            "method": score["method"],
            "subject": score.get("subject"),
            "score": headline["name"],
            "value": headline["value"],
            "low": interval[0],
            "high": interval[1],
            "n": headline.get("n"),
            "interval": headline.get("interval"),
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def contact_sheet(samples: Path) -> str | None:
    """Draw the first rows of a gallery as one JPEG and return it as a data URI, which needs no web server."""
    try:
        rows = json.loads((samples / "gallery.json").read_text(encoding="utf-8"))["rows"][:ROWS]
        names = [[image["file"] for image in row["images"][:COLUMNS]] for row in rows]
        width = max(map(len, names))
        sheet = Image.new("RGB", (width * THUMBNAIL_PX, len(names) * THUMBNAIL_PX), "white")
        for y, row in enumerate(names):
            for x, name in enumerate(row):
                with Image.open(samples / Path(name).name) as picture:
                    small = picture.convert("RGB")
                small.thumbnail((THUMBNAIL_PX - 4, THUMBNAIL_PX - 4))
                sheet.paste(small, (x * THUMBNAIL_PX + 2, y * THUMBNAIL_PX + 2))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def run_artifacts(outcomes: Sequence[Outcome], blocked: Mapping[str, str], *, root: Path) -> None:
    """Leave the tables, the diff against the last commit and the link to the report."""
    create_table_artifact(stage_rows(outcomes, blocked), key="stages", description="What was due, and how it ended")
    scores = [row for path in sorted((root / "data" / "scores").rglob("*.json")) if (row := score_row(path))]
    if scores:
        create_table_artifact(scores, key="scores", description="The headline of each score")
    create_markdown_artifact(difference(root), key="difference", description="Against the last commit")
    report = root / "data" / "report" / "index.html"
    if report.exists():
        create_link_artifact(report.as_uri(), link_text="data/report/index.html", key="report")


def stage_rows(outcomes: Iterable[Outcome], blocked: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the table of stages: ended ones first, then those that a failure left undone."""
    rows: list[dict[str, Any]] = [
        {
            "stage": outcome.stage,
            "result": outcome.result,
            "seconds": round(outcome.seconds, 1),
            "exit": outcome.exit_code,
            "note": outcome.reason if outcome.result == "failed" else "",
        }
        for outcome in outcomes
    ]
    return rows + [
        {"stage": stage, "result": "blocked", "seconds": 0.0, "exit": "", "note": f"waits for {above}"}
        for stage, above in blocked.items()
    ]


def difference(root: Path) -> str:
    """Return `dvc params diff` and `dvc metrics diff` against the last commit, as Markdown."""
    parts = []
    for what in ("params", "metrics"):
        ended = dvc([what, "diff", "--md"], root=root, timeout_s=60)
        text = "\n".join(ended.lines).strip() or "no change"
        if len(text) > MARKDOWN_LIMIT:
            text = text[:MARKDOWN_LIMIT].rsplit("\n", 1)[0] + f"\n\ncut here; the whole: `dvc {what} diff`"
        parts.append(f"## {what}\n\n{text}")
    return "\n\n".join(parts)
