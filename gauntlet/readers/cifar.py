"""Read CIFAR-10 and CIFAR-100 in the two layouts of their authors: binary records, and pickled batches."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gauntlet.errors import DataError
from gauntlet.readers.labelled import Labelled, check_split, hold_out
from gauntlet.readers.pickled_tables import read_pickled_table

PIXELS = 3 * 32 * 32


@dataclass(frozen=True)
class _Layout:
    """Where one data set keeps its parts; `label` is the key of the labels, or their place in a binary record."""

    folder: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    names: str
    label: str | int
    names_key: str = ""


BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
PICKLED = {
    10: _Layout("cifar-10-batches-py", BATCHES, ("test_batch",), "batches.meta", "labels", "label_names"),
    100: _Layout("cifar-100-python", ("train",), ("test",), "meta", "fine_labels", "fine_label_names"),
}
BINARY = {
    10: _Layout(
        "cifar-10-batches-bin", tuple(f"{name}.bin" for name in BATCHES), ("test_batch.bin",), "batches.meta.txt", 0
    ),
    100: _Layout("cifar-100-binary", ("train.bin",), ("test.bin",), "fine_label_names.txt", 1),
}


def read_cifar10(folder: Path, split: str, *, seed: int = 0, held_out: int = 1000) -> Labelled:
    """Read a split of CIFAR-10: 32 px, ten classes.

    Args:
        folder: `cifar-10-batches-py` or `cifar-10-batches-bin`, or the folder around it.
        split: "train", "val" (carved from the training batches) or "test".
        seed: Of the held-out images; train and val must be read with one seed.
        held_out: Images of the training batches that are "val".

    Raises:
        DataError: A file is missing or truncated, is a pickle with code, or a label lies outside the classes.
    """
    return _read(folder, split, classes=10, seed=seed, held_out=held_out)


def read_cifar100(folder: Path, split: str, *, seed: int = 0, held_out: int = 1000) -> Labelled:
    """Read a split of CIFAR-100 with its fine labels, from `cifar-100-python` or `cifar-100-binary`; see CIFAR-10."""
    return _read(folder, split, classes=100, seed=seed, held_out=held_out)


def _read(folder: Path, split: str, *, classes: int, seed: int, held_out: int) -> Labelled:
    check_split(split)
    place, layout = _find(folder, classes)
    read = _pickled if layout is PICKLED[classes] else _binary
    parts = [read(place / name, layout) for name in (layout.test if split == "test" else layout.train)]
    names = _names(place / layout.names, layout)
    if len(names) != classes:
        raise DataError(f"{place / layout.names} must name {classes} classes; got {len(names)}; another data set?")
    labels = np.concatenate([labels for _, labels in parts])
    x = np.concatenate([pixels for pixels, _ in parts]).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    if not len(labels) or labels.min() < 0 or labels.max() >= classes:
        raise DataError(f"{place}: labels must lie in 0..{classes - 1}; one does not; CIFAR-10 and CIFAR-100 mixed up?")
    whole = Labelled(np.ascontiguousarray(x), labels, names)
    return whole if split == "test" else hold_out(whole, held_out, seed=seed)[split == "val"]


def _find(folder: Path, classes: int) -> tuple[Path, _Layout]:
    for layout in (PICKLED[classes], BINARY[classes]):
        for place in (folder, folder / layout.folder):
            if (place / layout.test[0]).is_file():
                return place, layout
    names = " or ".join(layout.folder for layout in (PICKLED[classes], BINARY[classes]))
    raise DataError(f"{folder} must be or hold {names}; it does not; still packed, or the other CIFAR?")


def _binary(path: Path, layout: _Layout) -> tuple[np.ndarray, np.ndarray]:
    if not path.is_file():
        raise DataError(f"{path} must exist; a partial copy?")
    raw = np.fromfile(path, np.uint8)
    size = layout.label + 1 + PIXELS
    if not len(raw) or len(raw) % size:
        raise DataError(f"{path} must hold records of {size} bytes; got {len(raw)} bytes; truncated?")
    records = raw.reshape(-1, size)
    return records[:, -PIXELS:], records[:, layout.label].astype(np.int64)


def _pickled(path: Path, layout: _Layout) -> tuple[np.ndarray, np.ndarray]:
    table = read_pickled_table(path)
    if lacking := [key for key in ("data", layout.label) if key not in table]:
        raise DataError(f"{path} must hold {lacking[0]}; it has {', '.join(table)}; the other CIFAR?")
    x, labels = np.asarray(table["data"]), np.asarray(table[layout.label])
    if x.dtype != np.uint8 or x.shape != (len(labels), PIXELS):
        raise DataError(f"{path}: data must be {len(labels)} rows of {PIXELS} uint8; got {x.dtype} {x.shape}; damaged?")
    return x, labels.astype(np.int64)


def _names(path: Path, layout: _Layout) -> list[str]:
    if layout.names_key:
        names = read_pickled_table(path).get(layout.names_key, [])
        return [name.decode() if isinstance(name, bytes) else str(name) for name in names]
    if not path.is_file():
        raise DataError(f"{path} must exist; a partial copy?")
    return path.read_text().split()
