"""ImageNet's out-of-distribution sets in folders of the user's: read in their own layouts, tried batch by batch."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn

from gauntlet.attacks.checks import check_logits
from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.folders import named_folder
from gauntlet.readers.imagenet_ood import OOD_SETS, OodSet, read_imagenet_c
from gauntlet.readers.labelled import balanced_order
from gauntlet.suites.classifier import pixels
from stages import Params
from stages.labelled import Data
from stages.machine import machine

CLASSES, SIDE_PX = 1000, 224
"""Of ImageNet, which all maps and masks speak of, and of the pictures, as ARES-Bench shows them to every model."""

Suite = Literal[
    "imagenet_v2",
    "imagenet_a",
    "imagenet_r",
    "imagenet_200",
    "imagenet_sketch",
    "imagenet_stylized",
    "objectnet",
    "imagenet_real",
    "imagenet_v",
    "imagenet_c",
]
Name = Annotated[str, Field(pattern=r"^[\w.-]+$")]


class Ood(Params):
    """One set.

    Attributes:
        suite: Whose layout, transform, masks and maps.
        folder: Name in raw.folder. imagenet_real's holds real.json and imagenet_200's is ImageNet-R: the pictures of
            both are the test's own. imagenet_v's holds its list, the one .txt file, and the pictures.
        images: Pictures, drawn with every class in its share; of ImageNet-C under each corruption and severity; null
            for all.
    """

    suite: Suite
    folder: str
    images: int | None = Field(default=None, ge=1)


def check_folders(sets: Mapping[str, Ood], *, data: Data, folders: Path) -> None:
    """Check, before anything is computed, that the sets fit the test's data and that their folders are there.

    Raises:
        ArgumentError: The test's data are not in ImageNet's layout.
        DataError: A folder is not entered in raw.folder, or no longer there.
    """
    if sets and data.layout != "imagenet":
        raise ArgumentError(
            f"ood must stand in a test of ImageNet, whose models it tries; got {', '.join(sets)} with the layout "
            f"{data.layout}; in another test?"
        )
    for ood in sets.values():
        named_folder(folders, ood.folder)


def read_ood(name: str, ood: Ood, *, wnids: list[str], own: Path, folders: Path, seed: int) -> dict[str, OodSet]:
    """List the pictures of a set; they are decoded when they are asked for.

    Args:
        name: Of the set.
        ood: What is read.
        wnids: Names of ImageNet's classes, by label.
        own: ImageNet's validation pictures, `<wnid>/*`.
        folders: folders.json.
        seed: Of the draw.

    Returns:
        By key of the outcomes: "ood/<name>"; for ImageNet-C "ood/<name>/<corruption>/<severity>", the same pictures
        in each.

    Raises:
        ArgumentError: ImageNet is not whole.
        DataError: The folder has another layout.
    """
    if len(wnids) != CLASSES:
        raise ArgumentError(f"ood must stand with all {CLASSES} classes of ImageNet; {own} has {len(wnids)}; a subset?")
    folder = named_folder(folders, ood.folder)
    if ood.suite == "imagenet_c":
        whole = read_imagenet_c(folder, wnids=wnids, size_px=SIDE_PX)
        found = {f"ood/{name}/{kind}/{level}": each for kind, row in whole.items() for level, each in enumerate(row, 1)}
        _check_alike(folder, found)
    else:
        place, besides = _places(ood.suite, folder, own=own)
        found = {f"ood/{name}": OOD_SETS[ood.suite](place, wnids=wnids, size_px=SIDE_PX, **besides)}
    return {key: _some(each, ood.images, seed=seed) for key, each in found.items()}


def _places(suite: str, folder: Path, *, own: Path) -> tuple[Path, dict[str, Path]]:
    """Return where the pictures lie, and what else the reader asks for."""
    match suite:
        case "imagenet_real":
            return own, {"labels": folder / "real.json"}
        case "imagenet_200":
            return own, {"renditions": folder}
        case "imagenet_v":
            lists = sorted(folder.glob("*.txt"))
            if len(lists) != 1:
                got = ", ".join(path.name for path in lists) or "none"
                raise DataError(f"{folder} must hold one .txt file, ImageNet-V's list of pictures; got {got}")
            return folder, {"listing": lists[0]}
    return folder, {}


def _check_alike(folder: Path, sets: Mapping[str, OodSet]) -> None:
    """Check that the pictures are the same throughout: what is left of each is averaged."""
    known, first = "", None
    for key, each in sets.items():
        names = [(path.parent.name, path.name) for path in each.x.paths]
        if first is not None and names != first:
            raise DataError(
                f"{folder} must hold the same pictures under each corruption and severity; {_place(key)} has others "
                f"than {_place(known)} ({len(names)} and {len(first)}); a partial copy?"
            )
        known, first = key, names


def _place(key: str) -> str:
    return "/".join(key.split("/")[-2:])


def _some(found: OodSet, count: int | None, *, seed: int) -> OodSet:
    if count is None or count >= len(found):
        return found
    labels = np.array([min(right) for right in found.right], np.int64)
    chosen = np.sort(balanced_order(labels, seed=seed)[:count]).tolist()
    pictures = replace(found.x, paths=[found.x.paths[place] for place in chosen])
    return replace(found, x=pictures, right=[found.right[place] for place in chosen])


def about(sets: Mapping[str, Ood], found: Mapping[str, OodSet]) -> dict[str, dict]:
    """Say what each set is, and how many of its pictures are not counted, by reason."""
    left_out = {name: each.left_out for name in sets for key, each in found.items() if key == f"ood/{name}"}
    return {
        name: {"suite": ood.suite, "data": ood.folder, "left_out": left_out.get(name, {})} for name, ood in sets.items()
    }


@torch.inference_mode()
def judged(model: nn.Module, found: OodSet, *, batch: int) -> np.ndarray:
    """Say which pictures of a set a model gets right, bool [N]; two batches of them at most are in memory.

    Raises:
        ArgumentError: Logits of another number of classes, or that are no logits.
        DataError: A picture is damaged or has another size.
    """
    right = []
    for places, x in _decoded(found, batch):
        truth = torch.tensor([min(found.right[place]) for place in places], device=machine().device)
        logits = model(pixels(torch.from_numpy(x).to(machine().device).permute(0, 3, 1, 2).contiguous()))
        check_logits(logits, truth)
        right.append(found.judge(logits.float().cpu().numpy(), places))
    return np.concatenate(right)


def _decoded(found: OodSet, batch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give places and pictures batch by batch; the next one is decoded while the last is classified."""
    groups = [np.arange(begin, min(begin + batch, len(found))) for begin in range(0, len(found), batch)]
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(found.x.__getitem__, groups[0])
        for places, after in zip_longest(groups, groups[1:]):
            x = ahead.result()
            if after is not None:
                ahead = pool.submit(found.x.__getitem__, after)
            if x.shape[1:] != (SIDE_PX, SIDE_PX, 3):
                height, width = x.shape[1:3]
                path = found.x.paths[places[0]]
                raise DataError(
                    f"{path} must be {SIDE_PX} x {SIDE_PX} px, as published; got {width} x {height}; resized?"
                )
            yield places, x
