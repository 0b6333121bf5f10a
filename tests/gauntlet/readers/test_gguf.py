import numpy as np
import pytest

from gauntlet.errors import DataError
from gauntlet.readers.gguf import Field, read_gguf
from stages.s_eval.gguf import write_q8_0
from tests.fixtures.tiny_llama import fields, llama, write_tiny_gguf


def test_what_is_written_is_read(tmp_path):
    read = read_gguf(write_tiny_gguf(tmp_path / "a.gguf"))
    told = fields() | {"general.file_type": Field(7, "UINT32")}
    assert read.fields.keys() >= told.keys()
    for name, (value, kind, item_kind) in told.items():
        assert read.fields[name].value == (pytest.approx(value) if kind == "FLOAT32" else value)
        assert read.fields[name][1:] == (kind, item_kind)
    weight = llama().model.layers[1].mlp.up_proj.weight.detach().numpy()
    np.testing.assert_allclose(read.tensors["blk.1.ffn_up.weight"], weight, atol=np.abs(weight).max() / 127)
    assert read.tensors["blk.1.ffn_norm.weight"].dtype == np.float32


def test_eight_bits_stay_what_they_are(tmp_path):
    """What has been rounded once is not moved by being rounded again."""
    first = read_gguf(write_tiny_gguf(tmp_path / "a.gguf"))
    write_q8_0(tmp_path / "b.gguf", first.fields, first.tensors)
    again = read_gguf(tmp_path / "b.gguf")
    for name, weight in first.tensors.items():
        np.testing.assert_allclose(again.tensors[name], weight, rtol=2e-3, atol=1e-6)


def test_same_bytes_each_time(tmp_path):
    assert write_tiny_gguf(tmp_path / "a.gguf").read_bytes() == write_tiny_gguf(tmp_path / "b.gguf").read_bytes()


def test_settings_are_those_of_the_architecture(tmp_path):
    read = read_gguf(write_tiny_gguf(tmp_path / "a.gguf"))
    assert read.setting("block_count") == 3
    with pytest.raises(DataError, match=r"must name llama\.expert_count"):
        read.setting("expert_count")


@pytest.mark.parametrize("content", [b"", b"no gguf at all, but long enough for a header, is it not?" * 9])
def test_no_gguf(tmp_path, content):
    (tmp_path / "a.gguf").write_bytes(content)
    with pytest.raises(DataError, match="must be a whole GGUF file"):
        read_gguf(tmp_path / "a.gguf")


def test_a_file_that_ends_too_soon(tmp_path):
    path = write_tiny_gguf(tmp_path / "a.gguf")
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(DataError, match="truncated"):
        read_gguf(path)
