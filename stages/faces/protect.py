"""Protect a folder of pictures: each is written anew, with a message and a perturbation within eps."""

import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from gauntlet.errors import ArgumentError, DataError
from gauntlet.metrics.image_quality import psnr_db
from stages.faces.marking import Marker, NoFaceError, places, refuse_protected
from stages.faces.pictures import JPEG_QUALITY, MAX_PIXELS, Picture, each, listed, load, save
from stages.faces.regions import nearby_regions
from stages.files import write_json
from stages.progress import track

BOUND_DB = 100.0
"""The greatest PSNR that is stated: JSON has no infinity."""


@dataclass(frozen=True)
class How:
    """How pictures are treated.

    Attributes:
        whole: Protect whole pictures, without looking for faces.
        again: Protect also those that carry a message.
        max_pixels: Larger ones are refused.
        quality: Of JPEGs, 1 to 95.
    """

    whole: bool = False
    again: bool = False
    max_pixels: int = MAX_PIXELS
    quality: int = JPEG_QUALITY

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 95:
            raise ArgumentError(f"--quality must lie in 1..95; got {self.quality}")
        if self.max_pixels < 1:
            raise ArgumentError(f"--max-pixels must be at least 1; got {self.max_pixels}")


def check_out(out: Path, *, folder: Path) -> None:
    """Refuse a place where something would be overwritten or mixed.

    Raises:
        ArgumentError: It exists and is not empty, or lies in the folder of the pictures.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ArgumentError(f"--out must be new or an empty folder; {out} holds something; nothing is overwritten")
    if out.resolve().is_relative_to(folder.resolve()):
        raise ArgumentError(f"--out must lie outside {folder}; got {out}; beside it?")


def protect_folder(folder: Path, out: Path, *, marker: Marker, id: int, how: How) -> dict[str, list[dict]]:
    """Protect the pictures below a folder into `out`, under the same names, and write report.json there.

    What cannot be protected is named on stderr and in the report; the others are done all the same.

    Args:
        folder: Of the pictures.
        out: An empty or new folder.
        marker: Protector and code.
        id: What they shall carry.
        how: How they are treated.

    Returns:
        The report's rows: "protected", "skipped" (no face) and "refused".

    Raises:
        ArgumentError: The id does not fit, or there is no picture.
    """
    message = "".join(str(int(bit)) for bit in marker.code.encode(id))
    paths = listed(folder)
    rows: dict[str, list[dict]] = {"protected": [], "skipped": [], "refused": []}
    out.mkdir(parents=True, exist_ok=True)
    for path, picture in track(each(paths, max_pixels=how.max_pixels), what="pictures", total=len(paths)):
        name = path.relative_to(folder).as_posix()
        try:
            if isinstance(picture, DataError):
                raise picture
            rows["protected"].append({"file": name} | _protect(picture, out / name, marker=marker, id=id, how=how))
        except NoFaceError as error:
            rows["skipped"].append({"file": name, "why": str(error)})
            print(f"faces protect: skipped: {error}", file=sys.stderr, flush=True)
        except DataError as error:
            rows["refused"].append({"file": name, "why": str(error)})
            print(f"faces protect: refused: {error}", file=sys.stderr, flush=True)
    stated = {"id": id, "message": message, "eps": marker.protector.eps, "false_positive_rate": marker.code.blind_rate}
    write_json(out / "report.json", stated | rows)
    return rows


def _protect(picture: Picture, path: Path, *, marker: Marker, id: int, how: How) -> dict:
    boxes = places(picture, whole_picture=how.whole)
    if not how.again:
        refuse_protected(picture, marker, whole_picture=how.whole)
    save(picture, marker.protect(picture.rgb, boxes, id=id), path, quality=how.quality)
    written = load(path, max_pixels=how.max_pixels)
    found = [] if how.whole else nearby_regions(written.rgb)
    reading = marker.read(written.rgb, found, claimed=id)
    before, after = (torch.from_numpy(rgb)[None].float() / 255 for rgb in (picture.rgb, written.rgb))
    if not reading.found:
        print(
            f"faces protect: {picture.path}: its message does not come back; too small, or JPEG too strong?",
            file=sys.stderr,
        )
    return {
        "regions_px": [list(box) for box in boxes],
        "largest_change": round((after - before).abs().max().item(), 4),
        "psnr_db": round(min(BOUND_DB, psnr_db(before, after).item()), 3),
        "matches": reading.matches,
        "bits": reading.bits,
        "reads_back": reading.found,
    }
