"""What a protector does on faces that it was not trained on: bits read back, edits disrupted."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from gauntlet.metrics.disruption import disruption, joined, protection
from gauntlet.metrics.iap_face import bit_accuracy
from gauntlet.models.iap_face import Protector, quantise
from gauntlet.models.manipulators import Manipulator
from gauntlet.shifts.distortions import distort_truly


class Validation(NamedTuple):
    """Figures on held-out faces, each a share in [0, 1] but for `psnr_db`.

    Attributes:
        psnr_db: Of the protected faces.
        protected: Bit accuracy.
        jpeg_75: The same after a JPEG file of quality 75.
        unprotected: The same of faces that carry nothing.
        manipulated: The same after each editor's edits, a mean over edits.
        protection_rate: By editor.
    """

    psnr_db: float
    protected: float
    jpeg_75: float
    unprotected: float
    manipulated: dict[str, float]
    protection_rate: dict[str, float]


@torch.no_grad()
def validate(
    protector: Protector, x: Tensor, *, manipulators: Mapping[str, Manipulator], generator: torch.Generator
) -> Validation:
    """Protect faces, each with a message of its own, and count.

    Args:
        protector: In eval mode.
        x: [B, 3, H, W] in [0, 1], on uint8 levels.
        manipulators: By name.
        generator: On the CPU: the messages.
    """
    message = torch.randint(0, 2, (len(x), protector.bits), generator=generator).float().to(x.device)
    x_p = protector.protect(x, message)

    def bits(y: Tensor) -> float:
        return round(float(bit_accuracy(protector.decode(y), message).mean()), 5)

    read, rates = {}, {}
    for name, manipulator in manipulators.items():
        rows, found = [], []
        for attribute in range(len(manipulator.attributes)):
            edited = quantise(manipulator.edit(x_p, attribute))
            rows.append(disruption(x, manipulator.edit(x, attribute), edited))
            found.append(bits(edited))
        read[name] = sum(found) / len(found)
        rates[name] = protection(joined(rows)).rate.value
    return Validation(
        psnr_db=float(-10 * (x_p - x).square().mean().log10()),
        protected=bits(x_p),
        jpeg_75=bits(distort_truly(x_p, "jpeg", 75, generator=generator)),
        unprotected=bits(x),
        manipulated=read,
        protection_rate=rates,
    )
