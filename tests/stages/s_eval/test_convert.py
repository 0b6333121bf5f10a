import json

import pytest
import torch

from gauntlet.errors import DataError
from gauntlet.readers.gguf import read_gguf
from stages.s_eval.convert import Params, run
from tests.fixtures.sources import write_archive
from tests.fixtures.tiny_llama import llama, write_tiny_gguf


@pytest.fixture
def folder(tmp_path):
    tar = write_archive(tmp_path / "a.tar", {"a.gguf": write_tiny_gguf(tmp_path / "a.gguf").read_bytes()})
    run(Params(), weights=tar, chat_model=tmp_path / "out")
    return tmp_path / "out"


def test_transformers_reads_the_folder_and_says_what_the_model_says(folder):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    read, report = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    talk = [{"role": "user", "content": "Bäck 12 breads"}]
    text = tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=True)
    assert text == "<|im_start|>user\nBäck 12 breads<|im_end|>\n<|im_start|>assistant\n"
    tokens = tokenizer(text, return_tensors="pt").input_ids
    assert tokenizer.decode(tokens[0]) == text
    assert (tokens == 1).sum() == 2
    # Eight bits and then the eight of bfloat16: logits of a few units move by a tenth.
    theirs, ours = llama()(tokens).logits.softmax(-1), read(tokens).logits.softmax(-1)
    assert (theirs - ours).abs().max() < 0.05


def test_the_server_s_file_is_in_eight_bits_and_the_other_in_bfloat16(folder):
    weights = read_gguf(folder / "model.gguf").tensors
    from safetensors.torch import load_file

    state = load_file(folder / "model.safetensors")
    assert all(weight.dtype == torch.bfloat16 for weight in state.values())
    name = "model.layers.0.mlp.down_proj.weight"
    torch.testing.assert_close(
        state[name].float(), torch.from_numpy(weights["blk.0.ffn_down.weight"]), atol=2e-2, rtol=1e-2
    )


def test_same_bytes_each_time(folder, tmp_path):
    run(Params(), weights=tmp_path / "a.tar", chat_model=tmp_path / "again")
    names = sorted(file.name for file in folder.iterdir())
    assert len(names) == 6
    assert all((folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes() for name in names)


def test_the_configuration_is_the_file_s(folder):
    config = json.loads((folder / "config.json").read_text())
    assert config["rms_norm_eps"] == 1e-5
    assert config["tie_word_embeddings"] is True
    assert (config["num_key_value_heads"], config["head_dim"]) == (2, 16)


def test_an_archive_without_a_model(tmp_path):
    tar = write_archive(tmp_path / "b.tar", {"README": b"nothing"})
    with pytest.raises(DataError, match=r"one \.gguf file; it holds 0"):
        run(Params(), weights=tar, chat_model=tmp_path / "out")


@pytest.mark.slow
def test_the_real_model_is_what_transformers_reads_from_the_four_bits(tmp_path):
    from pathlib import Path

    from transformers import AutoModelForCausalLM, AutoTokenizer

    from gauntlet.readers.archives import members

    tar = Path(__file__).parents[3] / "data/raw/smollm2.tar"
    if not tar.exists():
        pytest.skip("data/raw/smollm2.tar is not here")
    packed = next(members(tar, "*.gguf"))
    (tmp_path / "four").mkdir()
    (tmp_path / "four/model.gguf").write_bytes(packed.data)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "four", gguf_file="model.gguf", dtype=torch.bfloat16)
    words = AutoTokenizer.from_pretrained(tmp_path / "four", gguf_file="model.gguf")
    run(Params(), weights=tar, chat_model=tmp_path / "out")
    ours = AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype=torch.bfloat16)
    state = ours.state_dict()
    assert all(torch.equal(state[name], weight) for name, weight in theirs.state_dict().items())
    text = "<|im_start|>user\nHéllo, it's a loaf of bread\n\n  and 你好"  # without digits: theirs does not split them
    assert AutoTokenizer.from_pretrained(tmp_path / "out")(text)["input_ids"] == words(text)["input_ids"]
