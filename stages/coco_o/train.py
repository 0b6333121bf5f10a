"""Train a detector on the source domain only, from the pre-trained network where its own network takes those weights.

With `epochs: 0` and `weights` a detector that exists already (any torchvision or transformers detector, or a
safetensors file) is put under test as it is.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from gauntlet.boxes import as_results
from gauntlet.errors import DataError
from gauntlet.metrics.detection import average_precision
from gauntlet.models.predict import detect
from gauntlet.models.registry import build, own_classes
from gauntlet.readers.models import read_card
from gauntlet.training.detection import train_detector
from stages import Out
from stages.checkpoint import Checkpoint
from stages.coco_o.tensors import Tensors, read_tensors
from stages.machine import machine
from stages.training import Schedule, begin, fit, seeded, write_model


class Params(Schedule):
    """Which detector, how long, how fast.

    Attributes:
        architecture: "gauntlet:fcos", "torchvision:fasterrcnn_resnet50_fpn", "transformers:<folder>", ...
        settings: Keyword arguments of its builder.
        weights: A safetensors file to start from, or null.
        classes: Class names by label; null for those of torchvision's weights or, without these, of the scenes.
    """

    architecture: str
    settings: dict[str, str | int | float | bool]
    weights: str | None
    classes: list[str] | None


def start_from(network: nn.Module, backbone: Path) -> bool:
    """Load the pre-trained stages into a detector of ours; others keep their own start."""
    weights = load_file(backbone / "model.safetensors")
    body = {name.removeprefix("body."): value for name, value in weights.items() if name.startswith("body.")}
    ours = getattr(getattr(network, "backbone", None), "body", None)
    if ours is None or set(ours.state_dict()) != set(body):
        return False
    ours.load_state_dict(body)
    return True


def _network(params: Params, classes: list[str], backbone: Path) -> tuple[nn.Module, str]:
    network = seeded(lambda: build(params.architecture, classes=len(classes), settings=params.settings), params.seed)
    if params.weights:
        path = Path(params.weights)
        if not path.exists():
            raise DataError(f"weights {path} must exist; a path on another machine?")
        network.load_state_dict(load_file(path))
        return network, path.name
    if start_from(network, backbone):
        return network, f"{read_card(backbone).architecture}, pre-trained on crops"
    return network, "its builder's own weights"


def _val_ap(network: nn.Module, val: Tensors, *, classes: list[str], batch: int, device: str) -> dict[str, float]:
    """Return AP and AP50 on the source domain's validation split."""
    pictures = (image.permute(1, 2, 0).numpy() for image in val.images)
    found = detect(network.eval(), pictures, device=device, batch=batch)
    truth = val.split.truth
    ids = {name: number for number, name in truth.categories.items()}
    image_ids = [record.id for record in val.split.images]
    score = average_precision(
        truth, as_results(found, image_ids=image_ids, category_ids=[ids.get(name) for name in classes])
    )
    return {"ap": score.ap, "ap50": score.ap50}


def run(params: Params, *, detector: str, scenes: Path, backbone: Path, model: Out) -> None:
    """Train and write the model folder; the validation AP is recorded, the last epoch is kept."""
    device = machine().device
    source, val = read_tensors(scenes, "train2017"), read_tensors(scenes, "val2017")
    classes = params.classes or own_classes(params.architecture, params.settings) or source.classes
    network, begun = _network(params, classes, backbone)
    network = network.to(device, memory_format=torch.channels_last)
    state = begin(network, params, items=len(source.images))
    inputs = {"scenes": scenes, "backbone": backbone}
    checkpoint = Checkpoint(f"coco_o-train@{detector}", params=params, inputs=inputs)
    history = fit(
        state,
        lambda: train_detector(
            state, source.images, source.targets, epochs=params.epochs, batch=params.batch, device=device
        ),
        checkpoint=checkpoint,
        measure=lambda: _val_ap(network, val, classes=classes, batch=params.batch, device=device),
    )
    write_model(
        model,
        network,
        architecture=params.architecture,
        classes=classes,
        settings=params.settings,
        about={"trained_on": "source domain", "begun_from": begun, "seed": params.seed, "device": device},
        history=history,
    )
    checkpoint.clear()
