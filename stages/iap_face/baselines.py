"""Protected faces of every method that is compared: IAP, its two halves alone, PGD, and both in either order."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor

from gauntlet.attacks.disruption import disruption_pgd
from gauntlet.metrics.image_quality import at_psnr, psnr_db
from gauntlet.models.iap_face import Protector, quantise
from gauntlet.models.manipulators import Manipulator
from gauntlet.readers.protectors import read_protector
from stages import Params as StageParams

METHODS = ("iap", "pgd", "message_only", "watermark_then_pgd", "pgd_then_watermark", "disruption_only")
READ_BY = {"iap": "iap"} | dict.fromkeys(("message_only", "watermark_then_pgd", "pgd_then_watermark"), "message_only")
"""The decoder that reads a method's message; the others carry none."""


class Pgd(StageParams):
    """Of PGD disruption.

    Attributes:
        alpha: Step on [0, 1]; 0.005 is the literature's 0.01 on [-1, 1].
        steps: Of the ascent.
        per_step: Edits a step, taken in turn.
        changed: Over which pixels the distance is taken: those that an edit changes by more than this in sum over the
            channels, on [-1, 1], as the score does (0.5); null for all, as in the literature.
    """

    alpha: float = Field(gt=0)
    steps: int = Field(ge=1)
    per_step: int = Field(ge=1)
    changed: float | None = Field(ge=0)


@dataclass(frozen=True)
class Protectors:
    """The joint model and its two halves, trained alone."""

    iap: Protector
    message_only: Protector
    disruption_only: Protector

    def decoder(self, method: str) -> Protector:
        """Return the model that reads what a method of `READ_BY` has written."""
        return getattr(self, READ_BY[method])


def read_protectors(folder: Path, *, device: str) -> Protectors:
    """Read the three models that the training stage wrote.

    Raises:
        DataError: One is missing or broken.
    """
    halves = {name: read_protector(folder / name, device=device) for name in ("message_only", "disruption_only")}
    return Protectors(read_protector(folder, device=device), **halves)


def protect(
    x: Tensor,
    message: Tensor,
    *,
    protectors: Protectors,
    targets: Sequence[Manipulator],
    pgd: Pgd,
    generator: torch.Generator,
) -> dict[str, Tensor]:
    """Protect faces by every method of `METHODS`.

    A watermark and PGD one after the other may change a pixel by twice eps; the sum is scaled to the PSNR that IAP
    has on the same picture. PGD alone keeps IAP's eps.

    Args:
        x: B x 3 x H x W in [0, 1].
        message: B x L.
        protectors: The trained models.
        targets: The manipulators that PGD may look at, the white boxes.
        pgd: Its settings.
        generator: Of its random starts, on the CPU.

    Returns:
        Pictures on levels of uint8, by method.
    """

    def disrupted(picture: Tensor) -> Tensor:
        settings = {"alpha": pgd.alpha, "steps": pgd.steps, "per_step": pgd.per_step, "changed": pgd.changed}
        return disruption_pgd(targets, picture, eps=protectors.iap.eps, generator=generator, **settings)

    with torch.no_grad():
        found = {"iap": protectors.iap.protect(x, message)}
        found["message_only"] = protectors.message_only.protect(x, message)
        found["disruption_only"] = protectors.disruption_only.protect(x, message)
        level = psnr_db(x, found["iap"])
        found["pgd"] = quantise(disrupted(x))
        after = protectors.message_only.protect(found["pgd"], message)
        found["pgd_then_watermark"] = quantise(at_psnr(x, after, level))
        found["watermark_then_pgd"] = quantise(at_psnr(x, disrupted(found["message_only"]), level))
    return {method: found[method] for method in METHODS}
