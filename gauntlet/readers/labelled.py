"""Labelled pictures: one split of a classification dataset, in memory or decoded when asked for."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gauntlet.errors import ArgumentError, DataError

SPLITS = ("train", "val", "test")
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
IMAGE_SUFFIXES = (".jpeg", ".jpg", ".png", ".webp", ".bmp")

Transform = Callable[[Image.Image, int], Image.Image]
"""From a decoded picture and its place in the split to one of the size that all share."""


@dataclass(frozen=True)
class CentreCrop:
    """Scale the shorter side to `resize_px`, then cut the middle square of `crop_px`, as ImageNet is evaluated.

    Attributes:
        resize_px: Shorter side, px; the longer one is rounded down, as in torchvision.
        crop_px: Side of the square, at most `resize_px`.
        interpolation: A key of `FILTERS`; both smooth as they shrink.
    """

    resize_px: int = 256
    crop_px: int = 224
    interpolation: str = "bicubic"

    def __post_init__(self) -> None:
        if not 1 <= self.crop_px <= self.resize_px:
            raise ArgumentError(f"crop_px must lie in 1..resize_px = {self.resize_px}; got {self.crop_px}")
        if self.interpolation not in FILTERS:
            raise ArgumentError(f"interpolation must be one of {', '.join(FILTERS)}; got {self.interpolation!r}")

    def __call__(self, image: Image.Image, place: int = 0) -> Image.Image:
        """Return the middle square; `place` is not looked at."""
        short = min(image.size)
        size = tuple(int(self.resize_px * side / short) for side in image.size)
        if size != image.size:
            image = image.resize(size, FILTERS[self.interpolation])
        left, top = (round((side - self.crop_px) / 2) for side in image.size)
        return image.crop((left, top, left + self.crop_px, top + self.crop_px))


@dataclass(frozen=True)
class RandomCrop:
    """Cut a random part, scale it to `crop_px` and mirror every second one, as ImageNet is trained on.

    The part depends on the seed and the picture's place alone: take another seed for each epoch.

    Attributes:
        crop_px: Side of what comes out.
        seed: Of the parts.
        least: Smallest share of the picture's area that is kept, in (0, 1].
        interpolation: A key of `FILTERS`.

    Source: Szegedy et al., CVPR 2015, with torchvision's ten attempts and its ratios of sides, 3/4 to 4/3.
    """

    crop_px: int = 224
    seed: int = 0
    least: float = 0.08
    interpolation: str = "bicubic"

    def __call__(self, image: Image.Image, place: int) -> Image.Image:
        """Return the part for this place."""
        random = np.random.default_rng((self.seed, place))
        mirror = random.random() < 0.5
        left, top, width, height = self._part(image.size, random)
        box = (left, top, left + width, top + height)
        image = image.resize((self.crop_px, self.crop_px), FILTERS[self.interpolation], box=box)
        return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirror else image

    def _part(self, size: tuple[int, int], random: np.random.Generator) -> tuple[int, int, int, int]:
        for _ in range(10):
            area = size[0] * size[1] * random.uniform(self.least, 1)
            ratio = np.exp(random.uniform(np.log(3 / 4), np.log(4 / 3)))
            width, height = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
            if 0 < width <= size[0] and 0 < height <= size[1]:
                left, top = random.integers(0, (size[0] - width + 1, size[1] - height + 1))
                return left, top, width, height
        side = min(size)
        return (size[0] - side) // 2, (size[1] - side) // 2, side, side


@dataclass(frozen=True)
class Files:
    """Pictures on disk, decoded one by one; indexing gives uint8 H x W x 3, with an array of indices N x H x W x 3.

    Attributes:
        paths: One file each.
        transform: From the decoded RGB picture to one of the size that all share; None where they have it already.
    """

    paths: Sequence[Path]
    transform: Transform | None = None

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int | np.ndarray) -> np.ndarray:
        if isinstance(index, int | np.integer):
            return self._decode(self.paths[index], int(index))
        if not len(index):
            return np.zeros((0, 0, 0, 3), np.uint8)
        shape = self[index[0]].shape
        stacked = np.empty(
            (len(index), *shape), np.uint8
        )  # filled in place: a large set fits into memory once, not twice

        def fill(row: int) -> None:
            picture = self[index[row]]
            if picture.shape != shape:
                raise DataError(
                    f"{self.paths[index[row]]} must be of the others' size {shape}; got {picture.shape}; "
                    f"a transform forgotten?"
                )
            stacked[row] = picture

        with ThreadPoolExecutor(8) as pool:  # Pillow gives up the lock while it decodes and scales
            list(pool.map(fill, range(len(index))))
        return stacked

    def _decode(self, path: Path, place: int) -> np.ndarray:
        try:
            with Image.open(path) as image:
                _check(image, path)
                picture = image.convert("RGB")
        except DataError:
            raise
        except FileNotFoundError:
            raise DataError(f"{path} must exist; listed but not there; a partial copy?") from None
        except Image.DecompressionBombError as error:
            raise DataError(f"{path} must be of a size that fits in memory; {error} The right file?") from None
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            raise DataError(f"{path} must be a whole image; {error}; truncated, or not an image?") from None
        return np.asarray(self.transform(picture, place) if self.transform else picture)


def _check(image: Image.Image, path: Path) -> None:
    """Refuse what `convert` would turn into another picture without a word."""
    if image.mode[0] in "IF":
        raise DataError(f"{path} must have 8 bits a colour; it has more ({image.mode}); save it with 8 bits")
    # A camera's MPO is a JPEG with a preview behind it; its first picture is the one that was taken.
    if image.format != "MPO" and getattr(image, "is_animated", False):
        raise DataError(f"{path} must be one picture; it is animated ({image.n_frames} frames); save one frame of it")


class TensorView(NamedTuple):
    """What training takes: x uint8 N x C x H x W, contiguous, and y int64 N."""

    x: Tensor
    y: Tensor


@dataclass(frozen=True)
class Labelled:
    """One split.

    It is also what `torch.utils.data.DataLoader` takes: item i is (uint8 C x H x W tensor, label, i).

    Attributes:
        x: uint8, N x H x W x C (C is 3, or 1 for grey pictures), or `Files` where they are decoded when asked for.
        labels: int64, N: index into `class_names`.
        class_names: Names of the classes, by label.
    """

    x: np.ndarray | Files
    labels: np.ndarray
    class_names: list[str]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int, int]:
        return torch.from_numpy(np.array(self.x[index])).permute(2, 0, 1).contiguous(), int(self.labels[index]), index

    def take(self, indices: np.ndarray) -> "Labelled":
        """Return the pictures at these places, in this order."""
        x = self.x
        x = replace(x, paths=[x.paths[place] for place in indices]) if isinstance(x, Files) else x[indices]
        return Labelled(x, self.labels[indices], self.class_names)

    def transformed(self, transform: Transform | None) -> "Labelled":
        """Return the same pictures under another transform.

        Raises:
            ArgumentError: The pictures are in memory, so that they have their size already.
        """
        if not isinstance(self.x, Files):
            raise ArgumentError("only pictures in files take a transform; these are in memory; another data set meant?")
        return replace(self, x=replace(self.x, transform=transform))

    def tensors(self, indices: np.ndarray | None = None) -> TensorView:
        """Decode what is not in memory yet and return all pictures, or those at `indices`, as tensors.

        Raises:
            DataError: A picture is truncated, or not of the others' size.
        """
        indices = np.arange(len(self)) if indices is None else np.asarray(indices)
        x = torch.from_numpy(np.ascontiguousarray(self.x[indices].transpose(0, 3, 1, 2)))
        return TensorView(x, torch.from_numpy(self.labels[indices]))


def balanced_order(labels: np.ndarray, *, seed: int) -> np.ndarray:
    """Order the places of `labels` at random so that each prefix holds every class in its share.

    Args:
        labels: int64, N.
        seed: Of the order.

    Returns:
        int64, N: a permutation.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    shuffled = labels[order]
    counts = np.bincount(shuffled, minlength=1)
    begins = np.cumsum(counts) - counts
    by_class = np.argsort(shuffled, kind="stable")
    rank = np.empty(len(labels))
    rank[by_class] = np.arange(len(labels)) - begins[shuffled[by_class]]
    return order[np.argsort((rank + 0.5) / counts[shuffled], kind="stable")]


def check_split(split: str) -> None:
    """Raise ArgumentError unless a split is "train", "val" or "test"."""
    if split not in SPLITS:
        raise ArgumentError(f"split must be one of {', '.join(SPLITS)}; got {split!r}; misspelt?")


def hold_out(train: Labelled, count: int, *, seed: int) -> tuple[Labelled, Labelled]:
    """Carve a balanced held-out split from the training split.

    Args:
        train: The whole training split.
        count: Pictures to hold out, in 1..N - 1.
        seed: Of the choice.

    Returns:
        What is left to train on, and what is held out; both in the order of `train`.

    Raises:
        ArgumentError: `count` leaves nothing on one side.
    """
    if not 1 <= count < len(train):
        raise ArgumentError(f"held_out must lie in 1..{len(train) - 1}, within the training split; got {count}")
    order = balanced_order(train.labels, seed=seed)
    return train.take(np.sort(order[count:])), train.take(np.sort(order[:count]))
