"""Cut-outs with exact masks, a category, a coarse class, a drawing style and a licence, split by instance.

The drawings come from five hands joined by OpenMoji's code points, the photographs from Tux Paint's stamps.
Near-duplicates (by perceptual hash) and the versions of one drawing are dealt to one split; a second split holds
whole categories out.
"""

import io
import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import webdataset
from PIL import Image
from pydantic import Field

from gauntlet.errors import ArgumentError, DataError
from gauntlet.metrics.duplicates import deal, difference_hash, near_duplicates
from gauntlet.readers.objects import decode
from gauntlet.shifts.cutouts import fill_outline, remove_specks, trim
from stages import Out, Shares
from stages import Params as StageParams
from stages.files import write_gallery
from stages.machine import parallel
from stages.objects.catalogue import Entry, drawings, photographs, read_names

SHARD = 1000


class Params(StageParams):
    """What to keep and how to split it."""

    seed: int
    max_side_px: int = Field(ge=8)
    min_side_px: int = Field(ge=1)
    duplicate_bits: int = Field(ge=0, le=128)
    shares: Shares


def render(entry: Entry, *, max_side_px: int) -> np.ndarray:
    """Render one entry to a trimmed cut-out.

    Raises:
        DataError: The picture is broken or shows nothing.
    """
    data, where = entry.data, f"{entry.source}: {entry.original}"
    if data.lstrip().startswith((b"<svg", b"<?xml")):
        import resvg_py

        try:
            data = bytes(resvg_py.svg_to_bytes(svg_string=data.decode(), width=max_side_px, skip_system_fonts=True))
        except ValueError as error:
            raise DataError(f"{where} must be a drawing in SVG; {error}; truncated?") from None
    rgba = decode(data, where=where, mode="RGBA")
    if entry.style == "outline":
        rgba = fill_outline(rgba)
    try:
        return trim(remove_specks(rgba), max_side=max_side_px)
    except ArgumentError as error:
        raise DataError(f"{where}: {error}") from None


def split(entries: list[Entry], hashes: list[int], params: Params) -> pd.DataFrame:
    """Build the manifest's columns of group and both splits."""
    frame = pd.DataFrame(
        [(e.key, e.category, e.coarse, e.style, e.source, e.licence, e.original, e.drawing) for e in entries],
        columns=["key", "category", "coarse", "style", "source", "licence", "original", "drawing"],
    )
    look_alike = near_duplicates(hashes, distance=params.duplicate_bits)
    frame["group"] = _join(look_alike, pd.factorize(frame["drawing"])[0].tolist())
    generator = np.random.default_rng(params.seed)
    strata = {
        group: [*rows["category"].unique(), *(rows["coarse"] + "/" + rows["style"]).unique()]
        for group, rows in frame.groupby("group", sort=True)
    }
    frame["split"] = frame["group"].map(deal(strata, shares=params.shares, generator=generator))
    wholes = {name: list(rows["coarse"].unique()) for name, rows in frame.groupby("category", sort=True)}
    frame["split_category"] = frame["category"].map(deal(wholes, shares=params.shares, generator=generator))
    frame["phash"] = [f"{value:032x}" for value in hashes]
    return frame.drop(columns="drawing")


def _join(first: list[int], second: list[int]) -> list[int]:
    """Number the connected groups of two groupings of the same rows."""
    label = list(range(len(first)))
    changed = True
    while changed:
        changed = False
        for grouping in (first, second):
            least: dict[int, int] = {}
            for row, group in enumerate(grouping):
                least[group] = min(least.get(group, label[row]), label[row])
            for row, group in enumerate(grouping):
                if label[row] != least[group]:
                    label[row], changed = least[group], True
    return label


def run(
    params: Params,
    *,
    stamps: Path,
    openmoji: Path,
    noto: Path,
    fxemoji: Path,
    fluent_flat: Path,
    fluent_3d: Path,
    objects: Out,
) -> None:
    """Render, clean, hash and split every picture."""
    sources = {
        "openmoji": openmoji,
        "noto": noto,
        "fxemoji": fxemoji,
        "fluent_flat": fluent_flat,
        "fluent_3d": fluent_3d,
    }
    names = read_names()
    entries = [*drawings(sources, names), *photographs(stamps, names)]
    pictures = parallel(partial(render, max_side_px=params.max_side_px), entries, what="cut-outs")
    kept = [n for n, picture in enumerate(pictures) if max(picture.shape[:2]) >= params.min_side_px]
    entries, pictures = [entries[n] for n in kept], [pictures[n] for n in kept]
    frame = split(entries, [difference_hash(picture) for picture in pictures], params)
    frame["width"] = [picture.shape[1] for picture in pictures]
    frame["height"] = [picture.shape[0] for picture in pictures]
    (objects / "shards").mkdir(parents=True)
    frame.to_parquet(objects / "manifest.parquet", index=False)
    _write_shards(objects / "shards", frame=frame, pictures=pictures)
    _write_samples(objects / "samples", frame=frame, pictures=pictures)


def _write_shards(folder: Path, *, frame: pd.DataFrame, pictures: list[np.ndarray]) -> None:
    records = frame.to_dict("records")
    for begin in range(0, len(records), SHARD):
        with webdataset.TarWriter(str(folder / f"objects-{begin // SHARD:04d}.tar"), mtime=0) as shard:
            for record, picture in zip(records[begin : begin + SHARD], pictures[begin : begin + SHARD], strict=True):
                png = io.BytesIO()
                Image.fromarray(picture).save(png, "PNG", compress_level=3)
                shard.write(
                    {"__key__": record["key"], "png": png.getvalue(), "json": json.dumps(record, sort_keys=True)}
                )


def _write_samples(folder: Path, *, frame: pd.DataFrame, pictures: list[np.ndarray]) -> None:
    """Show, for one well-covered category of each coarse class, one cut-out of each style."""
    rows = []
    for coarse, members in frame.groupby("coarse", sort=True):
        styles = members.groupby("category")["style"].nunique()
        category = styles.sort_values(ascending=False, kind="stable").index[0]
        best = members[members["category"] == category].drop_duplicates("style").sort_values("style")
        rows.append((f"{coarse}: {category}", {row["style"]: pictures[n] for n, row in best.iterrows()}))
    write_gallery(
        folder, title="Objects", note="One category of each coarse class, in every drawing style it has.", rows=rows
    )
