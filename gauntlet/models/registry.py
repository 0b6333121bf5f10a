"""Build a model by name: ours, torchvision's, timm's, transformers' detectors, or any `package.module:function`."""

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from torch import nn

from gauntlet.errors import ArgumentError, UnavailableError
from gauntlet.models.convnet import convnet
from gauntlet.models.preprocessing import NAMED, Normalized, of_timm, of_torchvision, with_gelu
from gauntlet.models.resnet import RESNETS

Settings = Mapping[str, object]


def _gauntlet(name: str, classes: int, settings: Settings) -> nn.Module:
    builders = {convnet.__name__: convnet} | RESNETS
    if name not in builders:
        from gauntlet.models.detection import DETECTORS  # seconds of torchvision's imports, which no classifier needs

        builders |= DETECTORS
    if name not in builders:
        raise ArgumentError(f"gauntlet: must be followed by one of {', '.join(builders)}; got {name!r}; misspelt?")
    return builders[name](classes=classes, **settings)


def _torchvision(name: str, classes: int, settings: Settings) -> nn.Module:
    from torchvision import models

    if name not in models.list_models():
        raise ArgumentError(f"torchvision must know the model; it has none named {name!r}; misspelt?")
    detector = name in models.list_models(module=models.detection)
    counted = {} if "weights" in settings else {"num_classes": classes + 1 if detector else classes}
    if detector:
        if "weights" not in settings:
            counted["weights_backbone"] = None
        with _weights_of(f"torchvision:{name}"):
            return models.get_model(name, **(counted | dict(settings)))
    wanted = _wanted(settings, default="imagenet")
    preprocessing = NAMED.get(wanted.preprocessing) or of_torchvision(name, str(settings.get("weights", "DEFAULT")))
    with _weights_of(f"torchvision:{name}"):
        network = models.get_model(name, **(counted | wanted.builder))
    return Normalized(with_gelu(network) if wanted.gelu else network, preprocessing)


def _timm(name: str, classes: int, settings: Settings) -> nn.Module:
    import timm

    if name not in timm.list_models(pretrained="." in name):  # with a tag the weights must be known too
        raise ArgumentError(f"timm must know the model; it has none named {name!r}; misspelt?")
    wanted = _wanted(settings, default="own" if settings.get("pretrained") else "imagenet")
    with _weights_of(f"timm:{name}"):
        network = timm.create_model(name, num_classes=classes, **wanted.builder)
    return Normalized(
        with_gelu(network) if wanted.gelu else network, NAMED.get(wanted.preprocessing) or of_timm(network)
    )


class _Wanted(NamedTuple):
    """Settings that are ours, and those left for the family's own builder."""

    preprocessing: str
    gelu: bool
    builder: dict[str, object]


def _wanted(settings: Settings, *, default: str) -> _Wanted:
    left = dict(settings)
    preprocessing, activation = left.pop("preprocessing", default), left.pop("activation", "relu")
    for key, value, known in (
        ("preprocessing", preprocessing, ("own", *NAMED)),
        ("activation", activation, ("relu", "gelu")),
    ):
        if value not in known:
            raise ArgumentError(f"settings: {key} must be one of {', '.join(known)}; got {value!r}; misspelt?")
    return _Wanted(preprocessing, activation == "gelu", left)


def _transformers(name: str, classes: int, settings: Settings) -> nn.Module:
    from gauntlet.models.transformers_detection import transformers_detector

    return transformers_detector(name, **settings)


FAMILIES: dict[str, Callable[[str, int, Settings], nn.Module]] = {
    "gauntlet": _gauntlet,
    "torchvision": _torchvision,
    "timm": _timm,
    "transformers": _transformers,
}


def own_classes(architecture: str, settings: Settings) -> list[str] | None:
    """Return the class names of torchvision's own weights, by label, where the settings ask for them.

    Names start at label 1 for a detector and at 0 for a classifier; COCO's unused ids are called "N/A".
    """
    family, _, name = architecture.partition(":")
    if family != "torchvision" or "weights" not in settings:
        return None
    from torchvision import models

    categories = models.get_model_weights(name)[str(settings["weights"])].meta["categories"]
    return [category for category in categories if category != "__background__"]


def own_weights(architecture: str) -> dict[str, object]:
    """Return the settings that ask a package for its own weights and preprocessing; empty for any other family."""
    family, _, name = architecture.partition(":")
    if family == "timm":
        return {"pretrained": True, "preprocessing": "own"}
    if family == "torchvision":
        from torchvision import models

        detector = name in models.list_models(module=models.detection)
        return {"weights": "DEFAULT"} | ({} if detector else {"preprocessing": "own"})
    return {}


def build(architecture: str, *, classes: int, settings: Settings) -> nn.Module:
    """Build a model.

    Args:
        architecture: "gauntlet:fcos", "torchvision:resnet50", "timm:vit_tiny_patch16_224", "transformers:<folder>", or
            "package.module:function", which is called with `classes` (where it takes that) and the settings.
        classes: Number of classes, without a detector's background.
        settings: Further keyword arguments of the builder; `weights: DEFAULT` asks torchvision for its own weights,
            `pretrained: true` timm. Classifiers of both also take `activation: gelu`, which replaces each ReLU, and
            `preprocessing`: "imagenet" or "inception" statistics, "none", or "own": statistics and input size of the
            model's metadata, to which images of another size are scaled inside. Without it torchvision's models
            get "imagenet", and timm's the same or, where pretrained, "own".

    Returns:
        A module that takes pixels in [0, 1]; a detector follows torchvision's convention.

    Raises:
        ArgumentError: No such model, or a setting that its builder does not know.
        UnavailableError: Its package is not installed, or its own weights cannot be fetched.
    """
    family, colon, name = architecture.partition(":")
    if not colon or not name:
        raise ArgumentError(
            f"a model must be named family:name, such as torchvision:resnet50, or package.module:function; "
            f"got {architecture!r}"
        )
    try:
        if family in FAMILIES:
            return FAMILIES[family](name, classes, settings)
        return _function(family, name)(classes, settings)
    except ModuleNotFoundError as error:
        raise UnavailableError(f"{architecture} needs the package {error.name}; is it installed?") from None
    except TypeError as error:
        if "unexpected keyword argument" not in str(error):
            raise
        raise ArgumentError(f"settings of {architecture}: {str(error).partition('() ')[2]}; misspelt?") from None


def _function(module: str, name: str) -> Callable[[int, Settings], nn.Module]:
    function = getattr(importlib.import_module(module), name, None)
    if function is None:
        raise ArgumentError(f"{module} must define {name}; it does not; misspelt?")
    counted = "classes" in inspect.signature(function).parameters
    return lambda classes, settings: function(**({"classes": classes} if counted else {}), **settings)


@contextmanager
def _weights_of(architecture: str) -> Iterator[None]:
    """Turn a failed fetch of a package's own weights into one line."""
    try:
        yield
    except OSError as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise UnavailableError(
            f"the own weights of {architecture} must be in its package's cache or within reach; {reason}; no network?"
        ) from None
    except RuntimeError as error:
        if "Use `pretrained=False`" not in str(error):  # timm's words for it
            raise
        raise ArgumentError(f"{architecture} has no weights of its own; give a checkpoint") from None
