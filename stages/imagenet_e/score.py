"""Score a classifier: top-1 on the originals and under each edit of the same pictures, and the drop between them.

`official` reads the authors' folders in place of the pictures made here; `architecture` puts any model under test.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
import torch
from pydantic import Field
from torch import nn

from gauntlet.errors import ArgumentError, DataError
from gauntlet.metrics.imagenet_e import CONTROL, SETTINGS, DropTable, drop_table
from gauntlet.models.registry import build
from gauntlet.readers.classification import Images, read_images
from gauntlet.readers.folders import named_folder
from gauntlet.readers.imagenet_e import ORIGINAL, OfficialImage, imagenet_wnids, read_official
from gauntlet.readers.models import load_model
from gauntlet.shifts.imagenet_e import SETTINGS as EDITS
from stages import Out
from stages import Params as StageParams
from stages.imagenet_e.attack import victim_labels
from stages.machine import machine
from stages.progress import track
from stages.scores import write_score


class Official(StageParams):
    """The authors' folders.

    Attributes:
        folder: Name in folders.json.
        settings: Sub-folder by setting's slug, and of the originals as "original"; some settings may be missing.
    """

    folder: str
    settings: dict[str, str]


class Params(StageParams):
    """What is scored, and how.

    Attributes:
        seed: Of the bootstrap.
        resamples: Bootstrap draws of the pictures, paired over the settings.
        batch: Pictures at a time.
        examples: How many keys are named of those that each edit loses.
        architecture: A model by name (torchvision:resnet50, timm:..., package.module:function) with its own weights,
            for the authors' 1,000 classes; null for the model folder.
        settings: Keyword arguments of that model, such as weights: DEFAULT.
        official: The authors' folders; null for the pictures built here.
        resize_px: Shorter side that the authors' pictures are scaled to.
        crop_px: Side of the square cut from their middle.
    """

    seed: int
    resamples: int = Field(ge=1)
    batch: int = Field(ge=1)
    examples: int = Field(ge=0)
    architecture: str | None
    settings: dict[str, str | bool | int | float]
    official: Official | None
    resize_px: int = Field(ge=1)
    crop_px: int = Field(ge=1)


def run(
    params: Params, *, classifier: str, edited: Path, adversarial: Path, model: Path, folders: Path, score: Out
) -> None:
    """Write the classifier's score."""
    network, classes = _network(params, model)
    if params.official:
        right, keys, left_out = _score_official(params, network, named_folder(folders, params.official.folder))
    else:
        right, keys, left_out = *_score_built(params, network, classes, edited=edited, adversarial=adversarial), []
    original = right.pop(ORIGINAL)
    table = drop_table(original, right, resamples=params.resamples, generator=np.random.default_rng(params.seed))
    headline = table.mean_drop or table.top1
    write_score(
        score,
        method="imagenet_e",
        subject=classifier,
        results={**_table(table, original, right, keys=keys, examples=params.examples), "left_out": left_out},
        headline={
            "name": "mean_drop" if table.mean_drop else "top1",
            **asdict(headline),
            "interval": "95 % paired bootstrap over pictures, ten real edits",
        },
        n=headline.n,
        seeds=[params.seed],
        scorer=f"gauntlet {version('gauntlet')}",
        params=params,
        inputs={"edited": edited, "adversarial": adversarial, "model": model, "folders": folders},
    )


def _network(params: Params, model: Path) -> tuple[nn.Module, list[str]]:
    if params.architecture is None:
        network, card = load_model(model)
        return network.to(machine().device), list(card.classes)
    if params.official is None:
        raise ArgumentError(
            "architecture needs official: a model by name knows ImageNet's classes, not those made here"
        )
    classes = imagenet_wnids()
    network = build(params.architecture, classes=len(classes), settings=params.settings).eval()
    return network.to(machine().device), classes


def _score_built(
    params: Params, network: nn.Module, classes: list[str], *, edited: Path, adversarial: Path
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Classify the pictures made here; all settings must hold the same keys in the same order."""
    right, first = {}, read_images(edited, ORIGINAL)
    labels = victim_labels(first, classes)
    for setting in track([ORIGINAL, *SETTINGS], what="settings scored"):
        folder = adversarial if setting != ORIGINAL and EDITS[setting].adversarial else edited
        data = first if setting == ORIGINAL else read_images(folder, setting)
        _same_keys(first, data, where=f"{folder}/{setting}")
        batches = (data.x[begin : begin + params.batch] for begin in range(0, len(data.x), params.batch))
        right[setting] = np.concatenate([_predict(network, batch) for batch in batches]) == labels
    return right, first.keys


def _same_keys(first: Images, data: Images, *, where: str) -> None:
    if data.keys != first.keys:
        odd = sorted(set(data.keys) ^ set(first.keys))[:1] or ["their order"]
        raise DataError(
            f"{where} must hold the keys of the originals in their order; {odd[0]} differs; two builds mixed?"
        )


def _score_official(
    params: Params, network: nn.Module, folder: Path
) -> tuple[dict[str, np.ndarray], list[str], list[str]]:
    """Classify the authors' pictures that every setting has; name the others."""
    found = read_official(folder, settings=params.official.settings, wnids=imagenet_wnids())
    right = {}
    for setting, images in found.images.items():
        batches = _batches(track(images, what=f"pictures of {setting}"), params)
        predicted = np.concatenate([_predict(network, batch) for batch in batches])
        right[setting] = predicted == np.array([image.label for image in images])
    return right, [image.key for image in found.images[ORIGINAL]], found.left_out


def _batches(images: Iterator[OfficialImage], params: Params) -> Iterator[np.ndarray]:
    batch = []
    for image in images:
        batch.append(middle(image.open(), resize_px=params.resize_px, crop_px=params.crop_px))
        if len(batch) == params.batch:
            yield np.stack(batch)
            batch = []
    if batch:
        yield np.stack(batch)


def middle(picture: np.ndarray, *, resize_px: int, crop_px: int) -> np.ndarray:
    """Scale the shorter side to `resize_px` and cut the middle square: uint8 HWC in and out."""
    height, width = picture.shape[:2]
    scale = max(resize_px, crop_px) / min(height, width)
    size = max(crop_px, round(width * scale)), max(crop_px, round(height * scale))
    picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top, left = (picture.shape[0] - crop_px) // 2, (picture.shape[1] - crop_px) // 2
    return picture[top : top + crop_px, left : left + crop_px]


@torch.inference_mode()
def _predict(network: nn.Module, pictures: np.ndarray) -> np.ndarray:
    x = torch.from_numpy(pictures).to(machine().device).permute(0, 3, 1, 2).float() / 255
    return network(x).argmax(dim=1).cpu().numpy()


def _table(
    table: DropTable, original: np.ndarray, right: Mapping[str, np.ndarray], *, keys: list[str], examples: int
) -> dict[str, object]:
    settings = {}
    for setting, drop in table.settings.items():
        lost = np.flatnonzero(original & ~right[setting])[:examples]
        settings[setting] = {
            "name": SETTINGS[setting],
            **asdict(drop),
            "examples_lost": [keys[place] for place in lost],
        }
    control = table.settings.get(CONTROL)
    return {
        "original": {"top1": asdict(table.top1), "correct": table.correct},
        "settings": settings,
        "mean_drop": table.mean_drop and asdict(table.mean_drop),
        "control_drop": control and asdict(control.drop),
    }
