"""Train the default models under test on `objects128`: a plain one, and one with the improvements that the paper names.

The improved one is cropped to its object in a share of the images and augmented more strongly, so that the table shows
what that buys. With `epochs: 0` and `weights` any classifier is put under test as it is.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file

from gauntlet.errors import DataError
from gauntlet.models.registry import build
from gauntlet.readers.classification import Images, read_images
from gauntlet.training.classification import Augmentation, boxes_of, top1, train_classifier
from stages import Out
from stages.checkpoint import Checkpoint
from stages.machine import machine
from stages.training import Schedule, begin, fit, seeded, write_model


class Params(Schedule):
    """Which classifier, how long, how strongly augmented.

    Attributes:
        architecture: "gauntlet:convnet", "torchvision:resnet50", "timm:...", "package.module:function".
        settings: Keyword arguments of its builder.
        weights: A safetensors file to start from, or null.
        train_px: Side of the training crops.
        augmentation: Strengths, as `gauntlet.training.classification.Augmentation` names them.
    """

    architecture: str
    settings: dict[str, str | int | float | bool]
    weights: str | None
    smoothing: float
    train_px: int
    augmentation: Augmentation


def _tensors(split: Images) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(split.x).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(split.labels)


def run(params: Params, *, classifier: str, images: Path, model: Out) -> None:
    """Train and write the model folder; validation top-1 is recorded, the last epoch is kept."""
    device = machine().device
    train, val = read_images(images, "train"), read_images(images, "val")
    x, labels = _tensors(train)
    x_val, labels_val = _tensors(val)
    network = seeded(
        lambda: build(params.architecture, classes=len(train.class_names), settings=params.settings), params.seed
    )
    if params.weights:
        if not Path(params.weights).exists():
            raise DataError(f"weights {params.weights} must exist; a path on another machine?")
        network.load_state_dict(load_file(params.weights))
    network = network.to(device, memory_format=torch.channels_last)
    state = begin(network, params, items=len(x))
    checkpoint = Checkpoint(f"imagenet_e-train@{classifier}", params=params, inputs={"images": images})
    history = fit(
        state,
        lambda: train_classifier(
            state,
            x,
            labels,
            boxes=boxes_of(torch.from_numpy(train.masks)),
            how=params.augmentation,
            size_px=params.train_px,
            smoothing=params.smoothing,
            epochs=params.epochs,
            batch=params.batch,
            device=device,
        ),
        checkpoint=checkpoint,
        measure=lambda: {"top1": top1(network, x_val, labels_val, batch=200, device=device)},
    )
    write_model(
        model,
        network,
        architecture=params.architecture,
        classes=train.class_names,
        settings=params.settings,
        about={"trained_on": "objects128, train split", "seed": params.seed, "device": device},
        history=history,
    )
    checkpoint.clear()
