"""Faces with exact attributes: drawn ones with the truth of every single edit, or CelebA's where a folder is named.

Shards `<split>-NNNN.tar` of <key>.png, <key>.<attribute>.png (that edit alone; not stored where it changes nothing) and
<key>.json; manifest.parquet lists all faces.
"""

import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import webdataset
from PIL import Image
from pydantic import Field

from gauntlet.avatars import ATTRIBUTES, draw_face, identities, random_face
from gauntlet.readers.faces import read_parts
from gauntlet.readers.folders import named_folder
from stages import Counts, Out
from stages import Params as StageParams
from stages.files import write_gallery
from stages.machine import parallel

SPLITS = ("train", "val", "test")
SHARD = 1000


class Params(StageParams):
    """What is built.

    Attributes:
        seed: Of the faces.
        size_px: Side of the pictures (256 in the paper).
        faces: Number of faces a split; of CelebA the first ones.
        celeba: Name in folders.json of CelebA in its own layout; null for drawn faces.
        samples: Rows of the gallery.
    """

    seed: int
    size_px: int = Field(ge=32)
    faces: Counts
    celeba: str | None
    samples: int = Field(ge=0)


def drawn(index: int, *, parts: dict[str, str], pairs: list[tuple[str, str]], split: str, params: Params) -> dict:
    """Draw one face and its edits: PNGs by kind ("png", "<attribute>.png") and the record under "json"."""
    generator = np.random.default_rng([params.seed, SPLITS.index(split), index])
    face = random_face(generator, pairs=pairs)
    pictures = {"png": _png(draw_face(face, parts, size_px=params.size_px))}
    for name in ATTRIBUTES:
        edited = face.edited(name)
        if edited != face:
            pictures[f"{name}.png"] = _png(draw_face(edited, parts, size_px=params.size_px))
    described = {key: value for key, value in asdict(face).items() if key not in ("glasses", "beard")}
    described |= {"glasses_kind": face.glasses, "beard_kind": face.beard}
    return _sample(split, index, pictures=pictures, attributes=face.attributes) | {"record": described}


def _sample(split: str, index: int, *, pictures: dict[str, bytes], attributes: tuple[bool, ...]) -> dict:
    record = {"key": f"{split}-{index:06d}", "split": split, "pairs": len(pictures) > 1}
    record |= dict(zip(ATTRIBUTES, map(bool, attributes), strict=True))
    return {"pictures": pictures, "labels": record, "record": {}}


def _celeba(folder: Path, split: str, params: Params) -> Iterator[dict]:
    from gauntlet.readers.celeba import read_celeba

    faces = read_celeba(folder, split, size_px=params.size_px, count=params.faces[split])
    for index, (x, attributes) in enumerate(zip(faces.x, faces.attributes.tolist(), strict=True)):
        sample = _sample(split, index, pictures={"png": _png(x.permute(1, 2, 0).numpy())}, attributes=tuple(attributes))
        yield sample | {"record": {"source": faces.keys[index]}}


def run(params: Params, *, parts: Path, folders: Path, faces: Out) -> None:
    """Draw (or crop) the faces of the three splits and write them."""
    faces.mkdir(parents=True)
    prepared = read_parts(parts) if params.celeba is None else {}
    records, rows = [], []
    for split in SPLITS:
        if params.celeba is None:
            make = partial(drawn, parts=prepared, pairs=identities(split, seed=params.seed), split=split, params=params)
            samples = parallel(make, range(params.faces[split]), what=f"{split} faces")
        else:
            samples = list(_celeba(named_folder(folders, params.celeba), split, params))
        for begin in range(0, len(samples), SHARD):
            _write_shard(faces / f"{split}-{begin // SHARD:04d}.tar", samples[begin : begin + SHARD])
        records += [sample["labels"] | sample["record"] for sample in samples]
        rows += [_row(sample) for sample in samples[: -(-params.samples // len(SPLITS))]]
    pd.DataFrame(records).to_parquet(faces / "manifest.parquet", index=False)
    write_gallery(
        faces / "samples",
        title=f"Faces, {params.size_px} px",
        note="A face and each single edit of it that changes something.",
        rows=rows[: params.samples],
    )


def _write_shard(path: Path, samples: list[dict]) -> None:
    with webdataset.TarWriter(str(path), mtime=0) as shard:
        for sample in samples:
            record = sample["labels"] | sample["record"]
            shard.write({"__key__": record["key"], "json": json.dumps(record, sort_keys=True)} | sample["pictures"])


def _row(sample: dict) -> tuple[str, dict[str, np.ndarray]]:
    pictures = {
        kind.removesuffix("png").rstrip(".") or "face": np.asarray(Image.open(io.BytesIO(data)))
        for kind, data in sample["pictures"].items()
    }
    return f"{sample['labels']['key']}: {', '.join(n for n in ATTRIBUTES if sample['labels'][n]) or 'none'}", pictures


def _png(picture: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG", compress_level=3)
    return stream.getvalue()
