"""Weights in CTranslate2's `model.bin`, version 6: a header, then named arrays, then names that share an array.

Source: CTranslate2's `ModelSpec.save`. Little-endian; a string is a uint16 of its bytes with the closing zero, then the
bytes; an array is its name, its rank, its sizes, its kind, its bytes.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gauntlet.errors import DataError

VERSION = 6
KINDS = {0: "<f4", 1: "i1", 2: "<i2", 3: "<i4", 4: "<f2"}


@dataclass(frozen=True)
class Weights:
    """What a model.bin holds.

    Attributes:
        spec: Kind of model, such as "WhisperSpec".
        tensors: By name, in the file's own kinds; a name that shares another's array is there too.
    """

    spec: str
    tensors: dict[str, Tensor]


class _Cursor:
    """Takes one value after another from bytes; running off their end is a truncated file."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise EOFError(f"it ends at byte {len(self.data)}, {self.at + count} needed")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, kind: str) -> int:
        return struct.unpack(f"<{kind}", self.take(struct.calcsize(f"<{kind}")))[0]

    def string(self) -> str:
        return self.take(self.number("H")).rstrip(b"\0").decode()

    def array(self) -> Tensor:
        shape = [self.number("I") for _ in range(self.number("B"))]
        kind, size = self.number("B"), self.number("I")
        if kind not in KINDS:
            raise ValueError(f"kind {kind} of array is not known")
        array = np.frombuffer(self.take(size), np.dtype(KINDS[kind]))
        return torch.from_numpy(array.reshape(shape).copy())


def read_ctranslate2(path: Path) -> Weights:
    """Read a model.bin; `parse_ctranslate2` says what is checked.

    Raises:
        DataError: It is missing, or bad.
    """
    try:
        return parse_ctranslate2(path.read_bytes(), source=str(path))
    except FileNotFoundError:
        raise DataError(f"{path} must exist; a folder of another format?") from None


def parse_ctranslate2(data: bytes, *, source: str) -> Weights:
    """Read the bytes of a model.bin.

    Args:
        data: All of them.
        source: Named in errors.

    Raises:
        DataError: It is of another version, cut off, or its sizes contradict each other.
    """
    cursor = _Cursor(data)
    try:
        version = cursor.number("I")
        if version != VERSION:
            raise DataError(f"{source} must be of version {VERSION}; got {version}; another release of CTranslate2?")
        spec = cursor.string()
        cursor.number("I")  # the specification's own revision
        tensors = {cursor.string(): cursor.array() for _ in range(cursor.number("I"))}
        for _ in range(cursor.number("I")):
            name = cursor.string()
            tensors[name] = tensors[cursor.string()]
    except DataError:
        raise
    except (EOFError, ValueError, KeyError) as error:
        raise DataError(f"{source} must be a whole CTranslate2 model; {error}; truncated?") from None
    if cursor.at != len(data):
        raise DataError(f"{source} must end with its aliases; got {len(data) - cursor.at} bytes more; damaged?")
    return Weights(spec, tensors)
