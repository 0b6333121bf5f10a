"""ImageNet-E as built here, on a classifier that knows its classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from gauntlet.attacks.survival import right_in_batches
from gauntlet.errors import DataError
from gauntlet.metrics.imagenet_e import SETTINGS, DropTable, drop_table
from gauntlet.readers.classification import Images, read_classes, read_images
from gauntlet.readers.imagenet_e import ORIGINAL
from gauntlet.shifts.imagenet_e import SETTINGS as EDITS
from gauntlet.suites.classifier import pixels
from stages.audit.subject import Subject, batch_of
from stages.machine import machine

EDITED, ADVERSARIAL = Path("data/built/imagenet_e"), Path("data/attacked/imagenet_e")
RESAMPLES = 1000


@dataclass(frozen=True)
class Edited:
    """What the edits cost.

    Attributes:
        table: Drops with their intervals.
        right: bool by setting, "original" among them.
        keys: Of the pictures, in that order.
    """

    table: DropTable
    right: Mapping[str, np.ndarray]
    keys: list[str]


def lacking(classes: list[str]) -> str:
    """Say why ImageNet-E does not fit a classifier; empty where it does."""
    if not EDITED.exists():
        return f"ImageNet-E must be built first; {EDITED} is not there (`dvc repro` or `dvc pull`)"
    known = read_classes(EDITED)
    if lost := [name for name in known if name not in classes]:
        return f"its pictures here are of {', '.join(known)}; the model does not know {lost[0]}"
    return ""


def read_setting(setting: str) -> Images:
    """Read the pictures of one setting, or the "original" ones."""
    attacked = setting != ORIGINAL and EDITS[setting].adversarial
    return read_images(ADVERSARIAL if attacked else EDITED, setting, masks=False)


def edits(subject: Subject, *, seed: int) -> Edited:
    """Classify all pictures under each edit that is there; the adversarial one was made against a model of ours.

    Raises:
        DataError: The settings do not hold the same pictures.
    """
    settings = [name for name in SETTINGS if not EDITS[name].adversarial or ADVERSARIAL.exists()]
    right, first = {}, read_setting(ORIGINAL)
    places = np.array([subject.card.classes.index(name) for name in first.class_names])
    y = torch.from_numpy(places[first.labels]).to(machine().device)
    for setting in (ORIGINAL, *settings):
        data = first if setting == ORIGINAL else read_setting(setting)
        if data.keys != first.keys:
            raise DataError(
                f"{EDITED}: {setting} must hold the keys of the originals in their order; two builds mixed?"
            )
        x = pixels(torch.from_numpy(data.x).permute(0, 3, 1, 2).contiguous().to(machine().device))
        right[setting] = right_in_batches(subject.model, x, y, batch=batch_of(x)).cpu().numpy().astype(bool)
    table = drop_table(
        right[ORIGINAL],
        {name: right[name] for name in settings},
        resamples=RESAMPLES,
        generator=np.random.default_rng(seed),
    )
    return Edited(table, right, first.keys)
