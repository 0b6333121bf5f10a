"""The small world of SAFE: a captioned corpus to pre-train CLIP on, and few-shot sets that differ from it.

The corpus shows drawn and rendered things. The sets show what it lacks: photographs, other drawings of the same things,
things among others, the colour of what lies behind. No test cut-out or wallpaper is in any other split or the corpus.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, PositiveInt, model_validator

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


class OthersParams(StageParams):
    """Things beside the labelled one.

    Attributes:
        most: Of them in a picture; from 1 to so many.
        coarse: Their coarse classes, none of which a label names.
        scale: As a share of the picture.
    """

    most: PositiveInt
    coarse: list[str] = Field(min_length=1)
    scale: Span


class SetParams(StageParams):
    """Make-up of one few-shot set.

    Attributes:
        level: What its labels name: a named thing ("category"), a coarse class, or the background's colour.
        classes: The names.
        styles: Of its cut-outs.
        images: Pictures a class and split.
        scale: Of the labelled thing, as a share of the picture.
        others: What else is there; null for nothing.
    """

    level: Literal["category", "coarse", "colour"]
    classes: list[str] = Field(min_length=2)
    styles: list[Style]
    images: Counts
    scale: Span
    others: OthersParams | None


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

    @model_validator(mode="after")
    def _source_is_a_set(self) -> "Params":
        if self.targets.source not in self.sets:
            raise ArgumentError(f"targets.source must be one of {', '.join(self.sets)}; got {self.targets.source!r}")
        return self


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


@dataclass(frozen=True)
class Split:
    """What one split of one set draws on.

    Attributes:
        what: Its name, which also seeds it.
        pool: Cut-outs by class, in the order of the labels.
        others: Cut-outs that may stand beside.
        backgrounds: Of the split.
    """

    what: str
    pool: dict[str, list[CutOut]]
    others: list[CutOut]
    backgrounds: list[np.ndarray]


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


@dataclass(frozen=True)
class World:
    """All that pictures are made of, by split.

    Attributes:
        cutouts: Every cut-out of the split.
        unseen: Those of them that the corpus does not show: what labels name comes from these.
        backgrounds: Wallpaper crops of the split.
    """

    cutouts: dict[str, list[CutOut]]
    unseen: dict[str, list[CutOut]]
    backgrounds: dict[str, list[np.ndarray]]

    @property
    def seen(self) -> list[CutOut]:
        """The cut-outs of the corpus."""
        unseen = {cutout.key for cutout in self.unseen["train"]}
        return [cutout for cutout in self.cutouts["train"] if cutout.key not in unseen]

    def compose(self, made: SetParams, *, name: str, split: str, count: int, params: Params) -> list[Picture]:
        """Compose `count` pictures a class of one split of one set.

        Raises:
            ArgumentError: A class has no cut-outs, or there is nothing to stand beside.
        """
        what = f"{name} {split}"
        coarse = made.others.coarse if made.others else []
        others = [cut for cut in self.cutouts[split] if cut.coarse in coarse and cut.style in made.styles]
        if made.others and not others:
            raise ArgumentError(f"{what}: others must have cut-outs of {', '.join(coarse)}; none has; misspelt?")
        pool = pools(self.unseen[split], made, what=what, seed=params.seed)
        source = Split(what, pool, others, self.backgrounds[split])
        make = partial(set_picture, split=source, made=made, params=params)
        return parallel(make, range(count * len(made.classes)), what=what)


def read_world(objects: Path, backgrounds: Path, params: Params) -> World:
    """Read cut-outs and backgrounds, scaled down to what the pictures need.

    Raises:
        ArgumentError: Nothing is left for the corpus.
    """
    manifest = read_manifest(objects)
    cutouts = [prepared(cutout, size_px=params.size_px) for cutout in read_objects(objects)]
    withheld = withhold(cutouts, dict(zip(manifest["key"], manifest["group"], strict=True)), params)
    by_split = {split: [cutout for cutout in cutouts if cutout.split == split] for split in SPLITS}
    unseen = dict(by_split)
    unseen["train"] = [
        cutout for cutout in by_split["train"] if cutout.style not in params.corpus.styles or cutout.key in withheld
    ]
    if len(unseen["train"]) == len(by_split["train"]):
        raise ArgumentError(f"withheld must leave cut-outs to the corpus; got {params.withheld:g}, which leaves none")
    behind = {
        split: [prepared_background(whole, size_px=params.size_px) for whole in read_backgrounds(backgrounds, split)]
        for split in SPLITS
    }
    return World(by_split, unseen, behind)


def run(params: Params, *, objects: Path, backgrounds: Path, corpus: Out, sets: Out) -> None:
    """Compose and write the corpus, the few-shot sets and the shifted versions of one of them."""
    world = read_world(objects, backgrounds, params)
    make = partial(corpus_picture, pool=world.seen, backgrounds=world.backgrounds["train"], params=params)
    write_corpus(corpus, parallel(make, range(params.corpus.pictures), what="corpus pictures"))
    samples = []
    for name, made in params.sets.items():
        splits = {
            split: world.compose(made, name=name, split=split, count=made.images[split], params=params)
            for split in SPLITS
        }
        write_set(sets / name, made.classes, splits)
        samples += _shown(name, made.classes, splits["test"])
    for style in params.targets.styles:
        name, count = f"{params.targets.source}-{style}", params.targets.images
        made = params.sets[params.targets.source].model_copy(update={"styles": [style]})
        test = world.compose(made, name=name, split="test", count=count, params=params)
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
