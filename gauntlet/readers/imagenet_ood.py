"""Read the out-of-distribution sets of ImageNet in their authors' layouts, with what counts as right in each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from gauntlet.errors import ArgumentError, DataError
from gauntlet.metrics.corruptions import ALEXNET_ERROR, SEVERITIES
from gauntlet.readers.imagenet_folder import read_class_folders
from gauntlet.readers.imagenet_ood_maps import real_labels, right_by_folder
from gauntlet.readers.labelled import CentreCrop, Files, Labelled, Transform

SUBSET = 200
"""Classes of ImageNet-A, and of ImageNet-R and ImageNet-200."""
CROP_SHARE = 0.875


@dataclass(frozen=True)
class OodSet:
    """One set: pictures, and which outputs of an ImageNet model are right for each.

    Attributes:
        x: The pictures under the set's own transform: `x[places]` decodes to uint8 N x H x W x 3.
        right: For each picture, the outputs that count as right.
        classes: Number of outputs that the model must have.
        outputs: int64 [K], sorted: the only outputs that are compared, as in ImageNet-A and -R; None for all.
        left_out: Pictures that are there and not counted, by reason.
    """

    x: Files
    right: Sequence[frozenset[int]]
    classes: int
    outputs: np.ndarray | None = None
    left_out: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.right)

    def judge(self, logits: np.ndarray, places: Sequence[int] | None = None) -> np.ndarray:
        """Say for which pictures the largest of the compared outputs is right.

        Args:
            logits: N x classes.
            places: The N places in the set; None for all in order.

        Returns:
            bool [N].

        Raises:
            ArgumentError: Another number of classes or of pictures.
        """
        places = range(len(self)) if places is None else places
        if logits.shape != (len(places), self.classes):
            raise ArgumentError(
                f"logits must be {len(places)} x {self.classes}, a row a picture; got {logits.shape}; "
                "a model of other classes?"
            )
        compared = np.arange(self.classes) if self.outputs is None else self.outputs
        answers = compared[logits[:, compared].argmax(1)]
        pairs = zip(answers.tolist(), places, strict=True)
        return np.array([answer in self.right[place] for answer, place in pairs], bool)


@dataclass(frozen=True)
class Inside:
    """Cut a border off, then apply another transform: ObjectNet's pictures have a red frame."""

    border_px: int
    then: Transform

    def __call__(self, image: Image.Image, place: int = 0) -> Image.Image:
        """Return the inside, transformed."""
        return self.then(ImageOps.crop(image, self.border_px), place)


def evaluation(size_px: int) -> CentreCrop:
    """Return the usual transform: shorter side to size / 0.875, bicubic, then the middle square."""
    return CentreCrop(int(size_px / CROP_SHARE), size_px, "bicubic")


def ready_made(size_px: int) -> CentreCrop | None:
    """Return the transform of pictures that are 224 px already: none, or a scaling where another size is asked for."""
    return None if size_px == 224 else CentreCrop(size_px, size_px, "bicubic")


def read_v2(folder: Path, *, wnids: Sequence[str], size_px: int = 224) -> OodSet:
    """Read ImageNetV2: folders "0" to "999" (or "0000"), which are labels and not to be sorted as text.

    Raises:
        DataError: Another name, a label twice, no pictures.
    """
    found: dict[int, str] = {}
    for name in _folders(folder):
        label = int(name) if name.isdecimal() else -1
        if not 0 <= label < len(wnids):
            raise DataError(f"{folder / name} must be named by a label in 0..{len(wnids) - 1}; another data set?")
        if label in found:
            raise DataError(f"{folder / name} must be the only folder of its label; {found[label]} is one too")
        found[label] = name
    names = [found.get(label, "") for label in range(len(wnids))]
    return _single(read_class_folders(folder, transform=evaluation(size_px), class_names=names))


