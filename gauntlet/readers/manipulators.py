"""Read face editors: what `iap_face.manipulators` writes, and the published StarGAN and AttGAN checkpoints."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor, nn

from gauntlet.errors import ArgumentError, DataError
from gauntlet.models.attention_gan import AttentionGan
from gauntlet.models.attgan import AttGan, AttGanShape
from gauntlet.models.critics import AttGanCritic, Labels, StarGanCritic
from gauntlet.models.face_features import FaceFeatures
from gauntlet.models.manipulators import Editor, LabelledEditor, Levels, Manipulator
from gauntlet.models.stargan import StarGan, StarGanShape
from gauntlet.readers.checkpoints import read_weights
from gauntlet.readers.models import read_card

FEATURES = "features"
"""The folder beside the manipulators that holds the attribute network."""

GENERATORS: dict[str, Callable[..., nn.Module]] = {
    "stargan": lambda attributes, **settings: StarGan(StarGanShape(len(attributes), **settings)),
    "attgan": lambda attributes, **settings: AttGan(AttGanShape(len(attributes), **settings)),
    "attention": lambda attributes, **settings: AttentionGan(StarGanShape(len(attributes), **settings)),
    FEATURES: lambda attributes, **settings: FaceFeatures(attributes, **settings),
}
"""Networks by the name of their folder: (attributes, settings) to a fresh one."""

STARGAN = ("Black_Hair", "Blond_Hair", "Brown_Hair", "Male", "Young")
"""Attributes of the published StarGAN checkpoints, in the order of their labels."""

ATTGAN = (
    *("Bald", "Bangs", "Black_Hair", "Blond_Hair", "Brown_Hair", "Bushy_Eyebrows", "Eyeglasses", "Male"),
    *("Mouth_Slightly_Open", "Mustache", "No_Beard", "Pale_Skin", "Young"),
)
"""Attributes of the published AttGAN checkpoints."""


def build(architecture: str, attributes: tuple[str, ...], *, settings: Mapping[str, int | str]) -> nn.Module:
    """Build a network with random weights.

    Raises:
        ArgumentError: There is no such network, or it has no such setting.
    """
    if architecture not in GENERATORS:
        raise ArgumentError(f"the manipulator must be one of {', '.join(GENERATORS)}; got {architecture!r}; misspelt?")
    try:
        return GENERATORS[architecture](tuple(attributes), **settings)
    except TypeError:
        raise ArgumentError(
            f"network must hold settings of {architecture}; got {', '.join(settings)}; misspelt?"
        ) from None


def read_manipulators(folder: Path, *, device: str = "cpu") -> dict[str, Manipulator]:
    """Read all manipulators of a folder, by name, frozen and in eval mode; the attribute network is left out.

    A subfolder is one that `iap_face.manipulators` wrote, or holds a published checkpoint: StarGAN's `<n>-G.ckpt` and
    `<n>-D.ckpt`, or AttGAN-PyTorch's `weights.<n>.pth`; the highest n is read. attributes.json beside them names the
    labels where they are not the usual ones.

    Raises:
        DataError: No manipulator, or one that is incomplete.
    """
    folders = sorted(path for path in folder.glob("*") if path.is_dir() and path.name != FEATURES)
    if not folders:
        raise DataError(f"{folder} must hold a folder a manipulator; it holds none; is their training finished?")
    return {path.name: read_manipulator(path, device=device) for path in folders}


def published_files(folder: Path) -> list[Path]:
    """Return the files of the published checkpoint in a folder, the latest alone.

    Raises:
        DataError: There is none.
    """
    generators, weights = _numbered(folder, "*-G.ckpt"), _numbered(folder, "weights.*.pth")
    if not generators and not weights:
        raise DataError(
            f"{folder} must hold <n>-G.ckpt and <n>-D.ckpt, or weights.<n>.pth; it has neither; not unpacked?"
        )
    names = folder / "attributes.json"
    found = [generators[-1], _critic_of(generators[-1])] if generators else [weights[-1]]
    return found + [names] * names.exists()


def read_manipulator(folder: Path, *, device: str = "cpu") -> Manipulator:
    """Read one manipulator, frozen and in eval mode.

    Raises:
        DataError: It is incomplete, or no manipulator.
    """
    if generators := _numbered(folder, "*-G.ckpt"):
        return _published_stargan(generators[-1], device=device)
    if weights := _numbered(folder, "weights.*.pth"):
        return _published_attgan(weights[-1], device=device)
    network, attributes = _trained(folder, device=device)
    if isinstance(network, FaceFeatures):
        raise DataError(f"{folder} must hold a manipulator; it holds the attribute network; renamed?")
    return Editor(folder.name, attributes, network)


def read_face_features(folder: Path, *, device: str = "cpu") -> FaceFeatures:
    """Read the attribute network, `<manipulators>/features`, frozen and in eval mode.

    Raises:
        DataError: It is missing or incomplete.
    """
    network, _ = _trained(folder, device=device)
    if not isinstance(network, FaceFeatures):
        raise DataError(f"{folder} must hold the attribute network; it holds a manipulator; another folder?")
    return network.eval().requires_grad_(False)


def _trained(folder: Path, *, device: str) -> tuple[nn.Module, tuple[str, ...]]:
    card = read_card(folder)
    try:
        network = build(card.architecture, tuple(card.classes), settings=card.settings)
    except ArgumentError as error:
        raise DataError(f"{folder / 'model.json'}: {error}") from None
    return _filled(network, read_weights(folder / "model.safetensors"), path=folder).to(device), tuple(card.classes)


def _filled(network: nn.Module, weights: dict[str, Tensor], *, path: Path) -> nn.Module:
    """Load weights; running statistics of an instance normalisation, which nothing uses, are passed over."""
    own = network.state_dict()
    given = {name: value for name, value in weights.items() if name in own or not _statistic(name)}
    counters = {name: value for name, value in own.items() if name.endswith("num_batches_tracked")}
    try:
        network.load_state_dict(counters | given)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise DataError(f"{path}: the weights must fit; {reason}; another architecture?") from None
    return network


def _statistic(name: str) -> bool:
    return name.rpartition(".")[2] in ("running_mean", "running_var", "num_batches_tracked")


def _numbered(folder: Path, pattern: str) -> list[Path]:
    return sorted(folder.glob(pattern), key=lambda path: [int(n) for n in _digits(path.name)])


def _digits(name: str) -> list[str]:
    return "".join(c if c.isdigit() else " " for c in name).split()


def _critic_of(path: Path) -> Path:
    return path.with_name(path.name.replace("-G.ckpt", "-D.ckpt"))


def _published_stargan(path: Path, *, device: str) -> Manipulator:
    critic = _critic_of(path)
    weights, told = read_weights(path), read_weights(critic)
    first, kernel = _shape(weights, "main.0.weight", path), _shape(told, "conv2.weight", critic)
    blocks = len({name.split(".")[1] for name in weights if name.split(".")[2] == "main"})
    attributes = _names(path.parent, STARGAN, count=first[1] - 3)
    generator = StarGan(StarGanShape(len(attributes), width=first[0], blocks=blocks, kernel=first[2]))
    layers = sum(name.startswith("main.") and name.endswith("weight") for name in told)
    width = _shape(told, "main.0.weight", critic)[0]
    classifier = StarGanCritic(len(attributes), size_px=kernel[2] * 2**layers, width=width, layers=layers)
    return LabelledEditor(
        path.parent.name,
        attributes,
        _filled(generator, weights, path=path).to(device),
        classifier=Labels(_filled(classifier, told, path=critic)).to(device),
    )


def _published_attgan(path: Path, *, device: str) -> Manipulator:
    weights, told = read_weights(path, part="G"), read_weights(path, part="D")
    width, bottom = (
        _shape(weights, "enc_layers.0.layers.0.weight", path)[0],
        _shape(told, "fc_cls.0.layers.0.weight", path),
    )
    layers = sum(name.startswith("enc_layers.") and name.endswith("layers.0.weight") for name in weights)
    inside = [_shape(weights, f"dec_layers.{n}.layers.0.weight", path)[:2] for n in range(layers)]
    codes = inside[0][0] - min(width * 2 ** (layers - 1), AttGanShape.most)
    attributes = _names(path.parent, ATTGAN, count=codes)
    # What a layer of the decoder gets beyond the one before: the code, a shortcut, or both.
    beyond = [inside[n + 1][0] - inside[n][1] for n in range(layers - 1)]
    shape = AttGanShape(
        codes,
        width=width,
        layers=layers,
        shortcuts=sum(extra in (inside[n][1] // 2, codes + inside[n][1] // 2) for n, extra in enumerate(beyond)),
        injections=sum(extra in (codes, codes + inside[n][1] // 2) for n, extra in enumerate(beyond)),
    )
    depth = sum(name.startswith("conv.") and name.endswith("layers.0.weight") for name in told)
    ends = _shape(told, f"conv.{depth - 1}.layers.0.weight", path)[0]
    classifier = AttGanCritic(
        codes,
        size_px=math.isqrt(bottom[1] // ends) * 2**depth,
        width=_shape(told, "conv.0.layers.0.weight", path)[0],
        layers=depth,
        hidden=bottom[0],
    )
    return LabelledEditor(
        path.parent.name,
        attributes,
        _filled(AttGan(shape), weights, path=path).to(device),
        classifier=Labels(_filled(classifier, told, path=path)).to(device),
        levels=Levels(-0.5, 0.5, strength=2.0),
    )


def _shape(weights: dict[str, Tensor], name: str, path: Path) -> tuple[int, ...]:
    if name not in weights:
        raise DataError(f"{path} must hold {name}; it holds {', '.join(list(weights)[:3])}, ...; another network?")
    return tuple(weights[name].shape)


def _names(folder: Path, usual: tuple[str, ...], *, count: int) -> tuple[str, ...]:
    """Return the names of the labels: those of attributes.json where there is one, or the published ones."""
    path = folder / "attributes.json"
    names = tuple(json.loads(path.read_text())) if path.exists() else usual
    if len(names) != count:
        raise DataError(f"{path} must name the {count} labels of the generator, in order; got {len(names)}")
    return names
