"""CLIPs from a folder of ours, from open_clip by name and file, and the lines for what cannot be read."""

import json
from pathlib import Path
from urllib.error import URLError

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from gauntlet.errors import ArgumentError, DataError, UnavailableError
from gauntlet.models.clip_small import ClipShape, small_clip
from gauntlet.readers.clip import read_clip

SHAPE = ClipShape(width=4, head_width=16, embed=8, text_width=16, text_heads=2, context=16)
WORDS = ["a", "bird", "owl"]
TINY = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 4, "head_width": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1},
}


@pytest.fixture
def folder(tmp_path) -> Path:
    torch.manual_seed(0)
    place = tmp_path / "clip"
    place.mkdir()
    # As pre-training leaves it: the positional embedding was a parameter then.
    save_file(small_clip(SHAPE, ids=len(WORDS) + 4, learn_positions=True).state_dict(), place / "model.safetensors")
    (place / "config.json").write_text(json.dumps({"shape": SHAPE.as_dict(), "words": WORDS}))
    return place


@pytest.fixture(scope="module")
def named(tmp_path_factory) -> Path:
    """Teach open_clip the name of a tiny model, and write its weights in three of the usual ways."""
    place = tmp_path_factory.mktemp("named")
    (place / "RN-tiny.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(place / "RN-tiny.json")
    torch.manual_seed(0)
    model = open_clip.create_model("RN-tiny", load_weights=False)
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    save_file(weights, place / "whole.safetensors")
    torch.save(weights, place / "whole.pt")
    torch.save({"state_dict": {f"module.{name}": tensor for name, tensor in weights.items()}}, place / "trained.pt")
    return place


def test_a_folder_gives_the_model_that_was_written(folder):
    clip = read_clip(folder)
    torch.manual_seed(0)
    model = small_clip(SHAPE, ids=len(WORDS) + 4).eval()
    x = torch.rand(2, 3, 64, 64)
    assert clip.name == "clip"
    assert clip.image_size_px == 64
    assert torch.equal(clip.pool.positional_embedding, model.visual.attnpool.positional_embedding)
    assert torch.equal(clip.maps(x), read_clip(str(folder)).maps(x))
    assert clip.class_features(["owl", "bird"], ["a {}"]).shape == (2, 8)
    assert not clip.training
    assert len([tensor for tensor in clip.new_pool().parameters() if tensor.requires_grad]) == 8


@pytest.mark.parametrize("file", ["whole.safetensors", "whole.pt", "trained.pt"])
def test_a_name_of_open_clip_with_a_file(named, file):
    clip = read_clip("RN-tiny", weights=str(named / file))
    torch.manual_seed(0)
    model = open_clip.create_model("RN-tiny", load_weights=False)
    assert torch.equal(clip.pool.q_proj.weight, model.visual.attnpool.q_proj.weight)
    assert clip.maps(torch.rand(1, 3, 64, 64)).shape == (1, 128, 2, 2)
    assert torch.allclose(
        clip.text_features(["a photo of an owl."]),
        model.eval().encode_text(open_clip.get_tokenizer("RN-tiny")(["a photo of an owl."]), normalize=True),
        atol=1e-5,
    )
    assert clip.name == f"RN-tiny:{file}"


class Scripted(nn.Module):
    """OpenAI's archives hold three numbers beside the weights."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        for name, tensor in model.state_dict().items():
            owner = self
            for part in name.split(".")[:-1]:
                if not hasattr(owner, part):
                    owner.add_module(part, nn.Module())
                owner = getattr(owner, part)
            owner.register_buffer(name.rpartition(".")[2], tensor)
        for name in ("input_resolution", "context_length", "vocab_size"):
            self.register_buffer(name, torch.tensor(64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Stand for a forward pass."""
        return x


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_openais_archives(named, tmp_path):
    model = open_clip.create_model("RN-tiny", load_weights=False)
    torch.jit.script(Scripted(model)).save(str(tmp_path / "RN.pt"))
    clip = read_clip("RN-tiny", weights=str(tmp_path / "RN.pt"))
    assert torch.equal(clip.pool.c_proj.bias, model.visual.attnpool.c_proj.bias)


def test_names_and_tags_that_are_none(named, tmp_path):
    with pytest.raises(ArgumentError, match="a name of open_clip"):
        read_clip("RN5")
    with pytest.raises(ArgumentError, match="weights of RN50 must be a file or one of openai"):
        read_clip("RN50")
    with pytest.raises(DataError, match="opnai must be a file, or for RN50 one of openai"):
        read_clip("RN50", weights="opnai")
    with pytest.raises(DataError, match="must be a folder of a CLIP"):
        read_clip(tmp_path / "away")


def test_a_folder_has_its_own_weights(folder):
    with pytest.raises(ArgumentError, match="must be left out for a folder"):
        read_clip(folder, weights="openai")


def test_weights_that_cannot_be_fetched(monkeypatch):
    def offline(*_, **__):
        raise URLError("no route to host")

    monkeypatch.setattr(open_clip, "create_model", offline)
    with pytest.raises(UnavailableError, match=r"RN50 must get its weights openai .* offline\? Give a file"):
        read_clip("RN50", weights="openai")


def test_weights_of_another_model_and_broken_files(named, tmp_path):
    save_file({"text_projection": torch.zeros(8, 8)}, tmp_path / "other.safetensors")
    with pytest.raises(DataError, match=r"other.safetensors: the weights must fit"):
        read_clip("RN-tiny", weights=str(tmp_path / "other.safetensors"))
    for name in ("cut.pt", "cut.safetensors"):
        whole = named / name.replace("cut", "whole")
        (tmp_path / name).write_bytes(whole.read_bytes()[:1000])
        with pytest.raises(DataError, match=f"{name} must be a whole file of weights"):
            read_clip("RN-tiny", weights=str(tmp_path / name))


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("config.json", None, "config.json must exist"),
        ("model.safetensors", None, "model.safetensors must exist"),
        ("config.json", "{", "config.json must be JSON"),
        ("config.json", "[]", "must be a JSON object; got list"),
        ("config.json", "{}", "config.json must hold shape and words"),
        ("config.json", '{"shape": {"layers": [1, 1]}, "words": ["a"]}', "config.json must hold shape and words"),
        ("config.json", '{"shape": {"layers": [1, 1, 1, 1]}, "words": ["a"]}', "the weights must fit the model"),
        ("model.safetensors", "no weights", "model.safetensors must be a whole file"),
    ],
)
def test_bad_folders(folder, name, text, line):
    if text is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(text)
    with pytest.raises(DataError, match=line):
        read_clip(folder)
