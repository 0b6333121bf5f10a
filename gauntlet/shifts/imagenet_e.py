"""ImageNet-E: eleven edits of a picture with one masked object, of background, size, position and direction.

The steps stand beside this file: `imagenet_e_inpainting` takes the object out, `imagenet_e_geometry` changes it,
`imagenet_e_background` edits what is behind it. `SETTINGS` says what each setting asks of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import torch
from torch import Tensor

from gauntlet.shifts.imagenet_e_background import Prior, edit_background
from gauntlet.shifts.imagenet_e_geometry import (
    Placed,
    full_size,
    keep_place,
    random_direction,
    random_position,
    resize_to_rate,
)

Arrange = Callable[[np.ndarray, np.ndarray, np.random.Generator], Placed | None]
"""(x uint8 HWC, mask bool HW, generator) -> the object in its new place, or None where the picture is unusable."""


@dataclass(frozen=True)
class Setting:
    """One edit.

    Attributes:
        arrange: What happens to the object.
        direction: -1 smoother, 1 busier, 0 neither: lambda is this times its amount.
        swapped: Whether another picture's background takes the place of the own one.
        adversarial: Whether a classifier's gradient joins in.
    """

    arrange: Arrange
    direction: int = 0
    swapped: bool = False
    adversarial: bool = False


def _same(x: np.ndarray, mask: np.ndarray, _: np.random.Generator) -> Placed:
    return keep_place(x, mask)


def _full(x: np.ndarray, mask: np.ndarray, _: np.random.Generator) -> Placed:
    return full_size(x, mask)


def _sized(x: np.ndarray, mask: np.ndarray, _: np.random.Generator, *, rate: float) -> Placed | None:
    return resize_to_rate(x, mask, rate=rate)


SETTINGS: dict[str, Setting] = {
    "inver": Setting(_same),
    "background_smooth": Setting(_same, direction=-1),
    "background_complex": Setting(_same, direction=1),
    "background_adversarial": Setting(_same, direction=1, adversarial=True),
    "background_random": Setting(_same, swapped=True),
    "size_full": Setting(_full),
    "size_0.1": Setting(partial(_sized, rate=0.1)),
    "size_0.08": Setting(partial(_sized, rate=0.08)),
    "size_0.05": Setting(partial(_sized, rate=0.05)),
    "position": Setting(lambda x, mask, generator: random_position(x, mask, generator=generator)),
    "direction": Setting(lambda x, mask, generator: random_direction(x, mask, generator=generator)),
}
"""Each setting by its slug; `gauntlet.metrics.imagenet_e.SETTINGS` has the paper's names in the same order."""


def crop_to(background: np.ndarray, *, size: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Cut a random part of `size`'s shape from a picture and scale it: uint8 HWC in, uint8 of `size` (H, W) out."""
    height, width = background.shape[:2]
    largest = min(height / size[0], width / size[1])
    rows, columns = max(1, int(size[0] * largest)), max(1, int(size[1] * largest))
    top, left = int(generator.integers(height - rows + 1)), int(generator.integers(width - columns + 1))
    part = background[top : top + rows, left : left + columns]
    return cv2.resize(part, size[::-1], interpolation=cv2.INTER_AREA if largest > 1 else cv2.INTER_LINEAR)


def render(
    placed: Sequence[Placed],
    backgrounds: np.ndarray,
    *,
    amount: float,
    steps: int,
    prior: Prior,
    generator: torch.Generator,
    classifier: Callable[[Tensor], Tensor] | None = None,
    y: Tensor | None = None,
    classifier_scale: float = 1.0,
    device: str = "cpu",
) -> np.ndarray:
    """Lay objects over their edited backgrounds.

    Args:
        placed: B objects in their frames.
        backgrounds: Pictures without objects, uint8 BHWC.
        amount: Lambda; also `steps`, `prior`, `generator`, `classifier`, `y`, `classifier_scale`: see
            `gauntlet.shifts.imagenet_e_background.edit_background`.
        device: Where the edit is computed.

    Returns:
        The edited pictures, uint8 BHWC, the objects' pixels exact inside their masks.
    """
    edited = edit_background(
        _floats(np.stack([one.image for one in placed])).to(device),
        torch.from_numpy(np.stack([one.coverage for one in placed]))[:, None].to(device),
        amount=amount,
        steps=steps,
        prior=prior,
        generator=generator,
        background=_floats(backgrounds).to(device),
        classifier=classifier,
        y=y,
        classifier_scale=classifier_scale,
    )
    return (edited * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def _floats(pictures: np.ndarray) -> Tensor:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
