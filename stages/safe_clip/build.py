"""The small world of SAFE: a captioned corpus to pre-train CLIP on, and few-shot sets that differ from it.

The corpus shows single things, drawn, rendered and photographed. The sets show what it lacks: other photographs and
other drawings of the same things, things among others, the colour of what lies behind as what a label names. No test
cut-out or wallpaper is in any other split or the corpus.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from gauntlet.captions import caption
from gauntlet.readers.objects import CutOut
from stages import Out
from stages.files import write_gallery
from stages.machine import parallel
from stages.safe_clip.layout import SPLITS, write_corpus, write_set
from stages.safe_clip.pictures import Picture, Scale, backdrop, picture
from stages.safe_clip.world import Split, read_world
from stages.safe_clip.world_params import Params, SetParams


def corpus_picture(
    index: int, *, pool: list[list[CutOut]], backgrounds: list[np.ndarray], params: Params
) -> tuple[Picture, str]:
    """Compose one picture of the corpus with its caption; names take turns, and each name's cut-outs."""
    generator = np.random.default_rng([params.seed, 0, index])
    named = pool[index % len(pool)]
    things = [named[index // len(pool) % len(named)]]
    if generator.random() < params.corpus.pairs:
        beside = pool[generator.integers(len(pool))]
        things.append(beside[generator.integers(len(beside))])
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


def set_picture(index: int, *, split: Split, made: SetParams, params: Params) -> Picture:
    """Compose one picture of a set; classes take turns, and each class's cut-outs."""
    generator = np.random.default_rng([params.seed, 1, *split.what.encode(), index])
    name = made.classes[index % len(made.classes)]
    things = [split.pool[name][(index // len(made.classes)) % len(split.pool[name])]]
    scale = Scale(made.scale, made.scale)
    if made.others:
        count = int(generator.integers(1, made.others.most + 1))
        things += [split.others[place] for place in generator.integers(len(split.others), size=count)]
        scale = Scale(made.scale, made.others.scale)
    colour = name if made.level == "colour" else None
    canvas = backdrop(split.backgrounds, size_px=params.size_px, colour=colour, generator=generator)
    shown = picture(things, canvas, scale=scale, generator=generator)
    return replace(shown, mask=~shown.mask) if made.level == "colour" else shown


def compose(split: Split, made: SetParams, *, count: int, params: Params) -> list[Picture]:
    """Compose `count` pictures a class of one split of one set."""
    make = partial(set_picture, split=split, made=made, params=params)
    return parallel(make, range(count * len(made.classes)), what=split.what)


def run(params: Params, *, objects: Path, backgrounds: Path, corpus: Out, sets: Out) -> None:
    """Compose and write the corpus, the few-shot sets and the shifted versions of one of them."""
    world = read_world(objects, backgrounds, params)
    make = partial(corpus_picture, pool=world.seen(params), backgrounds=world.backgrounds["train"], params=params)
    write_corpus(corpus, parallel(make, range(params.corpus.pictures), what="corpus pictures"))
    samples = []
    for name, made in params.sets.items():
        splits = {
            split: compose(
                world.part(made, name=name, split=split, seed=params.seed),
                made,
                count=made.images[split],
                params=params,
            )
            for split in SPLITS
        }
        write_set(sets / name, made.classes, splits)
        samples += _shown(name, made.classes, splits["test"])
    for style in params.targets.styles:
        name, count = f"{params.targets.source}-{style}", params.targets.images
        made = params.sets[params.targets.source].model_copy(update={"styles": [style]})
        part = world.part(made, name=name, split="test", seed=params.seed)
        test = compose(part, made, count=count, params=params)
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
