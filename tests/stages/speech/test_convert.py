import json

import pytest
import torch

from gauntlet.errors import DataError
from gauntlet.readers.recognizers import read_whisper
from stages.speech.convert import Params, run
from tests.fixtures.sources import write_archive
from tests.fixtures.whisper import TOKENS, arrays, model_bin, tiny_whisper, whisper_tar


def test_transformers_reads_the_folder_and_hears_what_ours_hears(tmp_path):
    from transformers import AutoFeatureExtractor, AutoTokenizer, WhisperForConditionalGeneration

    folder = tiny_whisper(tmp_path)
    theirs, report = WhisperForConditionalGeneration.from_pretrained(folder, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert theirs.generation_config.decoder_start_token_id == 30
    assert AutoTokenizer.from_pretrained(folder).decode([4, 2]) == " ab"
    assert AutoFeatureExtractor.from_pretrained(folder).feature_size == 80
    ours = read_whisper(folder, stride=1)
    assert ours.rules.prefix == (30, 34)
    assert ours.rules.end == 29
    assert ours.rules.never_first == (0, 29)
    parameters = dict(theirs.model.named_parameters())
    for name, weight in ours.decoder.named_parameters():
        assert torch.equal(weight, parameters[f"decoder.{name}"])


def test_same_bytes_each_time(tmp_path):
    first, second = tiny_whisper(tmp_path / "a"), tiny_whisper(tmp_path / "b")
    names = sorted(file.name for file in first.iterdir())
    assert "model.safetensors" in names
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)


def test_sizes_are_read_off_the_weights(tmp_path):
    config = json.loads((tiny_whisper(tmp_path) / "config.json").read_text())
    assert (config["d_model"], config["encoder_layers"], config["decoder_ffn_dim"]) == (24, 2, 32)
    assert (config["max_source_positions"], config["vocab_size"]) == (150, TOKENS)


def test_another_model_is_one_line(tmp_path):
    tar = whisper_tar(tmp_path / "other.tar", weights=model_bin(arrays(), spec="TransformerSpec"))
    with pytest.raises(DataError, match="must be a WhisperSpec; got TransformerSpec"):
        run(Params(), weights=tar, recognizer=tmp_path / "out")
    biased = arrays()
    biased["encoder/layer_0/self_attention/linear_0/bias"][:] = 1
    tar = whisper_tar(tmp_path / "biased.tar", weights=model_bin(biased))
    with pytest.raises(DataError, match="keys of Whisper have no bias"):
        run(Params(), weights=tar, recognizer=tmp_path / "out")
    tar = whisper_tar(
        tmp_path / "named.tar", weights=model_bin(arrays() | {"encoder/else": arrays()["encoder/conv1/bias"]})
    )
    with pytest.raises(DataError, match="Whisper's names; got encoder/else"):
        run(Params(), weights=tar, recognizer=tmp_path / "out")


def test_an_archive_without_a_file_names_it(tmp_path):
    tar = write_archive(tmp_path / "other.tar", {"model.bin": b""})
    with pytest.raises(DataError, match=r"config\.json is missing"):
        run(Params(), weights=tar, recognizer=tmp_path / "out")
