"""Few-shot classification: sets in CoOp's layout, the draw of K shots a class, the corpus of a small CLIP."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.few_shot_sets import LAYOUTS, read_split_file
from gauntlet.readers.labelled import CentreCrop, Labelled, Transform
from gauntlet.readers.objects import decode, read_manifest, shard_members

SHORT = ("error", "repeat")
VALIDATION_SHOTS = 4
"""CoOp chooses on min(K, 4) pictures a class, never on the whole validation split."""


@dataclass(frozen=True)
class FewShotSet:
    """One classification set; all three splits share the labels.

    Attributes:
        name: Of its folder, such as "oxford_pets".
        class_names: By label, blanks for underscores.
        train: Where shots are drawn from.
        val: Where the validation shots are drawn from.
        test: Scored once.
    """

    name: str
    class_names: list[str]
    train: Labelled
    val: Labelled
    test: Labelled


class Shots(NamedTuple):
    """Places (int64) of the drawn pictures in `train` and `val`, grouped by class in the order of the labels."""

    train: np.ndarray
    val: np.ndarray


class Corpus(NamedTuple):
    """Pictures (uint8 N x 3 x H x W), one caption each, and the manifest's columns."""

    x: Tensor
    captions: list[str]
    facts: pd.DataFrame


def evaluation(size_px: int) -> CentreCrop:
    """Return CLIP's own transform: shorter side to `size_px`, bicubic, then the middle square."""
    return CentreCrop(size_px, size_px, "bicubic")


def read_set(folder: Path, name: str, *, transform: Transform | None = None) -> FewShotSet:
    """Read one of CoOp's eleven sets, or any set that carries a `split_zhou_*.json`.

    Args:
        folder: That holds `<name>/`.
        name: A folder's name: a key of `LAYOUTS`, or of a set with pictures in `images/`.
        transform: From a picture to the size that all share (`evaluation`); None where they have it already.

    Raises:
        DataError: The folder, the split file or a picture that it names is missing, or a row is malformed.
    """
    place = folder / name
    if not place.is_dir():
        raise DataError(f"{place} must be a folder; it is none; misspelt, or not yet fetched?")
    rows = LAYOUTS[name](place) if name in LAYOUTS else read_split_file(place, images="images")
    splits = {split: rows.labelled(split, transform) for split in ("train", "val", "test")}
    return FewShotSet(name, rows.class_names, **splits)


def read_masks(folder: Path, name: str) -> np.ndarray | None:
    """Read where each test picture shows what its label names: bool N x H x W in the split's order, or None.

    Only the sets built here know it.

    Raises:
        DataError: The file is no safetensors.
    """
    path = folder / name / "masks_test.safetensors"
    if not path.exists():
        return None
    try:
        return load_file(path)["masks"].numpy().astype(bool)
    except (OSError, KeyError, SafetensorError) as error:
        raise DataError(f"{path} must be safetensors with `masks`; {error}; an interrupted copy?") from None


def sample_shots(few_shot: FewShotSet, *, shots: int, seed: int, short: str = "error") -> Shots:
    """Draw K pictures a class to train on and min(K, 4) to choose on, without replacement.

    Args:
        few_shot: The set.
        shots: K, at least 1.
        seed: Of the draw; the shots of a smaller K are among those of a larger one under one seed.
        short: What to do with a class that has fewer than K: "error", or "repeat" its pictures until there are K.

    Raises:
        ArgumentError: `shots` or `short` is out of range.
        DataError: A class has too few pictures (none at all under "repeat").
    """
    if shots < 1 or short not in SHORT:
        raise ArgumentError(f"shots must be at least 1 and short one of {', '.join(SHORT)}; got {shots}, {short!r}")
    need = {"train": shots, "val": min(shots, VALIDATION_SHOTS)}
    return Shots(**{split: _draw(few_shot, split, need[split], seed=seed, short=short) for split in ("train", "val")})


def _draw(few_shot: FewShotSet, split: str, need: int, *, seed: int, short: str) -> np.ndarray:
    labels = getattr(few_shot, split).labels
    drawn = []
    for label, class_name in enumerate(few_shot.class_names):
        places = np.flatnonzero(labels == label)
        if len(places) < (need if short == "error" else 1):
            raise DataError(
                f"{few_shot.name}, {split}: each class must have at least {need} pictures; {class_name!r} has "
                f"{len(places)}; fewer shots, or short: repeat?"
            )
        order = np.random.default_rng([seed, split == "val", label]).permutation(places)
        drawn.append(np.resize(order, need))
    return np.concatenate(drawn)


def read_corpus(folder: Path) -> Corpus:
    """Read the pictures and captions that `safe_clip.build` writes, in the manifest's order.

    Raises:
        DataError: The manifest or a picture is missing, or not of the others' size.
    """
    manifest = read_manifest(folder)
    pictures = {
        name.removesuffix(".png"): decode(data, where=f"{folder}: {name}")
        for name, data in shard_members(folder, "corpus-*.tar")
        if name.endswith(".png")
    }
    if lost := [key for key in manifest["key"] if key not in pictures]:
        raise DataError(f"{folder} must hold every picture of the manifest; {lost[0]} is missing; a partial pull?")
    if len(sizes := {picture.shape for picture in pictures.values()}) != 1:
        raise DataError(f"{folder} must hold pictures of one size; got {sorted(sizes)[:3]}; two builds mixed?")
    stacked = np.stack([pictures[key] for key in manifest["key"]])
    return Corpus(torch.from_numpy(stacked.transpose(0, 3, 1, 2).copy()), manifest["caption"].tolist(), manifest)
