"""A split of the source domain in memory, as the training loops take it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gauntlet.readers.coco import CocoSet, read_coco
from gauntlet.training.detection import Target


@dataclass(frozen=True)
class Tensors:
    """One split.

    Attributes:
        split: As it was read.
        images: N images, uint8, 3 x H x W.
        targets: Their boxes, with labels from 1 in the order of `classes`.
        classes: Category names.
    """

    split: CocoSet
    images: list[Tensor]
    targets: list[Target]
    classes: list[str]


def read_tensors(folder: Path, split: str) -> Tensors:
    """Read a split of a COCO-format dataset into memory; crowds are left out."""
    coco = read_coco(folder, split=split)
    truth = coco.truth
    ids = list(truth.categories)
    targets = []
    for record in coco.images:
        mine = (truth.image_id == record.id) & ~truth.crowd
        xywh = torch.from_numpy(truth.boxes_xywh[mine]).float().reshape(-1, 4)
        labels = torch.tensor([ids.index(n) + 1 for n in truth.category_id[mine].tolist()], dtype=torch.int64)
        targets.append(Target(torch.cat([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], 1), labels))
    images = [torch.from_numpy(np.array(record.open())).permute(2, 0, 1).contiguous() for record in coco.images]
    return Tensors(coco, images, targets, [truth.categories[n] for n in ids])
