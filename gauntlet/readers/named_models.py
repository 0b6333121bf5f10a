"""Open somebody's model, ready to be tested: by name with its own weights, from a folder, or from a file of weights."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import nn

from gauntlet.errors import ArgumentError, DataError
from gauntlet.models.ares_models import ARES_MODELS, ares_model
from gauntlet.models.features import last_linear
from gauntlet.models.registry import build, own_weights
from gauntlet.readers.checkpoints import load_checkpoint
from gauntlet.readers.models import ModelCard, load_model, read_card


def open_model(
    name: str,
    *,
    class_names: Sequence[str],
    settings: Mapping[str, object] | None = None,
    checkpoint: Path | None = None,
) -> tuple[nn.Module, ModelCard]:
    """Open a classifier or detector.

    Args:
        name: A model folder; a .safetensors file, with its architecture in its header or a model.json beside it;
            "timm:resnet50" or "torchvision:resnet50", with their own weights and preprocessing unless a checkpoint is
            given; "ares:resnet50_at", one of the 55 of ARES-Bench; or "package.module:function".
        class_names: Names of the classes, in the order of the logits; a folder or a header that names its own wins.
        settings: Further keyword arguments of the builder.
        checkpoint: A file of weights to load; for ARES-Bench's the file or the folder that holds it.

    Returns:
        The model in evaluation mode on the CPU, and what is known of it.

    Raises:
        ArgumentError: No such model, or not the given number of classes.
        DataError: The weights are missing, damaged, a pickle with code, or do not fit.
        UnavailableError: A package is not installed.
    """
    settings = dict(settings or {})
    if Path(name).is_dir():
        return load_model(Path(name))
    if name.endswith(".safetensors"):
        return _from_file(Path(name), class_names)
    if name.startswith("ares:"):
        model = _from_ares(name.removeprefix("ares:"), checkpoint)
    elif checkpoint:
        model = build(name, classes=len(class_names), settings=settings)
        load_checkpoint(model, checkpoint)
    else:
        settings = own_weights(name) | settings
        model = build(name, classes=_own_classes(name, settings) or len(class_names), settings=settings)
    _check_classes(name, model, class_names)
    return model.eval(), ModelCard(architecture=name, classes=list(class_names), settings=settings)


def _from_file(path: Path, class_names: Sequence[str]) -> tuple[nn.Module, ModelCard]:
    card = _card_of(path)
    card = card if card.classes else replace(card, classes=list(class_names))
    model = build(card.architecture, classes=len(card.classes), settings=card.settings)
    load_checkpoint(model, path)
    return model.eval(), card


def _card_of(path: Path) -> ModelCard:
    """Read what a safetensors file, or the model.json beside it, says of the model."""
    if not path.is_file():
        raise DataError(f"{path} must exist; misspelt, or on another machine?")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} must be a whole safetensors file; {error}; truncated?") from None
    if "architecture" not in header:
        if (path.parent / "model.json").exists():
            return read_card(path.parent)
        raise DataError(
            f"{path} must name its architecture in its header, or in model.json beside it; neither does; "
            f"give the architecture as the model and this file as its checkpoint"
        )
    try:
        classes, settings = json.loads(header.get("classes", "[]")), json.loads(header.get("settings", "{}"))
    except ValueError as error:
        raise DataError(f"{path}: classes and settings of its header must be JSON; {error}") from None
    return ModelCard(header["architecture"], classes=list(classes), settings=dict(settings))


def _from_ares(name: str, checkpoint: Path | None) -> nn.Module:
    model = ares_model(name)
    file = ARES_MODELS[name].checkpoint
    if file and checkpoint is None:
        raise ArgumentError(f"ares:{name} needs the authors' {file}; give it, or its folder, as the checkpoint")
    if file:
        load_checkpoint(model, checkpoint / file if checkpoint.is_dir() else checkpoint)
    return model


def _own_classes(name: str, settings: Mapping[str, object]) -> int | None:
    """Return how many classes timm's own weights have; asked for another number, it would begin a head anew."""
    family, _, architecture = name.partition(":")
    if family != "timm" or not settings.get("pretrained"):
        return None
    import timm

    known = timm.get_pretrained_cfg(architecture, allow_unregistered=True)
    return known.num_classes if known else None


def _check_classes(name: str, model: nn.Module, class_names: Sequence[str]) -> None:
    try:
        logits = last_linear(model).out_features
    except ArgumentError:
        return  # it ends in a convolution; the attacks check the logits themselves
    if hasattr(model, "roi_heads") or hasattr(model, "anchor_generator"):
        return  # a detector: its last linear layer gives boxes
    if logits != len(class_names):
        raise ArgumentError(
            f"{name} must have the data's {len(class_names)} classes; it has {logits}; another data set, or give the "
            f"names of its own classes"
        )
