import json
import shutil

import pytest
import torch

from gauntlet.errors import DataError
from gauntlet.readers.recognizers import read_encoder, read_whisper, whisper_ctc
from gauntlet.readers.trained_recognizers import read_recognizer
from stages.training import write_model
from tests.fixtures.whisper import tiny_whisper


@pytest.fixture(scope="module")
def whisper(tmp_path_factory):
    return tiny_whisper(tmp_path_factory.mktemp("whisper"))


@pytest.fixture
def copy(whisper, tmp_path):
    return shutil.copytree(whisper, tmp_path / "whisper")


def written(folder, model, **settings):
    write_model(
        folder,
        model.body,
        architecture="whisper_ctc",
        classes=list(model.symbols),
        settings={"frozen_layers": model.frozen_layers, **settings},
        about={},
        history=[],
    )
    return folder


def test_a_recognizer_comes_back_as_it_was(whisper, tmp_path):
    model = whisper_ctc(whisper, frozen_layers=1, symbols=("p", "əʊ"), dropout=0.1, seed=5)
    with torch.no_grad():
        model.body.head.bias += 1
    back = read_recognizer(written(tmp_path / "model", model, dropout=0.1), whisper=whisper)
    assert back.symbols == model.symbols
    assert not back.training
    assert all(torch.equal(value, back.state_dict()[name]) for name, value in model.state_dict().items())


def test_another_method_and_another_whisper_are_refused(whisper, tmp_path):
    model = whisper_ctc(whisper, frozen_layers=1)
    folder = written(tmp_path / "model", model)
    card = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(card | {"settings": {"frozen_layers": 0}}))
    with pytest.raises(DataError, match="trained on another Whisper"):
        read_recognizer(folder, whisper=whisper)
    (folder / "model.json").write_text(json.dumps(card | {"architecture": "gauntlet:convnet"}))
    with pytest.raises(DataError, match="must hold a whisper_ctc or transformers_ctc; got gauntlet:convnet"):
        read_recognizer(folder, whisper=whisper)
    (folder / "model.safetensors").unlink()
    (folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(DataError, match=r"model\.safetensors must exist"):
        read_recognizer(folder, whisper=whisper)


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_or_broken_file_is_named(copy, name):
    (copy / name).write_bytes(b"{")
    with pytest.raises(DataError, match=f"{name} must be "):
        read_whisper(copy)
    (copy / name).unlink()
    with pytest.raises(DataError, match=f"{name} must exist"):
        read_whisper(copy)


def test_another_models_config_is_named(copy):
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(DataError, match="must name d_model; another model"):
        read_encoder(copy)
    (copy / "config.json").write_text(json.dumps(config | {"d_model": 32}))
    with pytest.raises(DataError, match=r"must fit its own config\.json; .*size mismatch"):
        read_whisper(copy)
    with pytest.raises(DataError, match=r"must fit its own config\.json; .*size mismatch"):
        whisper_ctc(copy, frozen_layers=1)
    (copy / "generation_config.json").write_text("{}")
    with pytest.raises(DataError, match="must name decoder_start_token_id"):
        read_whisper(copy)


def test_a_multilingual_whisper_is_told_english_and_transcribe(copy):
    path = copy / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"is_multilingual": True}))
    assert read_whisper(copy).rules.prefix == (30, 31, 33, 34)
