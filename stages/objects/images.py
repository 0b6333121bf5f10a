"""Classification images: one object over a real background, with its mask, in every drawing style.

One run writes one size (`objects32`, `objects128`). The classes are the things with enough cut-outs in every split.
"""

import io
import json
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import webdataset
from PIL import Image
from pydantic import Field

from gauntlet.errors import ArgumentError
from gauntlet.readers.objects import CutOut, read_backgrounds, read_objects
from gauntlet.shifts.compositing import Placement, arrange, compose, random_crop
from stages import Counts, Out, Span
from stages import Params as StageParams
from stages.files import write_gallery, write_json
from stages.machine import parallel

SPLITS = ("train", "val", "test")
SHARD = 2000


class Params(StageParams):
    """Size and make-up of the images.

    Attributes:
        level: "category" (named things) or "coarse".
        split: "picture" (known cut-outs, newly placed over unseen backgrounds), "instance" (unseen cut-outs of known
            things) or "category" (whole things held out; level coarse only).
        images: Number of images a split.
        scale: Least and greatest longest side of the object, as a share of the image.
        classes: Names of the classes; null for all.
        least_cutouts: Classes with fewer cut-outs in the train split are left out.
    """

    seed: int
    size_px: int = Field(ge=16)
    level: Literal["category", "coarse"]
    split: Literal["picture", "instance", "category"]
    styles: list[Literal["photo", "render", "flat", "outline"]]
    images: Counts
    scale: Span
    classes: list[str] | None
    least_cutouts: int = Field(ge=1)


def image(index: int, *, pool: dict[str, list[CutOut]], backgrounds: list[np.ndarray], split: int, params: Params):
    """Compose one image: class name, cut-out, image and mask; classes and cut-outs take turns, so counts are even."""
    generator = np.random.default_rng([params.seed, split, index])
    names = list(pool)
    name = names[index % len(names)]
    cutout = pool[name][(index // len(names)) % len(pool[name])]
    canvas = random_crop(
        backgrounds[generator.integers(len(backgrounds))], size=(params.size_px, params.size_px), generator=generator
    )
    placements = arrange([cutout.rgba], size=params.size_px, scale=params.scale, generator=generator)
    composite = compose(canvas, [_inside(placements[0], params.size_px)], shadow=float(generator.uniform(0.15, 0.5)))
    return name, cutout, composite.image, composite.masks[0]


def _inside(placement: Placement, size: int) -> Placement:
    """Move a placement into the frame, as far as it fits."""
    height, width = placement.rgba.shape[:2]
    x = int(np.clip(placement.x, min(0, size - width), max(0, size - width)))
    y = int(np.clip(placement.y, min(0, size - height), max(0, size - height)))
    return Placement(placement.rgba, x, y, placement.index)


def pools(cutouts: list[CutOut], params: Params) -> dict[str, dict[str, list[CutOut]]]:
    """Sort cut-outs by split and class, keeping the classes that every split has.

    Raises:
        ArgumentError: No class is left.
    """
    by_split: dict[str, dict[str, list[CutOut]]] = {split: {} for split in SPLITS}
    for cutout in cutouts:
        if cutout.style in params.styles:
            for side in _sides(cutout, params.split):
                by_split[side].setdefault(getattr(cutout, params.level), []).append(cutout)
    shared = set.intersection(*(set(found) for found in by_split.values()))
    wanted = shared if params.classes is None else shared & set(params.classes)
    names = sorted(name for name in wanted if len(by_split["train"][name]) >= params.least_cutouts)
    if not names:
        raise ArgumentError(
            f"a {params.level} must have cut-outs in each split, {params.least_cutouts} of them in train; none has; "
            "with split: category the level must be coarse"
        )
    return {split: {name: found[name] for name in names} for split, found in by_split.items()}


def _sides(cutout: CutOut, split: str) -> tuple[str, ...]:
    return {"picture": SPLITS, "instance": (cutout.split,), "category": (cutout.split_category,)}[split]


def run(params: Params, *, size: str, objects: Path, backgrounds: Path, images: Out) -> None:
    """Compose and write the three splits."""
    images.mkdir(parents=True)
    found = pools(read_objects(objects), params)
    classes = list(found["train"])
    write_json(images / "classes.json", classes)
    records, samples = [], []
    for number, split in enumerate(SPLITS):
        make = partial(
            image, pool=found[split], backgrounds=read_backgrounds(backgrounds, split), split=number, params=params
        )
        made = parallel(make, range(params.images[split]), what=f"{split} images")
        for begin in range(0, len(made), SHARD):
            with webdataset.TarWriter(str(images / f"{split}-{begin // SHARD:04d}.tar"), mtime=0) as shard:
                for index, (name, cutout, picture, mask) in enumerate(made[begin : begin + SHARD], start=begin):
                    record = _record(f"{split}-{index:06d}", name, cutout, split=split, classes=classes)
                    records.append(record)
                    shard.write(
                        {
                            "__key__": record["key"],
                            "json": json.dumps(record, sort_keys=True),
                            "mask.png": _png(mask.astype(np.uint8) * 255),
                            "png": _png(picture),
                        }
                    )
        samples += [
            (f"{split}: {name} ({cutout.style})", {"image": picture, "mask": mask.astype(np.uint8) * 255})
            for name, cutout, picture, mask in made[:8]
        ]
    pd.DataFrame(records).to_parquet(images / "manifest.parquet", index=False)
    write_gallery(
        images / "samples",
        title=f"Objects, {params.size_px} px",
        note="One object over a wallpaper crop, with its mask.",
        rows=samples,
    )


def _record(key: str, name: str, cutout: CutOut, *, split: str, classes: list[str]) -> dict:
    return {
        "key": key,
        "split": split,
        "label": classes.index(name),
        "class": name,
        "category": cutout.category,
        "coarse": cutout.coarse,
        "style": cutout.style,
        "object": cutout.key,
        "source": cutout.source,
        "licence": cutout.licence,
    }


def _png(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG", compress_level=3)
    return stream.getvalue()
