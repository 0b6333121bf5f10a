"""Detection scenes in COCO's format: several objects over real backgrounds, overlapping, truncated, with shadows.

The source domain is in full colour: photographs, 3-D renders, and drawings of three hands. Each split draws on its own
cut-outs and its own wallpapers. Every annotation carries the cut-out it came from, and its mask as RLE.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from gauntlet.errors import ArgumentError
from gauntlet.readers.objects import CutOut, read_backgrounds, read_objects
from gauntlet.shifts.compositing import arrange, compose, random_crop
from stages import Counts, CountSpan, Out, Ratio, Span
from stages import Params as StageParams
from stages.coco_files import annotation, write_image, write_instances
from stages.files import write_gallery
from stages.machine import parallel

SPLITS = ("train", "val", "test")


class Params(StageParams):
    """Size and make-up of the scenes.

    Attributes:
        level: "category" (named things) or "coarse" (mammal, bird, ...).
        classes: Names of the classes at that level.
        sources: Packages whose cut-outs make up the source domain; the others stay for the shifted domains.
        scale: Least and greatest longest side of an object, as a share of the image.
        least_visible: Share of an object that must show for it to count.
    """

    seed: int
    size_px: int = Field(ge=16)
    images: Counts
    level: Literal["category", "coarse"]
    classes: list[str]
    sources: list[str]
    objects_per_scene: CountSpan
    scale: Span
    least_visible: Ratio


@dataclass(frozen=True)
class Pool:
    """What one split draws on: cut-outs by class, and backgrounds."""

    cutouts: dict[str, list[CutOut]]
    backgrounds: list[np.ndarray]


def scene(index: int, *, pool: Pool, split: int, params: Params) -> tuple[np.ndarray, list[tuple[CutOut, np.ndarray]]]:
    """Compose one scene: its image and, for each object that shows enough, its cut-out and visible mask."""
    generator = np.random.default_rng([params.seed, split, index])
    low, high = params.objects_per_scene
    names = generator.choice(list(pool.cutouts), size=int(generator.integers(low, high + 1)))
    chosen = [pool.cutouts[name][generator.integers(len(pool.cutouts[name]))] for name in names]
    background = pool.backgrounds[generator.integers(len(pool.backgrounds))]
    canvas = random_crop(background, size=(params.size_px, params.size_px), generator=generator)
    placements = arrange(
        [cutout.rgba for cutout in chosen], size=params.size_px, scale=params.scale, generator=generator
    )
    composite = compose(canvas, placements, shadow=float(generator.uniform(0.15, 0.5)))
    shown = [
        (chosen[placement.index], mask)
        for placement, mask, whole in zip(placements, composite.masks, composite.whole, strict=True)
        if mask.sum() >= max(16, params.least_visible * whole)
    ]
    return composite.image, shown


def pools(cutouts: list[CutOut], backgrounds: Path, params: Params) -> dict[str, Pool]:
    """Sort the source-domain cut-outs by split and class.

    Raises:
        ArgumentError: A class has no cut-out of these sources in some split.
    """
    by_split: dict[str, dict[str, list[CutOut]]] = {split: {name: [] for name in params.classes} for split in SPLITS}
    for cutout in cutouts:
        name = getattr(cutout, params.level)
        if cutout.source in params.sources and name in params.classes:
            by_split[cutout.split][name].append(cutout)
    for split, found in by_split.items():
        if bare := [name for name, members in found.items() if not members]:
            raise ArgumentError(
                f"every class must have cut-outs in every split; {bare[0]!r} has none in {split}; misspelt, or of "
                f"another level than {params.level}?"
            )
    return {split: Pool(found, read_backgrounds(backgrounds, split)) for split, found in by_split.items()}


def run(params: Params, *, objects: Path, backgrounds: Path, scenes: Out) -> None:
    """Compose and write the three splits."""
    samples = []
    for number, (split, pool) in enumerate(pools(read_objects(objects), backgrounds, params).items()):
        categories = [
            {"id": n, "name": name, "supercategory": pool.cutouts[name][0].coarse}
            for n, name in enumerate(pool.cutouts, start=1)
        ]
        ids = {category["name"]: category["id"] for category in categories}
        compose_one = partial(scene, pool=pool, split=number, params=params)
        made = parallel(compose_one, range(params.images[split]), what=f"{split} scenes")
        images, annotations = [], []
        for index, (image, shown) in enumerate(made):
            name = f"{index:012d}.jpg"
            write_image(scenes / f"{split}2017" / name, image)
            images.append({"id": index + 1, "file_name": name, "width": params.size_px, "height": params.size_px})
            annotations.append(
                [
                    annotation(
                        mask, category_id=ids[getattr(cutout, params.level)], object=cutout.key, style=cutout.style
                    )
                    for cutout, mask in shown
                ]
            )
        write_instances(
            scenes / "annotations" / f"instances_{split}2017.json",
            images,
            annotations,
            categories=categories,
            about={"description": f"Gauntlet scenes, {split}", "level": params.level, "sources": params.sources},
        )
        samples += [(f"{split} scene {n}", _outlined(*made[n])) for n in range(min(8, len(made)))]
    write_gallery(
        scenes / "samples",
        title="Scenes",
        note="The source domain: photographs, renders and colour drawings over wallpapers. Right: the visible masks.",
        rows=samples,
    )


def _outlined(image: np.ndarray, shown: list[tuple[CutOut, np.ndarray]]) -> dict[str, np.ndarray]:
    tinted = image.copy()
    colours = np.random.default_rng(0).integers(40, 256, (max(1, len(shown)), 3))
    for colour, (_, mask) in zip(colours, shown, strict=False):
        tinted[mask] = (0.45 * tinted[mask] + 0.55 * colour).astype(np.uint8)
    return {"scene": image, "masks": tinted}
