"""Face editors under attack: the protocol, a trained editor, and one over published weights; all frozen."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.errors import ArgumentError

HAIR = ("black_hair", "blond_hair", "brown_hair")
"""Attributes of which a face has at most one: an edit sets it; every other attribute an edit turns over."""


class Manipulator(Protocol):
    """An editor of faces, differentiable in the picture, its weights frozen.

    Attributes:
        name: Of its folder.
        attributes: What it edits, in the order of its codes.
    """

    name: str
    attributes: tuple[str, ...]

    def edit(self, x: Tensor, attribute: int | Tensor) -> Tensor:
        """Return edited faces, B x 3 x H x W in [0, 1], of faces in [0, 1].

        Args:
            x: float32, B x 3 x H x W in [0, 1].
            attribute: Index into `attributes`, for all faces or int64 [B].
        """


class Editor:
    """A generator that takes pixels on [-1, 1] and a one-hot code of the edit, as trained here.

    Attributes:
        name: Of its folder.
        attributes: What it edits.
        generator: (x B x 3 x H x W on [-1, 1], code B x A) to pixels on [-1, 1]; frozen, in eval mode.
    """

    def __init__(self, name: str, attributes: Sequence[str], generator: nn.Module) -> None:
        self.name, self.attributes = name, tuple(attributes)
        self.generator = generator.eval().requires_grad_(False)

    def edit(self, x: Tensor, attribute: int | Tensor) -> Tensor:
        """Return edited faces; see `Manipulator.edit`."""
        code = functional.one_hot(indices(attribute, x, self.attributes), len(self.attributes)).to(x.dtype)
        return ((self.generator(2 * x - 1, code) + 1) / 2).clamp(0, 1)


class Levels(NamedTuple):
    """How a generator is told labels: the value of one that does not hold, of one that does, and a factor on the
    label that the edit is about (AttGAN's test intensity over its training one)."""

    low: float = 0.0
    high: float = 1.0
    strength: float = 1.0


class LabelledEditor:
    """A published generator, which takes the labels that the edited face shall have.

    Its own critic says what labels a face has; no gradient passes through that decision.

    Attributes:
        name: Of its folder.
        attributes: What it edits, the generator's labels in their order.
        generator: (x on [-1, 1], labels B x A) to pixels on [-1, 1]; frozen, in eval mode.
        classifier: x on [-1, 1], of the size it was trained on, to logits, B x A; frozen, in eval mode.
        levels: Of the labels: those of StarGAN, or (-1/2, 1/2, 2) for AttGAN.
    """

    def __init__(
        self,
        name: str,
        attributes: Sequence[str],
        generator: nn.Module,
        *,
        classifier: nn.Module,
        levels: Levels = Levels(),  # noqa: B008
    ) -> None:
        self.name, self.attributes, self.levels = name, tuple(attributes), levels
        self.generator = generator.eval().requires_grad_(False)
        self.classifier = classifier.eval().requires_grad_(False)

    def edit(self, x: Tensor, attribute: int | Tensor) -> Tensor:
        """Return edited faces; see `Manipulator.edit`."""
        chosen = indices(attribute, x, self.attributes)
        with torch.no_grad():
            has = self.classifier(2 * x.detach() - 1) > 0
        low, high, strength = self.levels
        wanted = torch.where(edited_labels(has, chosen, self.attributes), high, low).to(x.dtype)
        about = functional.one_hot(chosen, len(self.attributes)).to(x.dtype)
        return ((self.generator(2 * x - 1, wanted * (1 + (strength - 1) * about)) + 1) / 2).clamp(0, 1)


def indices(attribute: int | Tensor, x: Tensor, attributes: Sequence[str]) -> Tensor:
    """Return an attribute an image, int64 [B].

    Raises:
        ArgumentError: No such attribute, or not one an image.
    """
    found = torch.as_tensor(attribute, dtype=torch.int64, device=x.device)
    if found.dim() == 0:
        found = found.expand(len(x))
    if found.shape != x.shape[:1]:
        raise ArgumentError(f"attribute must be a number or one an image [{len(x)}]; got the shape {list(found.shape)}")
    if len(found) and not (int(found.min()) >= 0 and int(found.max()) < len(attributes)):
        raise ArgumentError(
            f"attribute must lie in [0, {len(attributes)}) ({', '.join(attributes)}); got {found.tolist()[:8]}"
        )
    return found


def edited_labels(has: Tensor, attribute: Tensor, attributes: Sequence[str]) -> Tensor:
    """Return the labels after an edit: a hair colour is set and takes the others away, any other label turns over.

    Args:
        has: bool B x A.
        attribute: int64 [B].
        attributes: Names, A.

    Returns:
        bool B x A.

    Source: StarGAN, CVPR 2018, its `create_labels`.
    """
    hair = torch.tensor([name.lower() in HAIR for name in attributes], device=has.device)
    chosen = functional.one_hot(attribute, len(attributes)).bool()
    sets_hair = hair[attribute][:, None]
    return torch.where(sets_hair, (has & ~hair) | chosen, has ^ chosen)


def fingerprint(module: nn.Module) -> str:
    """Return a hash of all weights and buffers: equal before and after means that nothing trained them."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
