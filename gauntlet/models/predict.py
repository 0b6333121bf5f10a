"""Run a detector over images, in batches and in order."""

from collections.abc import Iterable
from itertools import islice

import numpy as np
import torch
from torch import nn

from gauntlet.boxes import Detections
from gauntlet.errors import ArgumentError


@torch.inference_mode()
def detect(model: nn.Module, images: Iterable[np.ndarray], *, device: str = "cpu", batch: int = 8) -> list[Detections]:
    """Find the objects of each image.

    Args:
        model: In eval mode, on `device`; takes a list of float CHW tensors in [0, 1], of any sizes, and gives a dict of
            boxes (xyxy, px), labels (1..K) and scores for each, as torchvision's detectors do.
        images: uint8 [H, W, 3] RGB; taken one batch at a time, so that they need not fit into memory.
        device: Where the model is.
        batch: Images at a time.

    Returns:
        One for each image, in order.

    Raises:
        ArgumentError: batch below 1, or a model in training mode, which would give losses.
    """
    if batch < 1:
        raise ArgumentError(f"batch must be at least 1; got {batch}")
    if model.training:
        raise ArgumentError("the detector must be in eval mode; got training mode (model.eval() forgotten?)")
    found = []
    queue = iter(images)
    while group := list(islice(queue, batch)):
        tensors = [torch.from_numpy(np.array(image)).to(device).permute(2, 0, 1).float() / 255 for image in group]
        found += [_detections(output) for output in model(tensors)]
    return found


def _detections(output: dict[str, torch.Tensor]) -> Detections:
    boxes, scores, labels = (output[key].cpu().numpy() for key in ("boxes", "scores", "labels"))
    return Detections(boxes.astype(np.float64).reshape(-1, 4), scores.astype(np.float64), labels.astype(np.int64))
