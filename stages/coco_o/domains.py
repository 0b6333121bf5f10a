"""The six domains of COCO-O, each made from one picture: drawn anew where drawings exist, rendered where not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gauntlet.readers.objects import CutOut
from gauntlet.shifts import handmake as crafts
from gauntlet.shifts import painting as paintings
from gauntlet.shifts import tattoo as tattoos
from gauntlet.shifts.cartoon import cel_shade
from gauntlet.shifts.compositing import random_crop
from gauntlet.shifts.drawings import Redrawn, pen_drawing, redraw
from gauntlet.shifts.sketch import paper, pencil
from gauntlet.shifts.weather import WEATHER, ground_depth
from stages.coco_files import annotation
from stages.coco_o.source import Background, Picture

LEAST_PX = 16
"""A drawn object that shows less than this is left out, as in the scenes."""
AIRY = ("fog", "rain", "snow")
"""Weather that thickens with distance."""


@dataclass(frozen=True)
class Materials:
    """What the domains are made with.

    Attributes:
        drawings: By domain and category name; outlines closed.
        backgrounds: For the cartoons.
        weather: Names of WEATHER, which take turns.
    """

    drawings: Mapping[str, Mapping[str, Sequence[CutOut]]]
    backgrounds: Sequence[Background]
    weather: Sequence[str]


@dataclass(frozen=True)
class Made:
    """A shifted picture (uint8 HW3), its annotations, how it was made, and further keys of its image record."""

    pixels: np.ndarray
    annotations: list[dict]
    how: str
    extra: dict[str, str] = field(default_factory=dict)


def sketch(picture: Picture, *, severity: int, materials: Materials, generator: np.random.Generator) -> Made:
    """Draw the layout on paper in outline drawings; the whole picture in pencil where a class has none."""
    found = _drawn(picture, materials.drawings["sketch"])
    if not found:
        return Made(pencil(picture.pixels, severity=severity, generator=generator), picture.annotations, "pencil")
    sheet = paper(*picture.pixels.shape[:2], generator=generator)
    outlines = [[cutout.rgba for cutout in each] for each in found]
    drawing = pen_drawing(sheet, _boxes(picture), outlines, severity=severity, generator=generator)
    return Made(drawing.image, _annotations(picture, drawing, found), "drawn")


def cartoon(picture: Picture, *, severity: int, materials: Materials, generator: np.random.Generator) -> Made:
    """Draw the layout in flat colours over a cel-shaded background; cel-shade the whole where a class has none."""
    found = _drawn(picture, materials.drawings["cartoon"])
    if not found:
        return Made(cel_shade(picture.pixels, severity=severity, generator=generator), picture.annotations, "cel_shade")
    background = materials.backgrounds[generator.integers(len(materials.backgrounds))]
    crop = random_crop(background.pixels, size=picture.pixels.shape[:2], generator=generator)
    backdrop = cel_shade(crop, severity=severity, generator=generator)
    flat = [[cutout.rgba for cutout in each] for each in found]
    drawing = redraw(backdrop, _boxes(picture), flat, shadow=0.2, generator=generator)
    origin = {"background": background.key, "background_licence": background.licence}
    return Made(drawing.image, _annotations(picture, drawing, found), "drawn", origin)


def weather(picture: Picture, *, severity: int, materials: Materials, generator: np.random.Generator) -> Made:
    """Let one kind of weather come over the picture."""
    kind = materials.weather[picture.index % len(materials.weather)]
    height, width = picture.pixels.shape[:2]
    cue = {"depth": ground_depth(height, width, picture.masks)} if kind in AIRY else {}
    pixels = WEATHER[kind](picture.pixels, severity=severity, generator=generator, **cue)
    return Made(pixels, picture.annotations, kind)


def painting(picture: Picture, *, severity: int, materials: Materials, generator: np.random.Generator) -> Made:
    """Paint the picture."""
    pixels = paintings.painting(picture.pixels, severity=severity, generator=generator)
    return Made(pixels, picture.annotations, "painted")


def tattoo(picture: Picture, *, severity: int, materials: Materials, generator: np.random.Generator) -> Made:
    """Ink the objects into skin; the whole picture where there are no masks."""
    masks = picture.back_to_front()
    pixels = tattoos.tattoo(picture.pixels, masks, severity=severity, generator=generator)
    return Made(pixels, picture.annotations, "inked whole" if masks is None else "inked")


def handmake(picture: Picture, *, severity: int, materials: Materials, generator: np.random.Generator) -> Made:
    """Make the objects by hand; the whole picture where there are no masks."""
    masks = picture.back_to_front()
    pixels = crafts.handmake(picture.pixels, masks, severity=severity, generator=generator)
    return Made(pixels, picture.annotations, "made whole" if masks is None else "made")


DOMAINS: dict[str, Callable[..., Made]] = {
    domain.__name__: domain for domain in (sketch, weather, cartoon, painting, tattoo, handmake)
}


def _drawn(picture: Picture, drawings: Mapping[str, Sequence[CutOut]]) -> list[Sequence[CutOut]]:
    """Return each annotation's drawings; nothing where one has none, or is a crowd, which no drawing shows."""
    if any(name not in drawings for name in picture.names) or any(each["iscrowd"] for each in picture.annotations):
        return []
    return [drawings[name] for name in picture.names]


def _boxes(picture: Picture) -> list[tuple[float, float, float, float]]:
    return [tuple(record["bbox"]) for record in picture.annotations]


def _annotations(picture: Picture, drawing: Redrawn, found: Sequence[Sequence[CutOut]]) -> list[dict]:
    """Describe what shows of each drawing, under the id of the annotation whose place it takes."""
    records = []
    for record, mask, chosen, cutouts in zip(picture.annotations, drawing.masks, drawing.chosen, found, strict=True):
        if mask.sum() >= LEAST_PX:
            cutout = cutouts[chosen]
            origin = {"object": cutout.key, "style": cutout.style, "licence": cutout.licence}
            records.append({"id": record["id"], **annotation(mask, category_id=record["category_id"], **origin)})
    return records
