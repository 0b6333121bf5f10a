"""Put a message into the regions of a picture, and read it back without knowing where it is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from gauntlet.errors import ArgumentError, DataError
from gauntlet.messages import Code
from stages.faces.pictures import Picture
from stages.faces.regions import Box, face_regions, nearby_regions, whole


class Protector(Protocol):
    """What protects and reads; `gauntlet.models.iap_face.Protector` is one."""

    bits: int
    eps: float

    def protect(self, x: Tensor, message: Tensor) -> Tensor:
        """Return x (B x 3 x H x W in [0, 1]) with messages (B x L), within eps."""

    def decode(self, x: Tensor) -> Tensor:
        """Return logits, B x L."""


@dataclass(frozen=True)
class Reading:
    """What a picture carries.

    Attributes:
        found: Whether it carries a message; the claimed one, where one was claimed.
        id: Of the message read; None where none was.
        matches: Bits that agree, at the best place.
        bits: Of a message.
        false_positive_rate: Greatest share of unprotected pictures of which as much would be said.
    """

    found: bool
    id: int | None
    matches: int
    bits: int
    false_positive_rate: float


@dataclass(frozen=True)
class Marker:
    """A protector and the code of its messages."""

    protector: Protector
    code: Code

    def __post_init__(self) -> None:
        if self.code.bits != self.protector.bits:
            raise ArgumentError(
                f"the code must have the protector's {self.protector.bits} bits; got {self.code.bits}; another model?"
            )

    @torch.inference_mode()
    def protect(self, rgb: np.ndarray, boxes: Sequence[Box], *, id: int) -> np.ndarray:
        """Return the picture (uint8, H x W x 3) with the id's message in each region; all else is as it was."""
        protected, message = rgb.copy(), self.code.encode(id)[None]
        for box in boxes:
            x = _tensor(rgb[box.slices])
            changed = (self.protector.protect(x, message) * 255).round().clamp(0, 255)
            protected[box.slices] = changed[0].permute(1, 2, 0).to(torch.uint8).numpy()
        return protected

    @torch.inference_mode()
    def logits(self, rgb: np.ndarray, boxes: Sequence[Box]) -> Tensor:
        """Return what each region says, B x L."""
        return torch.cat([self.protector.decode(_tensor(rgb[box.slices])) for box in boxes])

    def read(self, rgb: np.ndarray, boxes: Sequence[Box], *, claimed: int | None = None) -> Reading:
        """Look for a message in the regions and in the whole picture.

        Args:
            rgb: uint8, H x W x 3.
            boxes: Regions to look at besides the whole, the likeliest first.
            claimed: An id; None where any counts.
        """
        tried = list(dict.fromkeys([whole(rgb), *boxes]))[: self._most]
        # Each place is one more chance to be wrong, so they share the bound: fewer bits may err where there are many.
        code = replace(self.code, false_positive_rate=self.code.false_positive_rate / len(tried))
        said = self.logits(rgb, tried)
        best = max(map(code.decode, said), key=lambda decision: (decision.found, decision.matches))
        if claimed is None:
            return Reading(best.found, best.id, best.matches, code.bits, len(tried) * code.blind_rate)
        check = max((code.check(logits, claimed) for logits in said), key=lambda each: each.matches)
        return Reading(check.found, best.id, check.matches, code.bits, len(tried) * check.false_positive_rate)

    @property
    def _most(self) -> int:
        """Places that may share the bound, if a word without any error shall still count in each."""
        return max(1, int(self.code.false_positive_rate * 2 ** (self.code.bits - self.code.payload)))


def _tensor(rgb: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)))[None].float() / 255


class NoFaceError(Exception):
    """A picture shows no face."""


def places(picture: Picture, *, whole_picture: bool) -> list[Box]:
    """Return the regions of a picture to protect.

    Raises:
        NoFaceError: There is no face, and the whole picture is not asked for.
    """
    if whole_picture:
        return [whole(picture.rgb)]
    if boxes := face_regions(picture.rgb):
        return boxes
    raise NoFaceError(f"{picture.path} must show a face; none was found; --whole protects the whole picture")


def refuse_protected(picture: Picture, marker: Marker, *, whole_picture: bool) -> None:
    """Refuse a picture that carries a message already, looked for in the whole and, unless told not to, at faces.

    Raises:
        DataError: It does; names the id.
    """
    reading = marker.read(picture.rgb, [] if whole_picture else nearby_regions(picture.rgb))
    if reading.found:
        raise DataError(
            f"{picture.path} must not be protected yet; it carries id {reading.id} ({reading.matches} of "
            f"{reading.bits} bits agree); --again protects it anyway"
        )
