"""Read drawn faces: the parts they are drawn from, and the shards that `iap_face.build` writes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gauntlet.avatar_parts import prepare_part
from gauntlet.avatars import ATTRIBUTES
from gauntlet.errors import DataError
from gauntlet.readers.archives import members
from gauntlet.readers.labelled import check_split
from gauntlet.readers.objects import decode, shard_members


@dataclass(frozen=True)
class Faces:
    """One split.

    Attributes:
        x: uint8, N x 3 x H x W.
        attributes: bool, N x A.
        names: Of the attributes.
        edits: For each name the same faces with that edit alone (uint8, N x 3 x H x W), which is what a manipulator
            should give: that colour of hair, or the attribute reversed. None where no such truth is known.
        keys: Name of each face.
    """

    x: Tensor
    attributes: Tensor
    names: tuple[str, ...]
    edits: Mapping[str, Tensor] | None
    keys: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.x)


def read_parts(path: Path) -> dict[str, str]:
    """Read the parts of drawn faces, prepared for `gauntlet.avatars.face_svg`.

    Args:
        path: The tar that `raw.wheel_files` writes.

    Raises:
        DataError: It is no whole tar, holds no SVG, or a part is no SVG.
    """
    parts = {
        member.name: prepare_part(member.name, member.data.decode(errors="replace"))
        for member in members(path, "*.svg")
    }
    if not parts:
        raise DataError(f"{path} must hold the SVG parts of python_avatars; it holds none; another archive?")
    return parts


def read_faces(folder: Path, split: str) -> Faces:
    """Read a split of faces with all the edits that are known.

    Args:
        folder: What `iap_face.build` wrote.
        split: "train", "val" or "test".

    Raises:
        ArgumentError: No such split.
        DataError: A shard is missing or truncated, or a picture is damaged; names the folder and the face.
    """
    check_split(split)
    records: list[dict] = []
    pictures: dict[str, np.ndarray] = {}
    for name, data in shard_members(folder, f"{split}-*.tar"):
        if name.endswith(".json"):
            records.append(_record(data, where=f"{folder}: {name}"))
        else:
            pictures[name] = decode(data, where=f"{folder}: {name}")
    keys = tuple(record["key"] for record in records)
    if missing := [key for key in keys if f"{key}.png" not in pictures]:
        raise DataError(f"{folder}: {missing[0]} must have a picture; it has none; an unfinished build?")
    edits = None
    if all(record["pairs"] for record in records):
        # An edit that changes nothing is not stored.
        edits = {
            name: _stack([pictures.get(f"{key}.{name}.png", pictures[f"{key}.png"]) for key in keys])
            for name in ATTRIBUTES
        }
    return Faces(
        x=_stack([pictures[f"{key}.png"] for key in keys]),
        attributes=torch.tensor([[record[name] for name in ATTRIBUTES] for record in records]),
        names=ATTRIBUTES,
        edits=edits,
        keys=keys,
    )


def _stack(pictures: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()


def _record(data: bytes, *, where: str) -> dict:
    try:
        record = json.loads(data)
        wanted = {"key": record["key"], "pairs": bool(record["pairs"])}
        return wanted | {name: bool(record[name]) for name in ATTRIBUTES}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{where} must state key, pairs and {', '.join(ATTRIBUTES)}; {error!r}; a build of another version?"
        ) from None
