"""Train one classifier by one method of fast adversarial training; select its epoch on held-out training pictures.

Every epoch records clean, FGSM and PGD-10 top-1 and the local linearity on the held-out pictures; a catastrophic
overfitting is named with its epoch. Seconds, images/s and peak memory go beside the results, untracked.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from pydantic import Field
from safetensors.torch import save_file
from torch import nn

from gauntlet.errors import ArgumentError
from gauntlet.metrics.overfitting import catastrophic_overfitting, held_out
from gauntlet.models.registry import build
from gauntlet.training.augmentation import BatchAugmentation
from gauntlet.training.fgsm_law import build as build_method
from gauntlet.training.fgsm_law.averaging import AVERAGINGS, NoAveraging
from gauntlet.training.fgsm_law.loop import Speed, TensorData, begin, steps_per_epoch, train
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


class Params(Schedule):
    """What is trained on what, by which method, how long.

    Attributes:
        data: The training pictures.
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
        measured: Held-out pictures that are attacked after each epoch; null for all.
    """

    data: Data
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
    measured: int | None = Field(ge=1)


def run(params: Params, *, variant: str, images: Path, digits: Path, folders: Path, model: Out) -> None:
    """Train and write the model folder: the best epoch's weights, and the last one's beside them."""
    device = machine().device
    places = {"images": images, "digits": digits, "folders": folders}
    data = read(params.data, "train", **places)
    x, y = data.tensors()
    x_val, y_val = some(read(params.data, "val", **places), params.measured, seed=params.seed).tensors()
    method, averaging = build_method(params.method, params.settings), _averaging(params.averaging)
    network = _network(params, classes=len(data.class_names), channels=x.shape[1]).to(device)
    setting = Setting(
        eps=params.eps,
        classes=len(data.class_names),
        images=len(x),
        shape=tuple(x.shape[1:]),
        epochs=params.epochs,
        steps_per_epoch=steps_per_epoch(len(x), params.batch, whole=params.speed.compile),
        device=device,
    )
    state, best = _state(params, network, setting, method=method), Best()
    begin(state, method, averaging, setting=setting, speed=params.speed)
    state.extra["best"] = best

    def measure() -> Mapping[str, float]:
        found = held_out(
            averaging.shadow,
            x_val,
            y_val,
            eps=params.eps,
            batch=500,
            device=device,
            generator=torch.Generator().manual_seed(params.seed),
        )
        best.offer(averaging.shadow, found.pgd_10, epoch=state.epoch)
        return {name: value for name, value in asdict(found).items() if name != "n"}

    checkpoint = Checkpoint(f"fgsm_law-train@{variant}", params=params, inputs=places)
    history = fit(
        state,
        lambda: train(
            state,
            TensorData(x, y),
            setting=setting,
            batch=params.batch,
            how=params.augmentation,
            speed=params.speed,
            clip_norm=params.clip_norm,
        ),
        checkpoint=checkpoint,
        measure=measure,
        items=len(x),
    )
    _write(params, model, averaging.shadow, best=best, history=history, method=method, classes=data.class_names)
    checkpoint.clear()


def _averaging(params: Averaging) -> NoAveraging:
    if params.rule not in AVERAGINGS:
        raise ArgumentError(f"averaging.rule must be one of {', '.join(AVERAGINGS)}; got {params.rule!r}")
    try:
        return AVERAGINGS[params.rule](**params.settings)
    except TypeError as error:
        raise ArgumentError(f"averaging.settings must be those of {params.rule}; {error}") from None


def _network(params: Params, *, classes: int, channels: int) -> nn.Module:
    grey = {"channels": channels} if channels != 3 and params.architecture.startswith("gauntlet:") else {}
    return seeded(lambda: build(params.architecture, classes=classes, settings={**params.network, **grey}), params.seed)


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
    shadow: nn.Module,
    *,
    best: Best,
    history: list[dict],
    method: Method,
    classes: list[str],
) -> None:
    """Write the folder; `last.safetensors` is for the table's column of last epochs."""
    last = {name: tensor.detach().cpu().clone() for name, tensor in shadow.state_dict().items()}
    if best.weights:
        shadow.load_state_dict(best.weights)
    found = catastrophic_overfitting(history, attacked=params.method != "plain")
    channels = {"channels": 1} if "channels" not in params.network and params.data.layout == "digits" else {}
    write_model(
        folder,
        shadow,
        architecture=params.architecture,
        classes=classes,
        settings={**params.network, **channels},
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
