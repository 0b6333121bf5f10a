"""The small world of SAFE: a captioned corpus to pre-train CLIP on, and few-shot sets that differ from it.

The corpus shows drawn and rendered things. The sets show what it lacks: photographs, other drawings of the same things,
things among others, the colour of what lies behind. No test cut-out or wallpaper is in any other split or the corpus.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, PositiveInt

from gauntlet.captions import caption
from gauntlet.errors import ArgumentError
from gauntlet.readers.objects import CutOut, read_backgrounds, read_manifest, read_objects
from stages import Counts, Out, Ratio, Span
from stages import Params as StageParams
from stages.files import write_gallery
from stages.machine import parallel
from stages.safe_clip.layout import SPLITS, write_corpus, write_set
from stages.safe_clip.pictures import Picture, Scale, backdrop, picture, prepared, prepared_background

Style = Literal["photo", "render", "flat", "outline"]


class CorpusParams(StageParams):
    """Make-up of the corpus.

    Attributes:
        pictures: How many.
        styles: Of its cut-outs, all of the split train.
        pairs: Share of pictures with two things.
        scale: Of the things, as a share of the picture.
    """

    pictures: PositiveInt
    styles: list[Style]
    pairs: Ratio
    scale: Span


class SetParams(StageParams):
    """Make-up of one few-shot set.

    Attributes:
        level: What its labels name: a named thing ("category"), a coarse class, or the background's colour.
        classes: The names.
        styles: Of its cut-outs.
        images: Pictures a class and split.
        scale: Of the labelled thing, as a share of the picture.
        others: Most things beside it; from 1 to so many where it is not 0.
        others_coarse: Coarse classes of those.
        others_scale: Of those.
    """

    level: Literal["category", "coarse", "colour"]
    classes: list[str] = Field(min_length=2)
    styles: list[Style]
    images: Counts
    scale: Span
    others: int = Field(ge=0, default=0)
    others_coarse: tuple[str, ...] = ()
    others_scale: Span = (0.3, 0.5)


class TargetParams(StageParams):
    """Shifted versions of one set: its classes in other styles, test pictures only.

    Attributes:
        source: The set.
        styles: One target each, named "<source>-<style>".
        images: Test pictures a class.
    """

    source: str
    styles: list[Style]
    images: PositiveInt


class Params(StageParams):
    """The world.

    Attributes:
        size_px: Side of all pictures.
        withheld: Share of the drawn hands of each thing in a set's classes that the corpus never sees: shots come from
            them alone.
        corpus: What CLIP is pre-trained on.
        sets: By name.
        targets: For domain generalisation.
    """

    seed: int
    size_px: int = Field(ge=16)
    withheld: Ratio
    corpus: CorpusParams
    sets: dict[str, SetParams]
    targets: TargetParams


def withhold(cutouts: list[CutOut], groups: dict[str, int], params: Params) -> set[str]:
    """Return the keys of train cut-outs that the corpus must not see: whole groups, drawn by class.

    A group is one hand's drawing and what was derived from it (its outline, its 3-D model).
    """
    named = {name for made in params.sets.values() if made.level == "category" for name in made.classes}
    kept: set[str] = set()
    for name in sorted(named):
        of_class = [cutout for cutout in cutouts if cutout.category == name and cutout.split == "train"]
        hands = sorted({groups[cutout.key] for cutout in of_class})
        random = np.random.default_rng([params.seed, *name.encode()])
        taken = set(random.permutation(hands)[: round(params.withheld * len(hands))].tolist())
        kept |= {cutout.key for cutout in of_class if groups[cutout.key] in taken}
    return kept


def corpus_picture(
    index: int, *, pool: list[CutOut], backgrounds: list[np.ndarray], params: Params
) -> tuple[Picture, str]:
    """Compose one picture of the corpus with its caption; cut-outs take turns."""
    generator = np.random.default_rng([params.seed, 0, index])
    things = [pool[index % len(pool)]]
    if generator.random() < params.corpus.pairs:
        things.append(pool[generator.integers(len(pool))])
    canvas = backdrop(backgrounds, size_px=params.size_px, colour=None, generator=generator)
    low, high = params.corpus.scale
    span = (low, high) if len(things) == 1 else (low, min(high, 0.7))
    made = picture(things, canvas, scale=Scale(span, span), generator=generator)
    said = caption(
        [(thing.category, thing.coarse) for thing in made.things],
        style=things[0].style,
        background=made.background,
        generator=generator,
    )
    return made, said


def set_picture(
    index: int,
    *,
    made: SetParams,
    pool: dict[str, list[CutOut]],
    others: list[CutOut],
    backgrounds: list[np.ndarray],
    size_px: int,
    seed: list[int],
) -> Picture:
    """Compose one picture of a set; classes take turns, and each class's cut-outs."""
    generator = np.random.default_rng([*seed, index])
    name = made.classes[index % len(made.classes)]
    turn = index // len(made.classes)
    things = [pool[name][turn % len(pool[name])]]
    if made.others:
        count = int(generator.integers(1, made.others + 1))
        things += [others[place] for place in generator.integers(len(others), size=count)]
    colour = name if made.level == "colour" else None
    canvas = backdrop(backgrounds, size_px=size_px, colour=colour, generator=generator)
    shown = picture(things, canvas, scale=Scale(made.scale, made.others_scale), generator=generator)
    return replace(shown, mask=~shown.mask) if made.level == "colour" else shown


