"""Fit every few-shot method on every draw of shots: sets x shots x seeds, all on feature maps that are computed once.

A draw is a set and a seed; the shots of a smaller K are among those of a larger one, so that one pass of the frozen
trunk serves all K. Whatever is chosen (alpha, weights, strengths) is chosen on min(K, 4) validation pictures a class.
"""

from copy import copy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, PositiveInt, model_validator

from gauntlet.errors import ArgumentError
from gauntlet.models.clip import Clip
from gauntlet.readers.few_shot import FewShotSet, sample_shots
from gauntlet.training.safe_clip.methods import METHODS
from gauntlet.training.safe_clip.task import Fitted, Frozen, Settings, Task
from gauntlet.training.safe_clip.views import Views
from stages import Out, Ratio
from stages import Params as StageParams
from stages.checkpoint import Checkpoint
from stages.machine import machine, parallel
from stages.safe_clip.features import (
    Official,
    frozen_of,
    open_clip_of,
    plain_views,
    random_views,
    read_at,
    root_of,
)
from stages.safe_clip.fitted import Index, place_of, write_fitted, write_index


class Params(StageParams):
    """What is fitted, and how.

    Attributes:
        official: CLIP and sets by name; null for those made here.
        sets: Names.
        shots: Pictures a class, rising.
        seeds: Of the draws, the augmentation and the training.
        methods: Among METHODS; safe_a needs safe.
        short: What to do with a class of fewer pictures than shots: refuse it, or repeat its pictures.
        views: Random crops of each shot.
        least: Smallest share of the area that a crop keeps.
        batch: Pictures at a time through the frozen trunk.
        settings: Of the methods.
    """

    official: Official | None
    sets: list[str] = Field(min_length=1)
    shots: list[PositiveInt] = Field(min_length=1)
    seeds: list[int] = Field(min_length=1)
    methods: list[str] = Field(min_length=1)
    short: Literal["error", "repeat"]
    views: PositiveInt
    least: Ratio = Field(gt=0)
    batch: PositiveInt
    settings: Settings

    @model_validator(mode="after")
    def _known(self) -> Self:
        if unknown := [name for name in self.methods if name not in METHODS]:
            raise ArgumentError(f"methods must be among {', '.join(METHODS)}; got {unknown[0]!r}; misspelt?")
        if "safe_a" in self.methods and "safe" not in self.methods:
            raise ArgumentError("safe_a starts from the pooling of safe; methods must have both; got safe_a alone")
        for name in ("sets", "shots", "seeds", "methods"):
            if len(set(values := getattr(self, name))) < len(values):
                raise ArgumentError(f"{name} must name each once; got {values}; one entered twice?")
        return self


class Draw(NamedTuple):
    """A set, read, and the seed of its shots."""

    few_shot: FewShotSet
    seed: int


def run(params: Params, *, sets: Path, clip: Path, folders: Path, models: Out) -> None:
    """Write the fitted methods of every draw, and index.json."""
    network = open_clip_of(params.official, clip)
    root = root_of(params.official, sets=sets, folders=folders)
    found = [read_at(root, name, network) for name in params.sets]
    draws = [Draw(few_shot, seed) for few_shot in found for seed in params.seeds]
    for few_shot, seed in draws:  # a class of too few pictures is told before anything is trained
        sample_shots(few_shot, shots=max(params.shots), seed=seed, short=params.short)
    inputs = {"folders": folders} if params.official else {"sets": sets, "clip": clip}
    identity = Checkpoint("safe_clip-train", params=params, inputs=inputs)
    work = partial(_fit_draw, params=params, clip=network, models=models, checkpoint=identity)
    # Forked workers cannot share a GPU's context; there one process does all.
    parallel(work, draws, what="draws of shots", workers=None if machine().device == "cpu" else 1)
    index = {name: getattr(params, name) for name in ("official", "sets", "seeds", "short")}
    ordered = [name for name in METHODS if name in params.methods]
    blend = params.settings.pool.blend
    write_index(models, Index(**index, shots=sorted(params.shots), blend=blend, methods=ordered))
    identity.clear()


class Largest(NamedTuple):
    """The draw of most shots: its views, and where among them a picture is, by its place in the split."""

    frozen: Frozen
    train: Views
    val: Views
    train_places: dict[int, int]
    val_places: dict[int, int]


def _fit_draw(draw: Draw, *, params: Params, clip: Clip, models: Path, checkpoint: Checkpoint) -> None:
    """Fit a draw with each number of shots; what an earlier run had done is taken up."""
    few_shot, seed = draw
    own = copy(checkpoint)
    own.path = checkpoint.path.parent / f"{few_shot.name}-{seed}" / checkpoint.path.name
    done = (own.load() or {"done": {}})["done"]
    largest = largest_draw(draw, params=params, clip=clip) if len(done) < len(params.shots) else None
    for shots in sorted(params.shots):
        if str(shots) not in done:
            task = task_of(draw, largest, shots=shots, clip=clip, short=params.short)
            done[str(shots)] = {name: _state(each) for name, each in fit_all(task, params).items()}
            own.save({"done": done})
        fitted = {name: METHODS[name](**state) for name, state in done[str(shots)].items()}
        write_fitted(place_of(models, few_shot.name, shots=shots, seed=seed), fitted)


def largest_draw(draw: Draw, *, params: Params, clip: Clip) -> Largest:
    """Run the frozen trunk over all that the draw's trainings see."""
    few_shot, seed = draw
    places = sample_shots(few_shot, shots=max(params.shots), seed=seed, short=params.short)
    of_train, of_val = (list(dict.fromkeys(split.tolist())) for split in places)  # "repeat" names some twice
    cropped = {"count": params.views, "least": params.least, "seed": seed}
    return Largest(
        frozen_of(clip, few_shot),
        random_views(clip, few_shot.train.take(np.array(of_train)), **cropped, batch=params.batch),
        plain_views(clip, few_shot.val.take(np.array(of_val)), batch=params.batch),
        {place: row for row, place in enumerate(of_train)},
        {place: row for row, place in enumerate(of_val)},
    )


def task_of(draw: Draw, largest: Largest, *, shots: int, clip: Clip, short: str) -> Task:
    """Return the draw with so many shots a class, from the views that are there."""
    few_shot, seed = draw
    places = sample_shots(few_shot, shots=shots, seed=seed, short=short)
    return Task(
        largest.frozen,
        largest.train.take([largest.train_places[place] for place in places.train.tolist()]),
        largest.val.take([largest.val_places[place] for place in places.val.tolist()]),
        partial(clip.prompt_features, class_names=few_shot.class_names),
        clip.text_width,
        seed,
    )


def fit_all(task: Task, params: Params) -> dict[str, Fitted]:
    """Fit the methods in the order of METHODS."""
    fitted: dict[str, Fitted] = {}
    for name, method in METHODS.items():
        if name in params.methods:
            fitted[name] = method.fit(replace(task, earlier=fitted), params.settings)
    return fitted


def _state(fitted: Fitted) -> dict[str, object]:
    return {"weights": fitted.tensors(), "chosen": fitted.chosen, "history": fitted.history}
