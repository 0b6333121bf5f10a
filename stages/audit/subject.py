"""The model under audit, and the pictures that fit it: by the names of its classes, or by their number."""

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from gauntlet.attacks.checks import check_logits
from gauntlet.errors import ArgumentError, DataError
from gauntlet.models.detection import DETECTORS
from gauntlet.models.registry import own_classes, own_weights
from gauntlet.readers.classification import read_classes
from gauntlet.readers.models import ModelCard, read_card
from gauntlet.readers.named_models import open_model
from gauntlet.suites.classifier import pixels
from stages.audit.pictures import BUILT, Shown, built_here, read_shown
from stages.audit.request import DETECTION, Request
from stages.machine import machine

SCENES, SHIFTED = Path("data/built/scenes"), Path("data/built/coco_o")
FEW = 6
BLANK_PX = 128


@dataclass(frozen=True)
class Subject:
    """The model under audit.

    Attributes:
        name: On the card.
        model: In evaluation mode, on the device; pixels in [0, 1] in.
        card: What is known of it: its classes, in the order of its logits.
        detector: Whether it finds objects instead of naming a picture.
        folder: The model folder it comes from, or None.
        shown: Pictures for a classifier.
    """

    name: str
    model: nn.Module
    card: ModelCard
    detector: bool = False
    folder: Path | None = None
    shown: Shown | None = None
    labels: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))

    @cached_property
    def pictures(self) -> Tensor:
        """The pictures, uint8 N x C x H x W, on the device."""
        return self.shown.pictures.tensors().x.to(machine().device)

    @property
    def trained(self) -> dict[str, object] | None:
        """How it was hardened, where its folder says so."""
        about = self.card.about
        return {"method": about["method"], "eps": about["eps"]} if {"method", "eps"} <= about.keys() else None

    @cached_property
    def weights_sha256(self) -> str:
        """A hash of all weights, the same wherever they came from."""
        digest = hashlib.sha256()
        for name, value in sorted(self.model.state_dict().items()):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()


def open_subject(request: Request) -> Subject:
    """Open the model and read the pictures that fit it.

    Raises:
        ArgumentError: No such model or data, or no data with its classes.
        DataError: Weights or pictures are missing, damaged or do not fit.
        UnavailableError: A package or its weights are away.
    """
    folder = Path(request.model) if Path(request.model).is_dir() else None
    if not folder and "/" in request.model and ":" not in request.model and not Path(request.model).exists():
        raise DataError(f"{request.model} must be a model folder or a file of weights; it is not there; trained yet?")
    known = read_card(folder) if folder else None
    if is_detector(known.architecture if known else request.model) or request.data == DETECTION:
        return _detector(request, folder)
    if known is None and request.data is None and not request.checkpoint and own_weights(request.model):
        raise ArgumentError(
            f"{request.model} must get --data FOLDER, one folder of pictures a class (ImageNet's named by wnid), or a "
            "--checkpoint: no data built here has the classes of its own weights"
        )
    return _classifier(request, folder, known)


def is_detector(architecture: str) -> bool:
    """Say whether a model of this name finds objects."""
    family, _, name = architecture.partition(":")
    if family == "torchvision":
        from torchvision import models

        return name in models.list_models(module=models.detection)
    return family == "transformers" or (family == "gauntlet" and name in DETECTORS)


def _detector(request: Request, folder: Path | None) -> Subject:
    if request.data not in (None, DETECTION):
        raise ArgumentError(f"--data must be {DETECTION} for a detector; got {request.data!r}; a classifier meant?")
    own = None if request.checkpoint else own_classes(request.model, own_weights(request.model))
    names = own or ([] if folder else _categories())
    model, card = _open(request, names)
    model = model.to(machine().device)
    _must_detect(request, model)
    return Subject(request.name, model, card, detector=True, folder=folder)


@torch.inference_mode()
def _must_detect(request: Request, model: nn.Module) -> None:
    """Refuse what does not answer as torchvision's detectors do."""
    try:
        answers = model([torch.zeros(3, BLANK_PX, BLANK_PX, device=machine().device)])
        found = answers[0].keys()
    except (RuntimeError, TypeError, ValueError, AttributeError, IndexError, KeyError) as error:
        found, reason = (), (str(error).splitlines() or [type(error).__name__])[0][:160]
    else:
        reason = f"it gave {', '.join(map(str, found))}"
    if not {"boxes", "labels", "scores"} <= set(found):
        raise ArgumentError(
            f"{request.model} must be a detector: a list of pictures in, boxes, labels and scores of each out; "
            f"{reason}; a classifier?"
        )


