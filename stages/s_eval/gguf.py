"""Write GGUF: metadata taken over from another file, weights in eight bits."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from gauntlet.readers.gguf import ARCHITECTURE, Field

FILE_TYPE = "general.file_type"
MOSTLY_Q8_0 = 7


def write_q8_0(path: Path, fields: Mapping[str, Field], tensors: Mapping[str, np.ndarray]) -> None:
    """Write a model whose matrices are Q8_0 and whose vectors are float32; the same bytes each time.

    Args:
        path: The file.
        fields: Metadata, `general.architecture` among it; the entry on the quantisation is put right.
        tensors: float32 by GGUF's names; a matrix's rows must be a multiple of 32 long.
    """
    from gguf import GGMLQuantizationType, GGUFValueType, GGUFWriter
    from gguf.quants import quantize

    writer = GGUFWriter(path, arch=fields[ARCHITECTURE].value)
    for name, field in fields.items():
        if name != ARCHITECTURE:
            value = MOSTLY_Q8_0 if name == FILE_TYPE else field.value
            item = GGUFValueType[field.item_kind] if field.item_kind else None
            writer.add_key_value(name, value, GGUFValueType[field.kind], sub_type=item)
    for name, weight in tensors.items():
        if weight.ndim == 1:
            writer.add_tensor(name, weight)
        else:
            eight = GGMLQuantizationType.Q8_0
            writer.add_tensor(name, quantize(weight, eight), raw_dtype=eight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
