"""Pre-train the detectors' network to classify the objects of the source domain's training scenes.

It stands where the paper's detectors start from ImageNet: a network that knows what things look like. It sees no pixel
outside the training split of the source domain.
"""

from pathlib import Path

import numpy as np
import torch

from gauntlet.models.registry import build
from gauntlet.shifts.crops import square_crop
from gauntlet.training.classification import Augmentation, top1, train_classifier
from stages import Out
from stages.checkpoint import Checkpoint
from stages.coco_o.tensors import Tensors, read_tensors
from stages.machine import machine
from stages.training import Schedule, begin, fit, seeded, write_model

AUGMENTATION = Augmentation(crop=0.75, zoom_out=1.15, turn_degrees=15, colour=0.4, grey=0.1)


class Params(Schedule):
    """How long, how fast, how large."""

    width: int
    crop_px: int
    smoothing: float


def crops(source: Tensors, *, size_px: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut every annotated object out of its scene: uint8 N x 3 x size x size, and labels from 0."""
    pictures, labels = [], []
    for image, target in zip(source.images, source.targets, strict=True):
        pixels = image.permute(1, 2, 0).numpy()
        for (x0, y0, x1, y1), label in zip(target.boxes_xyxy.tolist(), target.labels.tolist(), strict=True):
            pictures.append(square_crop(pixels, (x0, y0, x1 - x0, y1 - y0), size_px=size_px))
            labels.append(label - 1)
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous(), torch.tensor(labels)


def run(params: Params, *, scenes: Path, model: Out) -> None:
    """Train the classifier and write it as a model folder."""
    device = machine().device
    source = read_tensors(scenes, "train2017")
    x, labels = crops(source, size_px=params.crop_px)
    x_val, labels_val = crops(read_tensors(scenes, "val2017"), size_px=params.crop_px)
    settings = {"width": params.width, "input_px": params.crop_px}
    network = seeded(lambda: build("gauntlet:convnet", classes=len(source.classes), settings=settings), params.seed).to(
        device, memory_format=torch.channels_last
    )
    state = begin(network, params, items=len(x))
    checkpoint = Checkpoint("coco_o-pretrain", params=params, inputs={"scenes": scenes})
    history = fit(
        state,
        lambda: train_classifier(
            state,
            x,
            labels,
            boxes=torch.zeros(len(x), 4),
            how=AUGMENTATION,
            size_px=params.crop_px,
            smoothing=params.smoothing,
            epochs=params.epochs,
            batch=params.batch,
            device=device,
        ),
        checkpoint=checkpoint,
        measure=lambda: {"top1": top1(network, x_val, labels_val, batch=256, device=device)},
    )
    write_model(
        model,
        network,
        architecture="gauntlet:convnet",
        classes=source.classes,
        settings=settings,
        about={"trained_on": "crops of the source domain's training scenes", "seed": params.seed, "device": device},
        history=history,
    )
    checkpoint.clear()
