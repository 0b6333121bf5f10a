"""Train one classifier by one method of fast adversarial training; select its epoch on held-out training pictures.

Every epoch records clean, FGSM and PGD-10 top-1 and the local linearity on the held-out pictures; the epoch of the
highest PGD-10 top-1 is kept, in plain training that of the highest clean one. A catastrophic overfitting is named with
its epoch. Seconds, images/s and peak memory go beside the results, untracked.
"""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Self

import torch
from pydantic import Field, model_validator
from safetensors.torch import save_file
from torch import Tensor, nn

from gauntlet.errors import ArgumentError
from gauntlet.metrics.overfitting import catastrophic_overfitting, held_out
from gauntlet.models.registry import build
from gauntlet.readers.labelled import Labelled
from gauntlet.training.augmentation import BatchAugmentation
from gauntlet.training.fgsm_law import build as build_method
from gauntlet.training.fgsm_law.averaging import AVERAGINGS, NoAveraging
from gauntlet.training.fgsm_law.images import StreamData, TensorData
from gauntlet.training.fgsm_law.loop import Speed, begin, steps_per_epoch, train
from gauntlet.training.fgsm_law.method import Method, Setting
from gauntlet.training.selection import Best
from gauntlet.training.state import TrainingState, start_sgd
from stages import Out, Ratio
from stages import Params as StageParams
from stages.checkpoint import Checkpoint
from stages.labelled import Data, read, some
from stages.machine import machine
from stages.training import Schedule, fit, seeded, write_model


class Averaging(StageParams):
    """Which average of the weights is evaluated and kept.

    Attributes:
        rule: "none", "ema", or "awa": LAW's, which leaves out steps whose attack no longer hurts.
        settings: Keyword arguments of `gauntlet.training.fgsm_law.averaging`'s class.
    """

    rule: str
    settings: dict[str, float | bool] = Field(default_factory=dict)

    def build(self) -> NoAveraging:
        """Make the averaging.

        Raises:
            ArgumentError: There is no such rule, or it has no such setting.
        """
        if self.rule not in AVERAGINGS:
            raise ArgumentError(f"averaging.rule must be one of {', '.join(AVERAGINGS)}; got {self.rule!r}; misspelt?")
        try:
            return AVERAGINGS[self.rule](**self.settings)
        except TypeError:
            got = ", ".join(self.settings)
            raise ArgumentError(f"averaging.settings must be those of {self.rule}; got {got}; misspelt?") from None


class Params(Schedule):
    """What is trained on what, by which method, how long.

    Attributes:
        data: The training pictures.
        epochs: At least one.
        method: A key of `gauntlet.training.fgsm_law.METHODS`.
        settings: Its hyper-parameters where they differ from the paper's.
        architecture: "gauntlet:preact_resnet18", "gauntlet:wide_resnet", "torchvision:...", "timm:...".
        network: Keyword arguments of its builder.
        eps: Linf radius.
        momentum: Of SGD.
        schedule: "multistep", "cyclic" or "one_cycle".
        turns: Shares of the run at which the rate is cut, or peaks.
        clip_norm: Greatest norm of the gradient, or null.
        augmentation: As `gauntlet.training.augmentation.BatchAugmentation` names it.
        averaging: Of the weights.
        speed: Precision, memory format, compilation.
        workers: Processes that decode the training pictures as they are needed, for sets that do not fit into memory;
            null holds them all.
        measured: Held-out pictures that are attacked after each epoch; null for all.
    """

    data: Data
    epochs: int = Field(ge=1)
    method: str
    settings: dict[str, str | int | float | bool | None]
    architecture: str
    network: dict[str, str | int | float | bool]
    eps: Ratio
    momentum: float = Field(ge=0, lt=1)
    schedule: str
    turns: tuple[Ratio, ...]
    clip_norm: float | None
    augmentation: BatchAugmentation
    averaging: Averaging
    speed: Speed
    workers: int | None = Field(default=None, ge=0)
    measured: int | None = Field(ge=1)

    @model_validator(mode="after")
    def _known(self) -> Self:
        build_method(self.method, self.settings)
        self.averaging.build()
        return self


