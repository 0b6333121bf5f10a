"""What train and score share: the CLIP, the sets, and what the frozen trunk makes of their pictures."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gauntlet.models.clip import Clip
from gauntlet.readers.clip import read_clip
from gauntlet.readers.few_shot import FewShotSet, evaluation, read_set
from gauntlet.readers.folders import named_folder
from gauntlet.readers.labelled import Labelled, RandomCrop
from gauntlet.templates import templates_of
from gauntlet.training.safe_clip.task import Frozen
from gauntlet.training.safe_clip.views import Views, encode
from stages import Params as StageParams
from stages.machine import machine


class Official(StageParams):
    """What is read in place of what was made here.

    Attributes:
        architecture: open_clip's name of a CLIP, such as RN50.
        weights: open_clip's tag, such as openai, or a checkpoint file.
        folder: Of the sets in CoOp's layout, by its name in folders.json.
    """

    architecture: str
    weights: str
    folder: str


def open_clip_of(official: Official | None, clip: Path) -> Clip:
    """Read the CLIP that was trained here, or the official one, onto the machine's device."""
    if official is None:
        return read_clip(clip, device=machine().device)
    return read_clip(official.architecture, weights=official.weights, device=machine().device)


def root_of(official: Official | None, *, sets: Path, folders: Path) -> Path:
    """Return the folder that holds the sets."""
    return sets if official is None else named_folder(folders, official.folder)


def read_at(root: Path, name: str, clip: Clip) -> FewShotSet:
    """Read a set at the size that the CLIP takes."""
    return read_set(root, name, transform=evaluation(clip.image_size_px))


def frozen_of(clip: Clip, few_shot: FewShotSet) -> Frozen:
    """Return what every method starts from: the templates' classifier, the pooling, the scale."""
    with torch.no_grad():
        text_features = clip.class_features(few_shot.class_names, templates_of(few_shot.name))
    return Frozen(text_features.float(), clip.new_pool(), float(clip.logit_scale))


def pictures(data: Labelled, *, batch: int) -> Iterator[Tensor]:
    """Yield all pictures in order, in [0, 1], on the machine's device."""
    for begin in range(0, len(data), batch):
        places = np.arange(begin, min(begin + batch, len(data)))
        yield data.tensors(places).x.to(machine().device).float() / 255


def plain_views(clip: Clip, data: Labelled, *, batch: int) -> Views:
    """Return the pictures as they are tested, as one view."""
    return _encoded(clip, data, [data], batch=batch)


def random_views(clip: Clip, data: Labelled, *, count: int, least: float, seed: int, batch: int) -> Views:
    """Return `count` random crops and mirrorings of each picture, drawn by seed, view and place alone.

    Source: CoOp's augmentation: a random part of at least `least` of the area, bicubic, mirrored every second time.
    """
    crops = [
        RandomCrop(clip.image_size_px, seed=int(drawn), least=least, interpolation="bicubic")
        for drawn in np.random.SeedSequence([seed, 1]).generate_state(count)
    ]
    return _encoded(clip, data, [data.transformed(crop) for crop in crops], batch=batch)


def _encoded(clip: Clip, data: Labelled, views: Sequence[Labelled], *, batch: int) -> Views:
    labels = torch.from_numpy(data.labels).to(machine().device)
    return encode((pictures(view, batch=batch) for view in views), labels, trunk=clip.maps, pool=clip.pool)
