"""What training stages share: the loop around a library's loop, and the model folder it ends in."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from pydantic import Field
from safetensors.torch import save_file
from torch import nn

from gauntlet.training.state import TrainingState, start
from stages import Params
from stages.checkpoint import Checkpoint
from stages.cost import write_epoch_cost
from stages.files import write_json


class Schedule(Params):
    """How long and how fast a stage trains; the parameters of a training stage begin with these.

    Attributes:
        seed: Of the weights, the order and the augmentation.
        epochs: Epochs in all; 0 takes the model as it is.
        batch: Items a step.
        lr: Peak learning rate.
        weight_decay: On all weights but biases and norms.
    """

    seed: int
    epochs: int = Field(ge=0)
    batch: int = Field(ge=1)
    lr: float = Field(gt=0)
    weight_decay: float = Field(ge=0)


def begin(network: nn.Module, schedule: Schedule, *, items: int) -> TrainingState:
    """Begin a run over `items` items an epoch."""
    return start(
        network,
        lr=schedule.lr,
        weight_decay=schedule.weight_decay,
        batches=-(-items // schedule.batch),
        epochs=schedule.epochs,
        generator=torch.Generator().manual_seed(schedule.seed),
    )


def fit(
    state: TrainingState,
    loop: Callable[[], Iterator[dict]],
    *,
    checkpoint: Checkpoint,
    measure: Callable[[], Mapping[str, float]],
    items: int | None = None,
) -> list[dict]:
    """Run a training loop to its end, resuming where an earlier run was cut off.

    Args:
        state: The fresh run; a checkpoint, where there is one, is loaded into it.
        loop: Starts the library's loop on `state`; yields one record an epoch.
        checkpoint: Saved after each epoch; the caller clears it when the outputs are written.
        measure: Computes the held-out numbers of an epoch.
        items: Images an epoch; where given, each epoch's seconds, images/s and peak memory are left beside the cost of
            the stage, untracked.

    Returns:
        One record an epoch, without any clock in it.
    """
    history: list[dict] = []
    if saved := checkpoint.load():
        state.load_state_dict(saved["state"])
        history = saved["history"]
    begin = since = time.monotonic()
    for record in loop():
        trained_s = time.monotonic() - since
        history.append(dict(record) | {name: round(value, 6) for name, value in measure().items()})
        checkpoint.save({"state": state.state_dict(), "history": history})
        shown = ", ".join(f"{name} {value:.4g}" for name, value in history[-1].items())
        print(f"{shown}, {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
        if items:
            write_epoch_cost(checkpoint.stage, state.epoch, seconds=trained_s, items=items)
        since = time.monotonic()
    return history


def seeded(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Build a model whose random weights depend on the seed alone, leaving the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def write_model(
    folder: Path,
    model: nn.Module,
    *,
    architecture: str,
    classes: list[str],
    settings: Mapping[str, object],
    about: Mapping[str, object],
    history: list[dict],
) -> None:
    """Write a model folder: model.safetensors, model.json and history.json.

    Args:
        folder: Made here.
        model: Its weights are written as they are.
        architecture: As `gauntlet.models.registry.build` takes it.
        classes: Names, in the order of the logits.
        settings: Keyword arguments of the builder.
        about: What it was trained on, and how.
        history: One record an epoch.
    """
    folder.mkdir(parents=True)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors")
    # The weights are in the file now; without being asked for them, timm's models take other statistics.
    kept = {name: value for name, value in settings.items() if name not in ("weights", "pretrained")}
    kept = ({"preprocessing": "own"} if settings.get("pretrained") else {}) | kept
    write_json(folder / "model.json", {**about, "architecture": architecture, "classes": classes, "settings": kept})
    write_json(folder / "history.json", history)
