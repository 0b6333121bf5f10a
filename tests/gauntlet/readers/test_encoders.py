"""Reading encoders: folder and tar agree, and with transformers; what is incomplete is named."""

import tarfile

import pytest
import torch

from gauntlet.errors import DataError
from gauntlet.readers.encoders import read_encoder
from tests.fixtures.encoders import pack_encoder, write_encoder

TEXTS = ["how do I bake bread", "locks"]


@pytest.fixture
def folder(tmp_path):
    return write_encoder(tmp_path / "encoder", " ".join(TEXTS).split())


def states(encoder) -> torch.Tensor:
    tokens = encoder.tokenizer(TEXTS, padding=True, truncation=True, return_tensors="pt")
    assert tokens["attention_mask"].sum(1).tolist() == [7, 3]
    with torch.inference_mode():
        return encoder.model(**tokens).last_hidden_state


def test_folder_and_archive_agree_with_transformers(folder, tmp_path):
    from transformers import BertModel

    read = [read_encoder(folder), read_encoder(pack_encoder(folder, tmp_path / "encoder.tar"))]
    assert not any(encoder.model.training for encoder in read)
    tokens = read[0].tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        expected = BertModel.from_pretrained(folder).eval()(**tokens).last_hidden_state
    for encoder in read:
        assert torch.equal(states(encoder), expected)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_an_archive_that_lacks_a_file_is_named(folder, tmp_path, name):
    (folder / name).unlink()
    with pytest.raises(DataError, match=rf"encoder.tar must hold {name}; it has"):
        read_encoder(pack_encoder(folder, tmp_path / "encoder.tar"))


def test_weights_of_another_model_are_refused(folder, tmp_path):
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace('"num_hidden_layers": 2', '"num_hidden_layers": 3'))
    with pytest.raises(DataError, match="is missing; another model"):
        read_encoder(pack_encoder(folder, tmp_path / "encoder.tar"))


def test_what_is_not_there_or_nothing(tmp_path):
    with pytest.raises(DataError, match="it is not there"):
        read_encoder(tmp_path / "none.tar")
    with pytest.raises(DataError, match="must be an encoder as transformers writes it"):
        read_encoder(tmp_path)
    with tarfile.open(tmp_path / "empty.tar", "w"):
        pass
    with pytest.raises(DataError, match="it has nothing"):
        read_encoder(tmp_path / "empty.tar")
