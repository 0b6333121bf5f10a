"""Train every method of a setting, each over its weights, on one encoder; the weights are chosen on held_out."""

from collections.abc import Iterator
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Self

import torch
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator
from safetensors.torch import save_file

from gauntlet.errors import ArgumentError
from gauntlet.models.perturbation import Projection
from gauntlet.models.sentence_encoder import LowerLayers
from gauntlet.readers.encoders import read_encoder
from gauntlet.readers.fair_encoders import INDEX
from gauntlet.readers.fairness import ATTRIBUTES, TASKS, read_split
from gauntlet.training.fairberts.methods import Setting
from gauntlet.training.fairberts.rows import Rows, labelled_rows
from gauntlet.training.fairberts.suite import SWEPT, Recipe, Suite, Trained
from stages import Out, Ratio
from stages import Params as StageParams
from stages.checkpoint import Checkpoint
from stages.files import write_json

SETTINGS = {f"{task}_{attribute}": (task, attribute) for task, attribute in product(TASKS, ATTRIBUTES)}
"""Task and protected attribute by the name of the setting."""


class Params(StageParams):
    """How the models of a setting are trained.

    Attributes:
        seed: Of first weights, order, dropout.
        frozen_layers: Of the encoder, from the bottom.
        max_tokens: Longer sentences are cut there.
        warm_epochs: On the labels alone, before the methods part.
        epochs: Of each method after them.
        patch_epochs: Of a generator on a frozen classifier.
        batch: Sentences a step.
        lr: Of the upper layers.
        head_lr: Of the classifier.
        weight_decay: AdamW's.
        weights: Sweep by method: lambda; for inlp the number of directions.
        joint: `gauntlet.training.fairberts.methods.Setting` of fairberts and adversarial, where it differs.
        patch: That of fairberts_post_hoc.
        accuracy_lost: Most of held-out accuracy that a chosen weight may cost.
    """

    seed: int
    frozen_layers: NonNegativeInt
    max_tokens: int = Field(ge=4)
    warm_epochs: NonNegativeInt
    epochs: PositiveInt
    patch_epochs: PositiveInt
    batch: int = Field(ge=2)
    lr: float = Field(gt=0)
    head_lr: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    weights: dict[str, tuple[float, ...]]
    joint: Setting
    patch: Setting
    accuracy_lost: Ratio

    @model_validator(mode="after")
    def _swept(self) -> Self:
        if sorted(self.weights) != sorted(SWEPT) or not all(self.weights.values()):
            raise ArgumentError(f"weights must have some for each of {', '.join(SWEPT)}; got {self.weights}")
        return self

    def recipe(self) -> Recipe:
        """Return what the library's suite takes."""
        kept = {name: getattr(self, name) for name in type(self).model_fields}
        return Recipe(**{name: value for name, value in kept.items() if name not in ("frozen_layers", "max_tokens")})


def run(params: Params, *, setting: str, corpora: Path, encoder: Path, models: Out) -> None:
    """Write a model folder a model, and models.json, their names in order."""
    if setting not in SETTINGS:
        raise ArgumentError(f"the setting must be one of {', '.join(SETTINGS)}; got {setting!r}; misspelt?")
    checkpoint = Checkpoint(
        f"fairberts-train@{setting}", params=params, inputs={"corpora": corpora, "encoder": encoder}
    )
    lower = LowerLayers(read_encoder(encoder), frozen_layers=params.frozen_layers, max_tokens=params.max_tokens)
    names = []
    for trained in _trained(params, setting, lower=lower, corpora=corpora, checkpoint=checkpoint):
        _write(models / trained.name, trained, params=params, setting=setting, lower=lower)
        names.append(trained.name)
    write_json(models / INDEX, names)
    checkpoint.clear()


def split_rows(corpora: Path, setting: str, *, split: str, lower: LowerLayers) -> Rows:
    """Read a split as rows; those of train with their twins, a sentence without one being its own."""
    task, attribute = SETTINGS[setting]
    found = read_split(corpora, task=task, attribute=attribute, split=split)
    twins = [twin or text for twin, text in zip(found.twins, found.texts, strict=True)] if split == "train" else None
    return labelled_rows(
        lower(found.texts), torch.tensor(found.y), torch.tensor(found.z), twins=None if twins is None else lower(twins)
    )


def _trained(
    params: Params, setting: str, *, lower: LowerLayers, corpora: Path, checkpoint: Checkpoint
) -> Iterator[Trained]:
    """Train the suite; what an interrupted run had done is taken up."""
    done = (checkpoint.load() or {"done": {}})["done"]

    def keep(name: str, state: dict) -> None:
        done[name] = state
        checkpoint.save({"done": done})

    train, held_out = (split_rows(corpora, setting, split=split, lower=lower) for split in ("train", "held_out"))
    yield from Suite(lower, train, held_out, params.recipe(), done=done, keep=keep).models()


def _write(folder: Path, trained: Trained, *, params: Params, setting: str, lower: LowerLayers) -> None:
    """Write a model folder: a patch holds its own weights alone and names the model that it is on."""
    folder.mkdir(parents=True)
    generator = trained.model.generator
    own = generator is not None and not isinstance(generator, Projection)
    how = params.patch if trained.base else params.joint
    weights = {
        name: tensor.half().contiguous()
        for name, tensor in trained.model.state_dict().items()
        if not (trained.base and name.startswith("upper."))
    }
    save_file(weights, folder / "model.safetensors")
    write_json(
        folder / "model.json",
        {
            "architecture": "sentence_classifier",
            "classes": ["0", "1"],
            "settings": {
                "frozen_layers": lower.frozen_layers,
                "max_tokens": lower.max_tokens,
                "pooling": trained.model.pooling,
                "generator": how.generator if own else "",
                "hidden": how.hidden,
                "directions": len(generator.directions) if isinstance(generator, Projection) else 0,
            },
            "method": trained.method,
            "weight": trained.weight,
            "role": trained.role,
            "base": trained.base,
            "chosen": trained.chosen,
            "held_out": trained.figures._asdict(),
            "setting": setting,
            "seed": params.seed,
            "method_settings": asdict(how),
        },
    )
    write_json(folder / "history.json", trained.history)
