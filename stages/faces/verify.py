"""Verify a folder of pictures: which carry a message, which one, and how sure that is."""

import sys
from dataclasses import asdict
from pathlib import Path

from gauntlet.errors import DataError
from stages.faces.marking import Marker
from stages.faces.pictures import each, listed
from stages.faces.protect import How
from stages.faces.regions import nearby_regions
from stages.progress import track


def verify_folder(folder: Path, *, marker: Marker, claimed: int | None, how: How) -> dict[str, list[dict]]:
    """Read the pictures below a folder.

    Args:
        folder: Of the pictures.
        marker: Protector and code.
        claimed: The id they should carry; None to look for any.
        how: How they are treated: with `whole`, faces are not looked for.

    Returns:
        "pictures": file, found, id, matches, bits, false_positive_rate; "refused": file and why.

    Raises:
        ArgumentError: There is no picture, or the id does not fit.
    """
    if claimed is not None:
        marker.code.encode(claimed)
    paths = listed(folder)
    rows: dict[str, list[dict]] = {"pictures": [], "refused": []}
    for path, picture in track(each(paths, max_pixels=how.max_pixels), what="pictures", total=len(paths)):
        name = path.relative_to(folder).as_posix()
        if isinstance(picture, DataError):
            rows["refused"].append({"file": name, "why": str(picture)})
            print(f"faces verify: refused: {picture}", file=sys.stderr, flush=True)
            continue
        boxes = [] if how.whole else nearby_regions(picture.rgb)
        rows["pictures"].append({"file": name} | asdict(marker.read(picture.rgb, boxes, claimed=claimed)))
    return rows


def line(row: dict) -> str:
    """Say in one line what a picture carries.

    >>> line({"file": "a.png", "found": True, "id": 7, "matches": 29, "bits": 30, "false_positive_rate": 4e-4})
    'a.png: id 7, 29 of 30 bits agree (1 of 2500 unprotected pictures says as much)'
    """
    if not row["found"]:
        other = "no message" if row["id"] is None else f"id {row['id']}, not the one claimed"
        return f"{row['file']}: {other}"
    sure = f"1 of {1 / row['false_positive_rate']:.0f} unprotected pictures says as much"
    read = "the claimed id" if row["id"] is None else f"id {row['id']}"
    return f"{row['file']}: {read}, {row['matches']} of {row['bits']} bits agree ({sure})"
