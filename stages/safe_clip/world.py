"""The cut-outs and backgrounds of SAFE's small world, and which of them the corpus and each set draw on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gauntlet.errors import ArgumentError
from gauntlet.readers.objects import CutOut, read_backgrounds, read_manifest, read_objects
from stages.safe_clip.layout import SPLITS
from stages.safe_clip.pictures import prepared, prepared_background
from stages.safe_clip.world_params import Params, SetParams


def named_things(params: Params) -> set[str]:
    """Return the named things that labels of the sets name."""
    return {name for made in params.sets.values() if made.level == "category" for name in made.classes}


def named_styles(params: Params) -> list[tuple[str, str, set[str]]]:
    """Return (level, name, styles) of all that labels of the sets name, but for colours."""
    styles: dict[tuple[str, str], set[str]] = {}
    for made in params.sets.values():
        for name in made.classes if made.level != "colour" else ():
            styles.setdefault((made.level, name), set()).update(made.styles)
    return [(level, name, styles[level, name]) for level, name in sorted(styles)]


def withhold(cutouts: list[CutOut], groups: dict[str, int], params: Params) -> set[str]:
    """Return the keys of train cut-outs that the corpus must not see: whole groups, drawn by class.

    A group is one hand's drawing and what was derived from it (its outline, its 3-D model), or one photograph. Of a
    style that the corpus lacks, nothing need be withheld.
    """
    shown = [cut for cut in cutouts if cut.split == "train" and cut.style in params.corpus.styles]
    kept: set[int] = set()
    for level, name, styles in named_styles(params):
        found = {groups[cut.key] for cut in shown if getattr(cut, level) == name and cut.style in styles}
        hands = np.random.default_rng([params.seed, *name.encode()]).permutation(sorted(found))
        kept |= set(hands[: round(params.withheld * len(hands))].tolist())
    return {cutout.key for cutout in cutouts if cutout.split == "train" and groups[cutout.key] in kept}


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

    def seen(self, params: Params) -> list[list[CutOut]]:
        """Return the cut-outs of the corpus by name: the names of the sets, then those of most cut-outs."""
        unseen = {cutout.key for cutout in self.unseen["train"]}
        by_name: dict[str, list[CutOut]] = {}
        for cutout in self.cutouts["train"]:
            if cutout.key not in unseen:
                by_name.setdefault(cutout.category, []).append(cutout)
        named = named_things(params)
        order = sorted(by_name, key=lambda name: (name not in named, -len(by_name[name]), name))
        return [by_name[name] for name in order[: max(params.corpus.names, len(named & by_name.keys()))]]

    def part(self, made: SetParams, *, name: str, split: str, seed: int) -> Split:
        """Return what one split of one set draws on.

        Raises:
            ArgumentError: A class has no cut-outs, or there is nothing to stand beside.
        """
        what = f"{name} {split}"
        coarse = made.others.coarse if made.others else []
        others = [cut for cut in self.cutouts[split] if cut.coarse in coarse and cut.style in made.styles]
        if made.others and not others:
            raise ArgumentError(f"{what}: others must have cut-outs of {', '.join(coarse)}; none has; misspelt?")
        return Split(what, pools(self.unseen[split], made, what=what, seed=seed), others, self.backgrounds[split])


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
