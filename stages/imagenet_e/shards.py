"""The files of an edited data set: one row of shards a setting, in the layout of the classification images."""

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import webdataset
from PIL import Image

SHARD = 2000


@dataclass(frozen=True)
class Picture:
    """One edited picture, encoded; `record` holds label, class and what was done."""

    png: bytes
    mask_png: bytes
    record: Mapping[str, object]


def encode_png(array: np.ndarray) -> bytes:
    """Encode a uint8 HWC or a bool HW array."""
    stream = io.BytesIO()
    Image.fromarray(array * np.uint8(255) if array.dtype == bool else array).save(stream, "PNG", compress_level=2)
    return stream.getvalue()


def write_pictures(folder: Path, name: str, pictures: Iterable[Picture]) -> None:
    """Write `<folder>/<name>-0000.tar` and so on: <key>.png, <key>.mask.png and <key>.json."""
    write_shards(
        folder,
        name,
        (
            {
                "__key__": picture.record["key"],
                "json": json.dumps(picture.record, sort_keys=True),
                "mask.png": picture.mask_png,
                "png": picture.png,
            }
            for picture in pictures
        ),
    )


def write_shards(folder: Path, name: str, samples: Iterable[dict]) -> None:
    """Write WebDataset samples to shards of `SHARD`, without clock or user in them."""
    samples = list(samples)
    for begin in range(0, len(samples), SHARD):
        with webdataset.TarWriter(str(folder / f"{name}-{begin // SHARD:04d}.tar"), mtime=0) as shard:
            for sample in samples[begin : begin + SHARD]:
                shard.write(sample)