def read_by_wnid(folder: Path, *, wnids: Sequence[str], size_px: int = 224) -> OodSet:
    """Read ImageNet-Sketch, or ImageNet's own validation pictures: `<wnid>/*`, all outputs compared.

    Raises:
        DataError: A folder that is no wnid, or has no pictures.
    """
    return _single(read_class_folders(folder, transform=evaluation(size_px), class_names=wnids))


def read_stylized(folder: Path, *, wnids: Sequence[str], size_px: int = 224) -> OodSet:
    """Read Stylized-ImageNet: `<wnid>/*`, 224 px already.

    Raises:
        DataError: As `read_by_wnid`.
    """
    return _single(read_class_folders(folder, transform=ready_made(size_px), class_names=wnids))


def read_subset(folder: Path, *, wnids: Sequence[str], size_px: int = 224, subset: int = SUBSET) -> OodSet:
    """Read ImageNet-A or ImageNet-R: `<wnid>/*` of 200 classes, and only their outputs are compared.

    Raises:
        DataError: Another number of classes, which would be another mask; else as `read_by_wnid`.
    """
    outputs = _subset(folder, wnids, subset)
    whole = read_class_folders(folder, transform=evaluation(size_px), class_names=wnids)
    return _single(whole, outputs=outputs)


def read_imagenet_200(
    folder: Path, *, wnids: Sequence[str], renditions: Path, size_px: int = 224, subset: int = SUBSET
) -> OodSet:
    """Read ImageNet-200: the validation pictures (`<wnid>/*`) of ImageNet-R's classes, under its mask.

    Raises:
        DataError: A class is missing in `folder`, or `renditions` is no ImageNet-R.
    """
    outputs = _subset(renditions, wnids, subset)
    kept = set(outputs.tolist())
    if lacking := sorted({wnids[label] for label in kept} - set(_folders(folder))):
        raise DataError(
            f"{folder / lacking[0]} must exist, as in {renditions}; {len(lacking)} missing; a partial copy?"
        )
    whole = read_class_folders(folder, transform=evaluation(size_px), class_names=wnids)
    inside = np.flatnonzero([label in kept for label in whole.labels])
    return _single(whole.take(inside), outputs=outputs)


def read_real(folder: Path, *, wnids: Sequence[str], labels: Path, size_px: int = 224) -> OodSet:
    """Read ImageNet-Real: the validation pictures `<wnid>/ILSVRC2012_val_XXXXXXXX.JPEG` with real.json's labels.

    Pictures that real.json has no label for are left out and counted; where it has several, each is right.

    Raises:
        DataError: A picture's name has no number, or real.json no entry for it.
    """
    whole = read_class_folders(folder, transform=evaluation(size_px), class_names=wnids)
    right = real_labels(labels, whole.x.paths, classes=len(wnids))
    kept = np.array([place for place, answers in enumerate(right) if answers], np.int64)
    if not len(kept):
        raise DataError(f"{labels} must have labels for pictures of {folder}; it has none; another list?")
    left_out = {"no label in real.json": len(right) - len(kept)}
    return OodSet(whole.take(kept).x, [right[place] for place in kept], len(wnids), left_out=left_out)


def read_viewpoints(folder: Path, *, wnids: Sequence[str], listing: Path, size_px: int = 224) -> OodSet:
    """Read ImageNet-V: a list "path label", one a line, with paths from `folder`.

    Raises:
        DataError: A line is no such pair, or its picture is missing.
    """
    if not listing.is_file():
        raise DataError(f"{listing} must exist: ImageNet-V's list of pictures; misspelt?")
    paths, right = [], []
    for number, line in enumerate(listing.read_text(encoding="utf-8").splitlines(), 1):
        words = line.split()
        if not words:
            continue
        if len(words) < 2 or not words[1].isdecimal() or int(words[1]) >= len(wnids):
            raise DataError(
                f"{listing}, line {number}: must be a path and a label in 0..{len(wnids) - 1}; got {line[:60]!r}"
            )
        if not (folder / words[0]).is_file():
            raise DataError(f"{listing}, line {number}: {folder / words[0]} must exist; does the path start elsewhere?")
        paths.append(folder / words[0])
        right.append(frozenset({int(words[1])}))
    if not paths:
        raise DataError(f"{listing} must name pictures; it is empty; an interrupted copy?")
    return OodSet(Files(paths, evaluation(size_px)), right, len(wnids))


