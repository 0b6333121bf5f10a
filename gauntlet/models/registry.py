"""Build a model by name: ours, torchvision's, timm's, transformers' detectors, or any `package.module:function`."""

import importlib
import inspect
from collections.abc import Callable, Mapping

from torch import Tensor, nn

from gauntlet.errors import ArgumentError, UnavailableError
from gauntlet.models.convnet import Normalize, convnet
from gauntlet.models.resnet import RESNETS

Settings = Mapping[str, object]


class Normalized(nn.Module):
    """A classifier that takes pixels in [0, 1] and normalises inside."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.normalize = Normalize()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Map B x 3 x H x W pixels in [0, 1] to B x C logits."""
        return self.network(self.normalize(x))


def _gauntlet(name: str, classes: int, settings: Settings) -> nn.Module:
    from gauntlet.models.detection import DETECTORS

    builders = {convnet.__name__: convnet} | RESNETS | DETECTORS
    if name not in builders:
        raise ArgumentError(f"gauntlet: must be followed by one of {', '.join(builders)}; got {name!r}; misspelt?")
    return builders[name](classes=classes, **settings)


def _torchvision(name: str, classes: int, settings: Settings) -> nn.Module:
    from torchvision import models

    if name not in models.list_models():
        raise ArgumentError(f"torchvision must know the model; it has none named {name!r}; misspelt?")
    detector = name in models.list_models(module=models.detection)
    counted = {} if "weights" in settings else {"num_classes": classes + 1 if detector else classes}
    if detector and "weights" not in settings:
        counted["weights_backbone"] = None
    network = models.get_model(name, **(counted | dict(settings)))
    return network if detector else Normalized(network)


def _timm(name: str, classes: int, settings: Settings) -> nn.Module:
    import timm

    if name.partition(".")[0] not in timm.list_models():
        raise ArgumentError(f"timm must know the model; it has none named {name!r}; misspelt?")
    return Normalized(timm.create_model(name, num_classes=classes, **settings))


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


def build(architecture: str, *, classes: int, settings: Settings) -> nn.Module:
    """Build a model.

    Args:
        architecture: "gauntlet:fcos", "torchvision:resnet50", "timm:vit_tiny_patch16_224", "transformers:<folder>", or
            "package.module:function", which is called with `classes` (where it takes that) and the settings.
        classes: Number of classes, without a detector's background.
        settings: Further keyword arguments of the builder; `weights: DEFAULT` asks torchvision for its own weights.

    Returns:
        A module that takes pixels in [0, 1]; a detector follows torchvision's convention.

    Raises:
        ArgumentError: No such model.
        UnavailableError: Its package is not installed.
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
        function = getattr(importlib.import_module(family), name)
    except ModuleNotFoundError as error:
        raise UnavailableError(f"{architecture} needs the package {error.name}; is it installed?") from None
    except AttributeError:
        raise ArgumentError(f"{family} must define {name}; it does not; misspelt?") from None
    counted = {"classes": classes} if "classes" in inspect.signature(function).parameters else {}
    return function(**counted, **settings)
