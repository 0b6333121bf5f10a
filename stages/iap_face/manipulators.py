"""Train one face editor, or the attribute network `features`, on the faces of train; val is measured each epoch.

The attribute network serves the feature-level correlation and the perceptual distance; no editor depends on it.
"""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor, nn

from gauntlet.errors import ArgumentError
from gauntlet.models.critics import StarGanCritic
from gauntlet.models.manipulators import Editor, edited_labels
from gauntlet.readers.faces import read_faces
from gauntlet.readers.folders import named_folder
from gauntlet.readers.manipulators import FEATURES, GENERATORS, build, published_files, read_manipulator
from gauntlet.training.manipulators import CriticTurns, FaceRows, Weights, face_rows, train_editor, train_features
from stages import Out
from stages import Params as StageParams
from stages.checkpoint import Checkpoint
from stages.machine import machine
from stages.training import Schedule, begin, fit, seeded, write_model


class Critic(StageParams):
    """The critic of an adversarial loss.

    Attributes:
        width: Channels of its first layer, doubled at each further one.
        layers: Reductions by two.
        lr: Adam's.
        turns: Its steps for one of the generator.
    """

    width: PositiveInt
    layers: PositiveInt
    lr: float = Field(gt=0)
    turns: PositiveInt


class Params(Schedule):
    """How a manipulator is trained.

    Attributes:
        network: Settings of the generator's shape: width, blocks, kernel, norm, residual; width, layers, shortcuts,
            injections; or width and depth of the attribute network.
        weights: Of the losses, as `gauntlet.training.manipulators.Weights`.
        critic: Null where no loss needs one.
        half: Compute the generator in bfloat16.
        measured: Faces of val that are measured after each epoch.
        published: Name in folders.json of a published StarGAN or AttGAN, taken as it is; null to train one.
    """

    network: dict[str, bool | NonNegativeInt | str]
    weights: dict[str, float]
    critic: Critic | None
    half: bool
    measured: PositiveInt
    published: str | None

    def losses(self) -> Weights:
        """Return the weights of the losses.

        Raises:
            ArgumentError: A loss that does not exist, or one that is missing.
        """
        try:
            return Weights(**self.weights)
        except TypeError as error:
            known = ", ".join(Weights.__dataclass_fields__)
            raise ArgumentError(f"weights must name each of {known}; {str(error).rpartition(') ')[2]}") from None


def run(params: Params, *, manipulator: str, faces: Path, folders: Path, model: Out) -> None:
    """Write a model folder, or copy a published one."""
    if manipulator not in GENERATORS:
        raise ArgumentError(f"the manipulator must be one of {', '.join(GENERATORS)}; got {manipulator!r}; misspelt?")
    if params.published is not None:
        _copy(named_folder(folders, params.published), model)
        return
    train, val = _rows(faces, "train"), _rows(faces, "val", count=params.measured)
    checkpoint = Checkpoint(f"iap_face-manipulators@{manipulator}", params=params, inputs={"faces": faces})
    network = seeded(lambda: build(manipulator, train.names, settings=params.network), params.seed)
    state = begin(network.to(machine().device), params, items=len(train))
    if params.critic is not None and manipulator != FEATURES:
        state.extra["critic"] = _critic(params, train)
    loop = partial(train_features, state, train, epochs=params.epochs, batch=params.batch)
    if manipulator != FEATURES:
        kept = {"epochs": params.epochs, "batch": params.batch, "half": params.half}
        loop = partial(train_editor, state, train, weights=params.losses(), **kept)
    measure = label_accuracy if manipulator == FEATURES else edit_distance
    history = fit(state, loop, checkpoint=checkpoint, measure=lambda: measure(network, val), items=len(train))
    about = {"manipulator": manipulator, "training": params.model_dump(mode="json", exclude={"network"})}
    write_model(
        model,
        network,
        architecture=manipulator,
        classes=list(train.names),
        settings=params.network,
        about=about,
        history=history,
    )
    checkpoint.clear()


def _copy(published: Path, model: Path) -> None:
    files = published_files(published)
    model.mkdir(parents=True)
    for path in files:
        shutil.copyfile(path, model / path.name)
    read_manipulator(model)


def _rows(faces: Path, split: str, *, count: int | None = None) -> FaceRows:
    found = read_faces(faces, split)
    edits = None if found.edits is None else {name: pictures[:count] for name, pictures in found.edits.items()}
    return face_rows(found.x[:count], found.attributes[:count], found.names, edits=edits)


def _critic(params: Params, rows: FaceRows) -> CriticTurns:
    shape = params.critic
    assert shape is not None
    critic = seeded(
        lambda: StarGanCritic(len(rows.names), size_px=rows.x.shape[-1], width=shape.width, layers=shape.layers),
        params.seed + 1,
    )
    return CriticTurns(critic.to(machine().device), lr=shape.lr, turns=shape.turns)


@torch.no_grad()
def edit_distance(network: nn.Module, rows: FaceRows) -> dict[str, float]:
    """Return the L1 distance on [0, 1] of edits to their truth: everywhere, where the truth differs, and of no edit."""
    if rows.edits is None:
        return {}
    editor = Editor("", rows.names, network)
    x = rows.x.float() / 255
    sums = torch.zeros(5, dtype=torch.float64)
    for at in range(len(rows.names)):
        truth = rows.edits[at].float() / 255
        edited = _in_batches(lambda part, at=at: editor.edit(part, at), x)
        region = ((truth - x).abs().sum(1, keepdim=True) > 0.25).float()
        apart, before = (edited - truth).abs(), (x - truth).abs()
        sums += torch.stack(
            [
                apart.sum(),
                (apart * region).sum(),
                (before * region).sum(),
                region.sum() * 3,
                torch.tensor(apart.numel()),
            ]
        ).double()
    network.requires_grad_(True)
    whole, inside, unedited, size, count = sums.tolist()
    size = max(size, 1.0)
    return {"val_l1": whole / count, "val_region_l1": inside / size, "val_region_l1_unedited": unedited / size}


@torch.no_grad()
def label_accuracy(network: nn.Module, rows: FaceRows) -> dict[str, float]:
    """Return the share of right attributes on faces, and on their edits."""
    network.eval()
    right = {"val_accuracy": _right(network, rows.x, rows.labels)}
    if rows.edits is not None:
        shares = [
            _right(network, pictures, edited_labels(rows.labels, torch.full((len(rows),), at), rows.names))
            for at, pictures in enumerate(rows.edits)
        ]
        right["val_accuracy_edited"] = sum(shares) / len(shares)
    return right


def _right(network: nn.Module, x: Tensor, labels: Tensor) -> float:
    told = _in_batches(network, x.float() / 255) > 0
    return float((told == labels).float().mean())


def _in_batches(function: Callable[[Tensor], Tensor], x: Tensor, *, batch: int = 50) -> Tensor:
    device = machine().device
    return torch.cat([function(part.to(device)).cpu() for part in x.split(batch)])
