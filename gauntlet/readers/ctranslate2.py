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
    """Read a model.bin.

    Raises:
        DataError: It is missing, of another version, cut off, or its sizes contradict each other.
    """
    try:
        cursor = _Cursor(path.read_bytes())
        if (version := cursor.number("I")) != VERSION:
            raise DataError(f"{path} must be of version {VERSION}; got {version}; another release of CTranslate2?")
        spec = cursor.string()
        cursor.number("I")  # the specification's own revision
        tensors = {cursor.string(): cursor.array() for _ in range(cursor.number("I"))}
        for _ in range(cursor.number("I")):
            name = cursor.string()
            tensors[name] = tensors[cursor.string()]
    except FileNotFoundError:
        raise DataError(f"{path} must exist; a folder of another format?") from None
    except (EOFError, ValueError, KeyError, UnicodeDecodeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} must be a whole CTranslate2 model; {error}; truncated?") from None
    if cursor.at != len(cursor.data):
        raise DataError(f"{path} must end with its aliases; got {len(cursor.data) - cursor.at} bytes more; damaged?")
    return Weights(spec, tensors)