def _categories() -> list[str]:
    """Return the classes of the scenes built here, which a detector without names of its own is built for."""
    file = SCENES / "annotations" / "instances_test2017.json"
    if not file.exists():
        raise DataError(f"{file} must exist for a detector; `dvc repro` builds it")
    return sorted(category["name"] for category in json.loads(file.read_text())["categories"])


def _classifier(request: Request, folder: Path | None, known: ModelCard | None) -> Subject:
    """Open the model on the data asked for, else on the first that fits."""
    names = [request.data] if request.data else _by_classes(known) if known else built_here()
    if not names:
        raise DataError(f"{BUILT['objects32'].place} must exist, or --data be given; `dvc repro` builds it")
    refused = []
    for name in names:
        shown = read_shown(name, count=request.images, seed=request.seed, class_names=known.classes if known else None)
        try:
            model, card = _open(request, known.classes if known else shown.pictures.class_names)
            labels = _labels(request, shown, card)
            subject = Subject(request.name, model.to(machine().device), card, folder=folder, shown=shown, labels=labels)
            logits = probe(subject)
        except (ArgumentError, DataError) as error:
            refused.append(error)
            continue
        check_logits(logits, labels)
        return subject
    said = {str(error) for error in refused}
    if len(said) == 1:
        raise refused[0]
    tried = "; ".join(f"{name}: {error}" for name, error in zip(names, refused, strict=True))
    raise ArgumentError(f"{request.model} must fit some data built here, or --data be given; it fits none: {tried}")


def _by_classes(known: ModelCard) -> list[str]:
    """List the data sets built here that have a model's classes, the one it was trained on first."""
    layout = known.about.get("data", {}).get("layout") if isinstance(known.about.get("data"), dict) else None
    classes = {name: _classes(name) for name in built_here()}
    fitting = [name for name, found in classes.items() if set(found) <= set(known.classes)]
    if not fitting:
        raise ArgumentError(
            f"no data built here ({', '.join(classes) or 'none is there'}) has only classes that the model knows "
            f"({', '.join(known.classes[:FEW])}{', ...' if len(known.classes) > FEW else ''}); give --data FOLDER"
        )
    return sorted(fitting, key=lambda name: (BUILT[name].layout != layout, -len(classes[name])))[:1]


def _classes(name: str) -> list[str]:
    built = BUILT[name]
    return read_classes(built.place) if built.layout == "objects" else [str(digit) for digit in range(10)]


def _open(request: Request, class_names: list[str]) -> tuple[nn.Module, ModelCard]:
    return open_model(request.model, class_names=class_names, settings=request.settings, checkpoint=request.checkpoint)


def _labels(request: Request, shown: Shown, card: ModelCard) -> Tensor:
    """Translate the data's labels to the model's, by the names of the classes."""
    names = shown.pictures.class_names
    present = sorted(set(shown.pictures.labels.tolist()))
    if lost := [names[label] for label in present if names[label] not in card.classes]:
        raise ArgumentError(
            f"the model must know every class of {shown.name}; {lost[0]!r} is not among its {len(card.classes)}; "
            "another data set?"
        )
    places = {label: card.classes.index(names[label]) for label in present}
    labels = np.array([places[label] for label in shown.pictures.labels.tolist()], np.int64)
    return torch.from_numpy(labels).to(machine().device)


@torch.inference_mode()
def probe(subject: Subject) -> Tensor:
    """Show the model all pictures once, before the first suite, and return its logits.

    Raises:
        ArgumentError: It cannot take them, or returns anything but one number a class.
    """
    x, classes, found = subject.pictures, len(subject.card.classes), []
    for images in x.split(batch_of(x)):
        try:
            logits = subject.model(pixels(images))
        except (RuntimeError, TypeError, ValueError, IndexError, AssertionError) as error:
            if "out of memory" in str(error):
                raise
            shape = " x ".join(map(str, x.shape[1:]))
            reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
            raise ArgumentError(f"the model must take pictures of {shape}; {reason}; made for another size?") from None
        if not isinstance(logits, Tensor) or logits.dim() != 2:
            got = f"{list(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
            raise ArgumentError(f"the model must return one logit a class for each picture; got {got}; its first part?")
        if logits.shape[1] != classes:
            raise ArgumentError(
                f"the model must have {subject.shown.name}'s {classes} classes; it has {logits.shape[1]}; "
                "another data set?"
            )
        found.append(logits)
    return torch.cat(found)


def batch_of(x: Tensor) -> int:
    """Return how many pictures of this size to take at a time; no result depends on it."""
    room = 150 * 32 * 32 * (20 if x.is_cuda else 1)
    return max(1, room // (x.shape[2] * x.shape[3]))
