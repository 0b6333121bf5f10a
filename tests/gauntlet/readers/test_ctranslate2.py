import numpy as np
import pytest
import torch

from gauntlet.errors import DataError
from gauntlet.readers.ctranslate2 import parse_ctranslate2, read_ctranslate2
from tests.fixtures.whisper import model_bin

CONTENT = {
    "decoder/embeddings/weight": np.arange(6, dtype=np.float16).reshape(2, 3),
    "decoder/num_heads": np.array(6, np.int16),
    "scales": np.array([1.5, -2.0], np.float32),
    "flags": np.array([-1, 3], np.int8),
    "counts": np.array([70000], np.int32),
}


def test_reads_what_was_written(tmp_path):
    (tmp_path / "model.bin").write_bytes(model_bin(CONTENT))
    weights = read_ctranslate2(tmp_path / "model.bin")
    assert weights.spec == "WhisperSpec"
    for name, array in CONTENT.items():
        assert torch.equal(weights.tensors[name], torch.from_numpy(array))
    assert weights.tensors["decoder/projection/weight"] is weights.tensors["decoder/embeddings/weight"]


@pytest.mark.parametrize("kept", [3, 17, 40, 90, -1])
def test_a_truncated_file_is_one_line(kept):
    with pytest.raises(DataError, match=r"^x must be a whole CTranslate2 model; .*truncated\?$"):
        parse_ctranslate2(model_bin(CONTENT)[:kept], source="x")


def test_other_versions_and_rests_are_refused(tmp_path):
    with pytest.raises(DataError, match="must be of version 6; got 5"):
        parse_ctranslate2(model_bin(CONTENT, version=5), source="x")
    with pytest.raises(DataError, match="2 bytes more"):
        parse_ctranslate2(model_bin(CONTENT) + b"ab", source="x")
    with pytest.raises(DataError, match="must exist"):
        read_ctranslate2(tmp_path / "none.bin")
