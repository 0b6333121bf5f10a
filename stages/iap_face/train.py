"""Train the protector of faces, and beside it a plain watermark and a plain disruption, against the editors."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from pydantic import Field, NonNegativeInt, PositiveInt
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.models.face_features import FaceFeatures
from gauntlet.models.guides import described, guides_of
from gauntlet.models.iap_face import Protector, Shape
from gauntlet.models.manipulators import Manipulator
from gauntlet.readers.faces import read_faces
from gauntlet.readers.manipulators import FEATURES, read_face_features, read_manipulators
from gauntlet.readers.protectors import ABLATIONS
from gauntlet.training.iap_face.curriculum import Balance
from gauntlet.training.iap_face.loop import Setting, train_protector
from gauntlet.training.iap_face.universal import begin_with, universal_pattern
from gauntlet.training.iap_face.validation import validate
from gauntlet.training.state import lend, start
from stages import Out
from stages import Params as StageParams
from stages.checkpoint import Checkpoint
from stages.files import write_json
from stages.machine import machine, parallel

METHODS = ("joint", *ABLATIONS)
"""What is trained: the joint model lies in the folder itself, an ablation in one of its name."""


class Recipe(StageParams):
    """How one model is trained.

    Attributes:
        epochs: In all.
        universal_steps: Of the universal perturbation that the encoder begins with; 0 begins without one.
        guides: Whether the encoder looks at faces through the editors' layers, too: "none", one guide an "editor", or
            one an "edit" where the edit's code enters at the top, which costs as many times as much.
        setting: Of the loss: weights, distortions, curriculum.
    """

    epochs: PositiveInt
    universal_steps: NonNegativeInt
    guides: Literal["none", "editor", "edit"]
    setting: Setting


class Params(StageParams):
    """How the protector is trained.

    Attributes:
        seed: Of first weights, order, messages, distortions.
        shape: Of the protector.
        held_out: Manipulators that training never sees.
        batch: Faces a step.
        lr: Peak, one-cycle.
        half: Compute in bfloat16.
        val_faces: Held-out faces that the last figures come from.
        joint: Message and disruption.
        message_only: A plain watermark.
        disruption_only: A plain disruption; its messages mean nothing.
    """

    seed: int
    shape: Shape
    held_out: tuple[str, ...]
    batch: int = Field(ge=2)
    lr: float = Field(gt=0)
    half: bool
    val_faces: PositiveInt
    joint: Recipe
    message_only: Recipe
    disruption_only: Recipe


class Material(NamedTuple):
    """What all three models are trained on: uint8 faces, the editors that may be seen, the face network."""

    train: Tensor
    val: Tensor
    manipulators: Mapping[str, Manipulator]
    phi: FaceFeatures


class Trained(NamedTuple):
    """Weights, one record of numbers an epoch, and the figures on held-out faces."""

    weights: dict[str, Tensor]
    history: list[dict]
    validation: dict


def run(params: Params, *, faces: Path, manipulators: Path, model: Out) -> None:
    """Write the joint protector and its ablations, each config.json, model.safetensors, history and validation.json."""
    material = _material(params, faces=faces, manipulators=manipulators)
    inputs = {"faces": faces, "manipulators": manipulators}
    # A forked worker cannot take over a GPU.
    workers = None if machine().device == "cpu" else 1
    models = parallel(
        partial(_train, params=params, material=material, inputs=inputs), METHODS, what="protectors", workers=workers
    )
    for method, trained in zip(METHODS, models, strict=True):
        folder = model / method if method in ABLATIONS else model
        folder.mkdir(parents=True, exist_ok=True)
        save_file(trained.weights, folder / "model.safetensors")
        config = {
            "shape": asdict(params.shape),
            "guides": _guided(described, method, params=params, material=material),
            "method": method,
            "manipulators": sorted(material.manipulators),
            "held_out": sorted(params.held_out),
            "seed": params.seed,
        }
        write_json(folder / "config.json", config)
        write_json(folder / "history.json", trained.history)
        write_json(folder / "validation.json", trained.validation)
    for method in METHODS:
        _checkpoint(method, params=params, inputs=inputs).clear()


def _material(params: Params, *, faces: Path, manipulators: Path) -> Material:
    editors = read_manipulators(manipulators, device=machine().device)
    if unknown := sorted(set(params.held_out) - set(editors)):
        raise ArgumentError(f"held_out must be among {', '.join(editors)}; got {unknown[0]!r}; misspelt?")
    seen = {name: editor for name, editor in sorted(editors.items()) if name not in params.held_out}
    if not seen:
        raise ArgumentError(f"a manipulator must be left to train against; held_out takes all: {params.held_out}")
    train, val = (_sized(read_faces(faces, split).x, params.shape.size_px) for split in ("train", "val"))
    return Material(
        train, val[: params.val_faces], seen, read_face_features(manipulators / FEATURES, device=machine().device)
    )


def _sized(x: Tensor, side: int) -> Tensor:
    if tuple(x.shape[-2:]) == (side, side):
        return x
    parts = [
        functional.interpolate(part.float(), size=(side, side), mode="bilinear", antialias=True).round().byte()
        for part in x.split(256)
    ]
    return torch.cat(parts)


def _checkpoint(method: str, *, params: Params, inputs: dict[str, Path]) -> Checkpoint:
    return Checkpoint(f"iap_face-train@{method}", params=params, inputs=inputs)


def _train(method: str, *, params: Params, material: Material, inputs: dict[str, Path]) -> Trained:
    """Train one of METHODS; what an interrupted run had done is taken up."""
    recipe: Recipe = getattr(params, method)
    checkpoint = _checkpoint(method, params=params, inputs=inputs)
    generator = torch.Generator().manual_seed(params.seed)
    with lend(generator, device="cpu"):
        make = partial(guides_of, size_px=params.shape.size_px)
        guides = _guided(make, method, params=params, material=material)
        protector = Protector(params.shape, guides=guides).to(machine().device)
    batches = -(-len(material.train) // params.batch)
    state = start(protector, lr=params.lr, weight_decay=0.0, batches=batches, epochs=recipe.epochs, generator=generator)
    state.extra["balance"] = Balance(list(material.manipulators), floor=recipe.setting.floor)
    saved = checkpoint.load()
    records = saved["records"] if saved else []
    if saved:
        state.load_state_dict(saved["state"])
    elif recipe.universal_steps:
        begin_with(protector, _universal(params, recipe, material=material, generator=generator))
    for record in train_protector(
        state,
        material.train,
        manipulators=material.manipulators,
        phi=material.phi,
        setting=recipe.setting,
        epochs=recipe.epochs,
        batch=params.batch,
        half=params.half,
    ):
        success = record.pop("success")
        records.append(record | {f"success_{name}": rate for name, rate in success.items()})
        checkpoint.save({"state": state.state_dict(), "records": records})
        print(f"{method}: epoch {record['epoch']} of {recipe.epochs}, bits {record['bit_accuracy']:.3f}", flush=True)
    return Trained(_weights(protector), records, _validated(protector, material)._asdict())


def _guided(make: Callable[..., dict], method: str, *, params: Params, material: Material) -> dict:
    guides = getattr(params, method).guides
    return {} if guides == "none" else make(material.manipulators, each=guides == "edit")


def _universal(params: Params, recipe: Recipe, *, material: Material, generator: torch.Generator) -> Tensor:
    return universal_pattern(
        material.manipulators,
        material.train,
        eps=params.shape.eps,
        steps=recipe.universal_steps,
        batch=params.batch,
        half=params.half,
        device=machine().device,
        generator=generator,
    )


def _weights(protector: Protector) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in protector.state_dict().items()}


def _validated(protector: Protector, material: Material) -> NamedTuple:
    x = material.val.to(machine().device).float() / 255
    return validate(protector.eval(), x, manipulators=material.manipulators, generator=torch.Generator().manual_seed(0))