def read_objectnet(folder: Path, *, wnids: Sequence[str], size_px: int = 224) -> OodSet:
    """Read ObjectNet: `images/<class>/*.png` and its `mappings/`, as unpacked.

    Only classes that ImageNet has too are kept, the rest is counted. Each output that ObjectNet maps to the class is
    right; what it maps to nothing is wrong. A border of 2 px goes, then the shorter side is scaled to the size itself.

    Raises:
        DataError: A map is missing or names what does not exist, or no picture is left.
    """
    right = right_by_folder(folder / "mappings", classes=len(wnids))
    transform = Inside(2, CentreCrop(size_px, size_px, "bicubic"))
    whole = read_class_folders(folder / "images", transform=transform)
    names = [whole.class_names[label] for label in whole.labels]
    kept = np.array([place for place, name in enumerate(names) if name in right], np.int64)
    if not len(kept):
        raise DataError(f"{folder / 'images'} must hold classes of the maps, such as {next(iter(right))}; it has none")
    left_out = {"not a class of ImageNet": len(names) - len(kept)}
    return OodSet(whole.take(kept).x, [right[names[place]] for place in kept], len(wnids), left_out=left_out)


def read_imagenet_c(folder: Path, *, wnids: Sequence[str], size_px: int = 224) -> dict[str, list[OodSet]]:
    """Read ImageNet-C: `<corruption>/<1..5>/<wnid>/*`, 224 px already; its four extra corruptions are not looked at.

    Returns:
        By corruption, in the paper's order, the sets of severity 1 to 5.

    Raises:
        DataError: One of the fifteen, or a severity, is missing; else as `read_by_wnid`.
    """
    places = {name: [folder / name / str(number + 1) for number in range(SEVERITIES)] for name in ALEXNET_ERROR}
    for place in (place for each in places.values() for place in each):
        if not place.is_dir():
            raise DataError(
                f"{place} must exist, <corruption>/<1..5>/<wnid>; an archive not unpacked, or one level off?"
            )
    return {
        name: [read_stylized(place, wnids=wnids, size_px=size_px) for place in each] for name, each in places.items()
    }


def _folders(folder: Path) -> list[str]:
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir()) if folder.is_dir() else []
    if not names:
        raise DataError(f"{folder} must hold one folder a class; it holds none; one level too low, or still packed?")
    return names


def _subset(folder: Path, wnids: Sequence[str], subset: int) -> np.ndarray:
    names, known = _folders(folder), {wnid: label for label, wnid in enumerate(wnids)}
    if unknown := [name for name in names if name not in known]:
        raise DataError(f"{folder / unknown[0]} must be named by a wnid such as n01440764; one level too high?")
    if len(names) != subset:
        raise DataError(f"{folder} must hold {subset} class folders, which are the mask; got {len(names)}; partial?")
    return np.sort(np.array([known[name] for name in names], np.int64))


def _single(whole: Labelled, *, outputs: np.ndarray | None = None) -> OodSet:
    right = [frozenset({label}) for label in whole.labels.tolist()]
    return OodSet(whole.x, right, len(whole.class_names), outputs)


OOD_SETS = {
    "imagenet_v2": read_v2,
    "imagenet_a": read_subset,
    "imagenet_r": read_subset,
    "imagenet_200": read_imagenet_200,
    "imagenet_sketch": read_by_wnid,
    "imagenet_stylized": read_stylized,
    "objectnet": read_objectnet,
    "imagenet_real": read_real,
    "imagenet_v": read_viewpoints,
}
"""By name, in the paper's order; ImageNet-C, which is seventy-five sets, has `read_imagenet_c`.

imagenet_200 takes `renditions` besides, imagenet_real `labels`, imagenet_v `listing`.
"""
