"""Open a CLIP: one that was trained here, from its folder, or one of open_clip's by name."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from gauntlet.errors import ArgumentError, DataError, UnavailableError
from gauntlet.models.clip import Clip
from gauntlet.models.clip_small import ClipShape, small_clip
from gauntlet.models.clip_words import Words

CONFIG, WEIGHTS, HISTORY = "config.json", "model.safetensors", "history.json"


def read_clip(source: str | Path, *, weights: str = "", device: str = "cpu") -> Clip:
    """Open a CLIP, frozen and in evaluation mode.

    Args:
        source: A folder that `safe_clip.pretrain` wrote, or a name of open_clip's: "RN50", "ViT-B-16-quickgelu".
            OpenAI's own weights want a name with -quickgelu.
        weights: Of a named model: a file (safetensors, a state dict, OpenAI's archive), or a tag such as "openai",
            which is downloaded unless it is in open_clip's cache.
        device: Where to put it.

    Raises:
        ArgumentError: No such name or tag, or none given; a CLIP of a kind that `Clip` does not take.
        DataError: A file is missing or damaged, or its weights do not fit; names it.
        UnavailableError: The weights had to be downloaded and could not be.
    """
    folder = Path(source)
    if folder.is_dir():
        if weights:
            raise ArgumentError(f"weights must be left out for a folder, which has its own; got {weights!r}")
        return _from_folder(folder).to(device)
    if folder.parent != Path():
        raise DataError(f"{source} must be a folder of a CLIP; it is none; `dvc repro` or `dvc pull` brings it")
    return _named(str(source), weights).to(device)


def _from_folder(folder: Path) -> Clip:
    config, path = _config(folder / CONFIG), folder / WEIGHTS
    try:
        shape = ClipShape(**(config["shape"] | {"layers": tuple(config["shape"]["layers"])}))
        words = Words(config["words"], context=shape.context)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{folder / CONFIG} must hold shape and words; {_line(error)}; another kind of model?"
        ) from None
    model = small_clip(shape, ids=len(words))
    _load(model, path, lambda: load_file(path))
    return Clip(model, words, image_size_px=shape.image_size_px, name=folder.name)


def _config(path: Path) -> dict:
    if not path.exists():
        raise DataError(f"{path} must exist; it does not; another folder, or an unfinished training?")
    try:
        config = json.loads(path.read_text())
    except ValueError as error:
        raise DataError(f"{path} must be JSON; {_line(error)}; an interrupted copy?") from None
    if not isinstance(config, dict):
        raise DataError(f"{path} must be a JSON object; got {type(config).__name__}; another file?")
    return config


def _named(name: str, weights: str) -> Clip:
    import open_clip

    if name not in open_clip.list_models():
        raise ArgumentError(f"a CLIP must be a folder or a name of open_clip (RN50, ViT-B-16 ...); got {name!r}")
    tags = open_clip.list_pretrained_tags_by_model(name)
    if not weights:
        raise ArgumentError(f"weights of {name} must be a file or one of {', '.join(tags) or 'no tags'}; got none")
    path = Path(weights)
    if weights in tags:
        model = _downloaded(name, weights)
    elif path.is_file():
        model = open_clip.create_model(name, load_weights=False, pretrained_text=False)
        _load(model, path, lambda: _checkpoint(path))
    else:
        raise DataError(f"{weights} must be a file, or for {name} one of {', '.join(tags)}; it is neither; misspelt?")
    side = model.visual.image_size
    side = side[0] if isinstance(side, tuple) else side
    settings = getattr(model.visual, "preprocess_cfg", {}) or {}
    statistics = {key: settings[key] for key in ("mean", "std") if settings.get(key)}
    tokenizer = open_clip.get_tokenizer(name)
    return Clip(model.float(), tokenizer, image_size_px=side, name=f"{name}:{path.name}", **statistics)


def _downloaded(name: str, tag: str) -> nn.Module:
    import open_clip

    try:
        return open_clip.create_model(name, pretrained=tag)
    except Exception as error:  # each of urllib, requests and the hub raises its own
        raise UnavailableError(
            f"{name} must get its weights {tag} from their host; {_line(error)}; offline? Give a file instead"
        ) from None


def _checkpoint(path: Path) -> dict:
    """Read a state dict; OpenAI's files are TorchScript archives."""
    if path.suffix == ".safetensors":
        return load_file(path)
    if zipfile.is_zipfile(path) and any(part.endswith("constants.pkl") for part in zipfile.ZipFile(path).namelist()):
        weights = torch.jit.load(path, map_location="cpu").state_dict()
        return {
            key: value
            for key, value in weights.items()
            if key not in ("input_resolution", "context_length", "vocab_size")
        }
    found = torch.load(path, map_location="cpu", weights_only=True)
    found = found.get("state_dict", found)
    return {key.removeprefix("module."): value for key, value in found.items()}


def _load(model: nn.Module, path: Path, read: Callable[[], dict]) -> None:
    if not path.exists():
        raise DataError(f"{path} must exist; it does not; an unfinished training or copy?")
    try:
        weights = read()
    except Exception as error:  # torch raises whatever its unpickler meets in a broken file
        raise DataError(f"{path} must be a whole file of weights; {_line(error)}; truncated?") from None
    try:
        model.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: the weights must fit the model; {_line(error)}; weights of another one?") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
