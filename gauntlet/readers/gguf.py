"""Read GGUF, the format of llama.cpp: metadata and weights, quantised or not."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gauntlet.errors import DataError

ARCHITECTURE = "general.architecture"


class Field(NamedTuple):
    """One entry of the metadata.

    Attributes:
        value: A number, a truth value, a text, or a list of one of these.
        kind: Name of its GGUF type, such as "UINT32" or "ARRAY".
        item_kind: That of a list's items; "" for all else.
    """

    value: object
    kind: str
    item_kind: str = ""


@dataclass(frozen=True)
class Gguf:
    """What a GGUF file holds.

    Attributes:
        fields: Metadata by name, in the file's order, without the counts of the header.
        tensors: Weights by name, in the file's order, float32, the last axis the fastest (as torch has it).
        source: The file, for messages.
    """

    fields: dict[str, Field]
    tensors: dict[str, np.ndarray]
    source: str

    def value(self, name: str) -> object:
        """Return an entry of the metadata.

        Raises:
            DataError: There is none of that name.
        """
        if name not in self.fields:
            raise DataError(f"{self.source}: its metadata must name {name}; it does not; another kind of model?")
        return self.fields[name].value

    def setting(self, name: str) -> object:
        """Return an entry whose name begins with the architecture's, such as `block_count` for `llama.block_count`."""
        return self.value(f"{self.value(ARCHITECTURE)}.{name}")


def read_gguf(path: Path) -> Gguf:
    """Read a whole file and dequantise its weights.

    Raises:
        DataError: It is no GGUF, it ends too soon, or a tensor is of a type that cannot be dequantised.
    """
    from gguf import GGUFReader, GGUFValueType
    from gguf.quants import dequantize

    try:
        reader = GGUFReader(path)
        fields = {
            field.name: Field(
                field.contents(),
                field.types[0].name,
                field.types[-1].name if field.types[0] == GGUFValueType.ARRAY else "",
            )
            for field in reader.fields.values()
            if not field.name.startswith("GGUF.")
        }
        tensors = {t.name: dequantize(t.data, t.tensor_type).astype(np.float32) for t in reader.tensors}
    except (ValueError, IndexError, KeyError, NotImplementedError) as error:
        reason = " ".join(str(error).split())[:160]
        raise DataError(f"{path} must be a whole GGUF file; {reason}; truncated, or another format?") from None
    return Gguf(fields, tensors, str(path))
