import json
from dataclasses import asdict

import pytest
import torch
from safetensors.torch import save_file

from gauntlet.errors import DataError
from gauntlet.models.guides import built
from gauntlet.models.iap_face import Protector, Shape
from gauntlet.readers.protectors import read_protector

SHAPE = Shape(bits=8, size_px=16, width=8, blocks=1, band=8)
GUIDES = {"attgan": {"network": "AttGan", "shape": {"codes": 2, "width": 4, "layers": 2}}}


def fresh():
    torch.manual_seed(0)
    return Protector(SHAPE, guides=built(GUIDES, size_px=16))


def config(guides=GUIDES, **changes):
    return json.dumps({"shape": asdict(SHAPE) | changes, "guides": guides}).encode()


@pytest.fixture
def folder(tmp_path):
    save_file(fresh().state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"shape": asdict(SHAPE), "guides": GUIDES}))
    return tmp_path


def test_what_was_written_is_read_frozen(folder):
    written = fresh()
    read = read_protector(folder)
    assert read.shape == SHAPE
    assert not read.training
    assert not any(weight.requires_grad for weight in read.parameters())
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    message = torch.ones(2, 8)
    torch.testing.assert_close(read.protect(x, message), written.protect(x, message))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("config.json", None, "must exist"),
        ("model.safetensors", None, "must exist"),
        ("config.json", b"{", "must be the JSON"),
        ("config.json", b"{}", "must be the JSON"),
        ("config.json", b"[]", "must be the JSON"),
        ("config.json", b'{"shape": {"bits": 8}, "guides": {}}', "shape must say"),
        ("config.json", config(bits="x"), "must be the JSON"),
        ("config.json", config(width=12), "weights of its config"),
        ("config.json", config(guides={}), "weights of its config"),
        ("config.json", config(guides=[1]), "must be the JSON"),
        ("config.json", config(guides={"a": {"network": "Gan", "shape": {}}}), "guide a must say its network"),
        (
            "config.json",
            config(guides={"a": {"network": "AttGan", "shape": {"wide": 1}}}),
            "guide a must say its network",
        ),
        ("model.safetensors", b"\x00" * 5, "whole safetensors"),
    ],
)
def test_what_is_missing_or_broken_is_named_in_one_line(folder, name, content, says):
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(DataError, match=says) as error:
        read_protector(folder)
    assert name in str(error.value)
    assert "\n" not in str(error.value)