def pools(cutouts: list[CutOut], made: SetParams, *, what: str, seed: int) -> dict[str, list[CutOut]]:
    """Sort cut-outs by class; for colours, every class has all, each in an order of its own.

    Raises:
        ArgumentError: A class has none.
    """
    found: dict[str, list[CutOut]] = {}
    for name in made.classes:
        styled = [cutout for cutout in cutouts if cutout.style in made.styles]
        chosen = styled if made.level == "colour" else [cut for cut in styled if getattr(cut, made.level) == name]
        if not chosen:
            raise ArgumentError(
                f"{what}: each class must have cut-outs in {', '.join(made.styles)}; {name!r} has none; misspelt, or "
                f"of another level than {made.level}?"
            )
        random = np.random.default_rng([seed, *name.encode()])
        found[name] = [chosen[place] for place in random.permutation(len(chosen))]
    return found


def compose_split(
    cutouts: list[CutOut], made: SetParams, *, what: str, count: int, backgrounds: list[np.ndarray], params: Params
) -> list[Picture]:
    """Compose `count` pictures a class of one split of one set."""
    make = partial(
        set_picture,
        made=made,
        pool=pools(cutouts, made, what=what, seed=params.seed),
        others=[cutout for cutout in cutouts if cutout.coarse in made.others_coarse and cutout.style in made.styles],
        backgrounds=backgrounds,
        size_px=params.size_px,
        seed=[params.seed, 1, *what.encode()],
    )
    return parallel(make, range(count * len(made.classes)), what=what)


def run(params: Params, *, objects: Path, backgrounds: Path, corpus: Out, sets: Out) -> None:
    """Compose and write the corpus, the few-shot sets and the shifted versions of one of them."""
    manifest = read_manifest(objects)
    cutouts = [prepared(cutout, size_px=params.size_px) for cutout in read_objects(objects)]
    unseen = withhold(cutouts, dict(zip(manifest["key"], manifest["group"], strict=True)), params)
    behind = {
        split: [prepared_background(whole, size_px=params.size_px) for whole in read_backgrounds(backgrounds, split)]
        for split in SPLITS
    }
    seen = [
        cut for cut in cutouts if cut.split == "train" and cut.style in params.corpus.styles and cut.key not in unseen
    ]
    make = partial(corpus_picture, pool=seen, backgrounds=behind["train"], params=params)
    write_corpus(corpus, parallel(make, range(params.corpus.pictures), what="corpus pictures"))
    fresh = {split: [cut for cut in cutouts if cut.split == split] for split in SPLITS}
    known = {cut.key for cut in seen}
    fresh["train"] = [cut for cut in fresh["train"] if cut.key not in known]
    samples = []
    for name, made in params.sets.items():
        splits = {
            split: compose_split(
                fresh[split],
                made,
                what=f"{name} {split}",
                count=made.images[split],
                backgrounds=behind[split],
                params=params,
            )
            for split in SPLITS
        }
        write_set(sets / name, made.classes, splits)
        samples += _shown(name, made.classes, splits["test"])
    source = params.sets[params.targets.source]
    for style in params.targets.styles:
        name = f"{params.targets.source}-{style}"
        made = source.model_copy(update={"styles": [style]})
        test = compose_split(
            fresh["test"], made, what=name, count=params.targets.images, backgrounds=behind["test"], params=params
        )
        write_set(sets / name, made.classes, {"test": test})
        samples += _shown(name, made.classes, test)
    write_gallery(
        sets / "samples", title="Few-shot sets", note="Test pictures and the mask of what is labelled.", rows=samples
    )


def _shown(name: str, classes: list[str], test: list[Picture]) -> list[tuple[str, dict[str, np.ndarray]]]:
    return [
        (f"{name}: {classes[index % len(classes)]}", {"image": made.pixels, "mask": made.mask.astype(np.uint8) * 255})
        for index, made in enumerate(test[:3])
    ]