def run(params: Params, *, variant: str, images: Path, digits: Path, folders: Path, model: Out) -> None:
    """Train and write the model folder: the best epoch's weights, and the last one's beside them."""
    device = machine().device
    places = {"images": images, "digits": digits, "folders": folders}
    data = read(params.data, "train", **places)
    held = some(read(params.data, "val", **places), params.measured, seed=params.seed).tensors()
    settings = _settings(params, channels=held.x.shape[1])
    network = _network(params, settings, x=held.x[:2], classes=len(data.class_names))
    setting = Setting(
        eps=params.eps,
        classes=len(data.class_names),
        images=len(data),
        shape=tuple(held.x.shape[1:]),
        epochs=params.epochs,
        steps_per_epoch=steps_per_epoch(len(data), params.batch, whole=params.speed.compile),
        device=device,
    )
    method, averaging, best = build_method(params.method, params.settings), params.averaging.build(), Best()
    state = _state(params, network.to(device), setting, method=method)
    begin(state, method, averaging, setting=setting, speed=params.speed)
    state.extra["best"] = best
    checkpoint = Checkpoint(f"fgsm_law-train@{variant}", params=params, inputs=places)
    history = fit(
        state,
        lambda: train(
            state,
            _pictures(params, data),
            setting=setting,
            batch=params.batch,
            how=params.augmentation,
            speed=params.speed,
            clip_norm=params.clip_norm,
        ),
        checkpoint=checkpoint,
        measure=partial(_measure, params, state, held.x, y=held.y),
        items=len(data),
    )
    _write(params, model, state, settings=settings, classes=data.class_names, history=history)
    checkpoint.clear()


def _pictures(params: Params, data: Labelled) -> TensorData | StreamData:
    return TensorData(*data.tensors()) if params.workers is None else StreamData(data, params.workers)


def _settings(params: Params, *, channels: int) -> dict[str, object]:
    """Return the network's settings; ours are told of grey pictures, others spread them over their three channels."""
    grey = {"channels": channels} if channels != 3 and params.architecture.startswith("gauntlet:") else {}
    return {**grey, **params.network}


def _network(params: Params, settings: Mapping[str, object], *, x: Tensor, classes: int) -> nn.Module:
    """Build the network and try it on two pictures, before an epoch is spent on one that does not fit."""
    network = seeded(lambda: build(params.architecture, classes=classes, settings=settings), params.seed).eval()
    try:
        with torch.no_grad():
            logits = network(x.float() / 255)
    except RuntimeError as error:
        shape = " x ".join(map(str, x.shape[1:]))
        raise ArgumentError(f"{params.architecture} must take the data's {shape} pictures; {error}") from None
    if logits.shape != (len(x), classes):
        raise ArgumentError(
            f"{params.architecture} must have the data's {classes} classes; got {logits.shape[-1]}; "
            "does `network` ask for the weights of another data set?"
        )
    return network


def _measure(params: Params, state: TrainingState, x: Tensor, *, y: Tensor) -> Mapping[str, float]:
    """Measure an epoch on the held-out pictures and keep its weights if they are the best so far."""
    shadow = state.extra["averaging"].shadow
    found = held_out(
        shadow,
        x,
        y,
        eps=params.eps,
        batch=500,
        device=machine().device,
        generator=torch.Generator().manual_seed(params.seed),
    )
    # Nothing withstands PGD in plain training: chance would choose among its zeros.
    state.extra["best"].offer(shadow, found.clean if params.method == "plain" else found.pgd_10, epoch=state.epoch)
    return {name: value for name, value in asdict(found).items() if name != "n"}


def _state(params: Params, network: nn.Module, setting: Setting, *, method: Method) -> TrainingState:
    return start_sgd(
        network,
        lr=params.lr,
        momentum=params.momentum,
        weight_decay=params.weight_decay,
        schedule=params.schedule,
        turns=params.turns,
        steps=setting.steps_per_epoch * setting.epochs * method.replays,
        generator=torch.Generator().manual_seed(params.seed),
    )


def _write(
    params: Params,
    folder: Path,
    state: TrainingState,
    *,
    settings: Mapping[str, object],
    classes: list[str],
    history: list[dict],
) -> None:
    """Write the folder; `last.safetensors` is for the table's column of last epochs."""
    method, best, shadow = state.extra["method"], state.extra["best"], state.extra["averaging"].shadow
    last = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in shadow.state_dict().items()
    }
    if best.weights:
        shadow.load_state_dict(best.weights)
    found = catastrophic_overfitting(history, attacked=params.method != "plain")
    write_model(
        folder,
        shadow,
        architecture=params.architecture,
        classes=classes,
        settings=settings,
        about={
            "data": params.data.model_dump(mode="json"),
            "method": params.method,
            "switches": asdict(method) | {f"averaging_{params.averaging.rule}": params.averaging.settings},
            "eps": params.eps,
            "seed": params.seed,
            "epochs": params.epochs,
            "best_epoch": best.epoch,
            "passes": sum(record["passes"] for record in history),
            "overfitting": asdict(found),
            "device": machine().device,
        },
        history=history,
    )
    save_file(last, folder / "last.safetensors")
    if found.collapsed:
        print(f"catastrophic overfitting in epoch {found.epoch} of {params.epochs}", flush=True)
