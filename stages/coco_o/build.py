"""Shift detection images into COCO-O's six domains, in the official layout, boxes and all.

Sketch and cartoon are drawn anew, in drawings that no detector has learned from, in the boxes of the source image.
Weather, painting, tattoo and handmake render the source image itself. The source is the scenes, or any data set in
COCO's format. Image ids, file names, categories and annotation ids are the source's, so that pictures can be paired.
"""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, Field

from gauntlet.readers.coco import read_coco_o
from gauntlet.readers.folders import named_folder
from gauntlet.readers.objects import CutOut, read_objects
from stages import Out
from stages import Params as StageParams
from stages.coco_files import write_image, write_instances
from stages.coco_o.domains import DOMAINS, Materials
from stages.coco_o.source import Source, backdrops, drawings, read_source, refuse_seen
from stages.files import write_gallery
from stages.machine import parallel


def _ordered(levels: tuple[int, int]) -> tuple[int, int]:
    if levels[0] > levels[1]:
        raise ValueError(f"must be the least and the greatest severity, in this order; got {levels[0]}, {levels[1]}")
    return levels


Level = Annotated[int, Field(ge=1, le=5)]
Levels = Annotated[tuple[Level, Level], AfterValidator(_ordered)]


class Severity(StageParams):
    """Least and greatest severity of each domain, 1 to 5; drawn for each image."""

    sketch: Levels
    weather: Levels
    cartoon: Levels
    painting: Levels
    tattoo: Levels
    handmake: Levels


class Drawn(StageParams):
    """Which cut-outs a drawn domain takes: their packages and their style."""

    sources: tuple[str, ...] = Field(min_length=1)
    style: Literal["outline", "flat", "render"]


class DrawnDomains(StageParams):
    """The domains that exist as drawings."""

    sketch: Drawn
    cartoon: Drawn


class Params(StageParams):
    """What is shifted, and how far.

    Attributes:
        seed: Of everything drawn by lot.
        images: How many images, from the first; null for all.
        source: Name in folders.json of a data set in COCO's format; null for the scenes.
        split: Its split, such as test2017.
        outside: A box that leaves its image is an "error", or "clip" cuts it, for folders made elsewhere.
        background_split: Split of the cartoons' backgrounds.
        severity: By domain.
        drawn: Cut-outs of the drawn domains.
        weather: Kinds of weather; they take turns.
        samples: Rows of the gallery.
    """

    seed: int
    images: int | None = Field(ge=1)
    source: str | None
    split: str
    outside: Literal["error", "clip"]
    background_split: str
    severity: Severity
    drawn: DrawnDomains
    weather: tuple[Literal["fog", "rain", "snow", "frost", "spatter"], ...] = Field(min_length=1)
    samples: int = Field(ge=0)


def shift(index: int, *, source: Source, materials: Materials, params: Params, shifted: Path) -> list[tuple]:
    """Shift one image into every domain and write the images; return record and annotations by domain."""
    picture = source.picture(index)
    described = []
    for number, (domain, make) in enumerate(DOMAINS.items()):
        generator = np.random.default_rng([params.seed, number, index])
        low, high = getattr(params.severity, domain)
        severity = int(generator.integers(low, high + 1))
        made = make(picture, severity=severity, materials=materials, generator=generator)
        record = {**source.records[index], "how": made.how, "severity": severity, **made.extra}
        write_image(shifted / domain / "val2017" / record["file_name"], made.pixels)
        described.append((record, made.annotations))
    return described


def run(params: Params, *, scenes: Path, objects: Path, backgrounds: Path, folders: Path, shifted: Out) -> None:
    """Write the six domains and a gallery."""
    cutouts = read_objects(objects)
    source = read_source(
        named_folder(folders, params.source) if params.source else scenes,
        split=params.split,
        outside=params.outside,
        images=params.images,
        licences={cutout.key: cutout.licence for cutout in cutouts},
    )
    materials = _materials(params, source, cutouts, scenes=scenes, backgrounds=backgrounds)
    work = partial(shift, source=source, materials=materials, params=params, shifted=shifted)
    done = parallel(work, range(len(source)), what="images in six domains")
    for number, domain in enumerate(DOMAINS):
        records, annotations = zip(*(image[number] for image in done), strict=True)
        write_instances(
            shifted / domain / "annotations" / "instances_val2017.json",
            records,
            annotations,
            categories=source.categories,
            about=_about(domain, params, source, records=records, kept=sum(map(len, annotations))),
        )
    rows = list(_rows(source, shifted, params=params))
    write_gallery(
        shifted / "samples",
        title="COCO-O: the same scenes in six domains",
        note="Sketch and cartoon are drawn anew in the boxes of the original, the other four are rendered from it.",
        rows=rows,
    )


def _materials(params: Params, source: Source, cutouts: list[CutOut], *, scenes: Path, backgrounds: Path) -> Materials:
    """Gather drawings and backgrounds, and refuse drawings that were trained on."""
    drawn = {
        domain: drawings(cutouts, sources=wish.sources, style=wish.style, categories=source.categories)
        for domain, wish in params.drawn
    }
    refuse_seen([cutout for names in drawn.values() for found in names.values() for cutout in found], scenes)
    return Materials(drawn, backdrops(backgrounds, params.background_split), params.weather)


def _about(domain: str, params: Params, source: Source, *, records: tuple[dict, ...], kept: int) -> dict:
    """Write the `info` of a domain: how it was made, from what, and what could not be kept."""
    return {
        "description": f"Gauntlet COCO-O, {domain}",
        "domain": domain,
        "images_by_how": dict(Counter(record["how"] for record in records)),
        "seed": params.seed,
        "severity": list(getattr(params.severity, domain)),
        "source": params.source or "scenes",
        "split": params.split,
        "objects_hidden": sum(map(len, source.annotations)) - kept,
        "boxes_mended": {**source.data.mended, "left_out": source.unsized},
    }


def _rows(source: Source, shifted: Path, *, params: Params) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Show some originals beside their shifts, as a detector reads them."""
    built = read_coco_o(shifted)
    step = len(source) // max(1, params.samples) + 1  # one more, so that the kinds of weather change
    for index in range(0, len(source), step):
        captions = {domain: data.images[index].open() for domain, data in built.items()}
        yield source.records[index]["file_name"], {"original": source.data.images[index].open(), **captions}
