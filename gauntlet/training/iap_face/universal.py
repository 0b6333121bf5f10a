"""A perturbation that all faces share: where the encoder begins."""

from collections.abc import Mapping

import torch
from torch import Tensor

from gauntlet.models.iap_face import PATTERN_RATE, Protector
from gauntlet.models.manipulators import Manipulator
from gauntlet.training.iap_face.losses import surviving

MOMENTUM = 0.8
"""Of the slopes, each taken at mean size 1; CMUA has 0.5 over longer runs."""


def universal_pattern(
    manipulators: Mapping[str, Manipulator],
    x: Tensor,
    *,
    eps: float,
    steps: int,
    batch: int,
    generator: torch.Generator,
    half: bool = True,
    device: str = "cpu",
) -> Tensor:
    """Lower the share of random edits of random faces that survive, by signed steps that grow shorter.

    Args:
        manipulators: Each edits a batch a step.
        x: uint8, N x 3 x H x W.
        eps: Radius in linf on [0, 1].
        steps: At least 1; the first is of eps / 12, the last next to nothing.
        batch: Faces a step.
        generator: On the CPU.
        half: Compute in bfloat16.
        device: Where the editors run.

    Returns:
        [1, 3, H, W] in [-eps, eps].

    Source: CMUA (AAAI 2022), its universal watermark, with the editors at once instead of one after another; the
    result is kept within the ball at every step.
    """
    delta = torch.empty(1, *x.shape[1:]).uniform_(-eps, eps, generator=generator).to(device)
    running = torch.zeros_like(delta)
    for step in range(steps):
        faces = x[torch.randint(len(x), (batch,), generator=generator)].to(device).float() / 255
        slope = torch.zeros_like(delta)
        for manipulator in manipulators.values():
            attribute = torch.randint(len(manipulator.attributes), (batch,), generator=generator).to(device)
            leaf = delta.clone().requires_grad_()
            with torch.autocast(faces.device.type, dtype=torch.bfloat16, enabled=half):
                with torch.no_grad():
                    clean = manipulator.edit(faces, attribute).float()
                got = manipulator.edit((faces + leaf).clamp(0, 1), attribute).float()
            (found,) = torch.autograd.grad(surviving(got, clean, faces), leaf)
            slope -= found / found.abs().mean().clamp_min(1e-12)
        running = MOMENTUM * running + slope
        delta = (delta + eps / 12 * (1 - step / steps) * running.sign()).clamp(-eps, eps)
    return delta


@torch.no_grad()
def begin_with(protector: Protector, delta: Tensor, *, share: float = 0.85) -> None:
    """Let the encoder's pattern be the share `share`, in (0, 1), of a universal perturbation."""
    part = (delta[0] / protector.eps * share).to(protector.encoder.pattern)
    protector.encoder.pattern.copy_(torch.atanh(part) / PATTERN_RATE)
