"""Batches of training images changed on their device: crops, mirroring, Cutout, mixup, CutMix, AutoAugment.

`classification.Augmentation` is for photographs of any framing; this is what CIFAR's adversarial training uses.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.training.state import lend

POLICIES = ("cifar10", "imagenet", "svhn")


@dataclass(frozen=True)
class BatchAugmentation:
    """How training batches are changed; the default leaves them alone.

    Attributes:
        crop_px: Black border to which images are padded before a crop of their own size; 4 for CIFAR.
        mirror: Mirror half of the images; wrong for digits.
        cutout_px: Side of Cutout's black square, 0 for none (LAW: 4, Tiny ImageNet 6).
        mixup: Alpha of mixup's beta distribution, 0 for none.
        cutmix: Alpha of CutMix's, 0 for none. With both, each batch takes one of them, at even chance.
        mix_chance: Chance that a batch is mixed.
        auto_augment: A policy of POLICIES, or None. torchvision applies it image by image, which takes longer
            than a training step of a small network does.
    """

    crop_px: int = 0
    mirror: bool = False
    cutout_px: int = 0
    mixup: float = 0.0
    cutmix: float = 0.0
    mix_chance: float = 1.0
    auto_augment: str | None = None

    def __post_init__(self) -> None:
        if self.auto_augment is not None and self.auto_augment not in POLICIES:
            raise ArgumentError(f"auto_augment must be one of {', '.join(POLICIES)}; got {self.auto_augment!r}")
        for name in ("crop_px", "cutout_px", "mixup", "cutmix"):
            if getattr(self, name) < 0:
                raise ArgumentError(f"{name} must be at least 0; got {getattr(self, name)}")
        if not 0 <= self.mix_chance <= 1:
            raise ArgumentError(f"mix_chance must lie in [0, 1]; got {self.mix_chance}")


class Mixed(NamedTuple):
    """Images, float32 B x C x H x W in [0, 1], and soft labels, float32 B x K."""

    x: Tensor
    target: Tensor


def crop_and_mirror(x: Tensor, *, crop_px: int, mirror: bool, generator: torch.Generator) -> Tensor:
    """Pad each image with black, crop it back to its size at a random place, and mirror half of them.

    Args:
        x: B x C x H x W, any type.
        crop_px: Width of the border.
        mirror: Whether to mirror.
        generator: On the CPU.

    Returns:
        Like x.
    """
    batch, _, height, width = x.shape
    if crop_px:
        places = torch.randint(2 * crop_px + 1, (2, batch), generator=generator).to(x.device, non_blocking=True)
        windows = functional.pad(x, [crop_px] * 4).unfold(2, height, 1).unfold(3, width, 1)
        x = windows[torch.arange(batch, device=x.device), :, places[0], places[1]]
    if mirror:
        chosen = (torch.rand(batch, generator=generator) < 0.5).to(x.device, non_blocking=True)
        x = torch.where(chosen[:, None, None, None], x.flip(-1), x)
    return x


def cutout(x: Tensor, *, side_px: int, generator: torch.Generator) -> Tensor:
    """Blacken one square an image, whose centre lies anywhere, so that the border may cut it.

    Args:
        x: B x C x H x W.
        side_px: Side of the square; an odd one is taken one smaller, as in the released code.
        generator: On the CPU.

    Source: DeVries and Taylor 2017.
    """
    batch, _, height, width = x.shape
    centre = torch.rand(2, batch, 1, generator=generator).to(x.device, non_blocking=True)
    half, inside = side_px // 2, []
    for share, size in zip(centre, (height, width), strict=True):
        offset = torch.arange(size, device=x.device) - (share * size).floor()
        inside.append((offset >= -half) & (offset < half))
    kept = ~(inside[0][:, :, None] & inside[1][:, None, :])
    return x * kept[:, None]  # unlike masked_fill, this keeps the memory format


def mixup(x: Tensor, target: Tensor, *, alpha: float, generator: torch.Generator) -> Mixed:
    """Average each image and its label with its neighbour's, by one share a batch drawn from Beta(alpha, alpha).

    Args:
        x: float32, B x C x H x W, in random order.
        target: B x K.
        alpha: Positive.
        generator: On the CPU.

    Source: Zhang et al. 2018.
    """
    share = float(_numbers(generator).beta(alpha, alpha))
    return Mixed(torch.lerp(x.roll(1, 0), x, share), torch.lerp(target.roll(1, 0), target, share))


def cutmix(x: Tensor, target: Tensor, *, alpha: float, generator: torch.Generator) -> Mixed:
    """Paste one rectangle a batch from each image's neighbour, and mix the labels by the area that is left.

    Args:
        x: float32, B x C x H x W, in random order.
        target: B x K.
        alpha: Positive; the rectangle's share of the area is drawn from Beta(alpha, alpha).
        generator: On the CPU.

    Source: Yun et al. 2019.
    """
    numbers, (height, width) = _numbers(generator), x.shape[-2:]
    side = np.sqrt(1 - numbers.beta(alpha, alpha))
    row, column = int(numbers.integers(height)), int(numbers.integers(width))
    half_h, half_w = int(side * height) // 2, int(side * width) // 2
    top, bottom = max(0, row - half_h), min(height, row + half_h)
    left, right = max(0, column - half_w), min(width, column + half_w)
    x = x.clone()
    x[:, :, top:bottom, left:right] = x.roll(1, 0)[:, :, top:bottom, left:right]
    kept = 1 - (bottom - top) * (right - left) / (height * width)
    return Mixed(x, torch.lerp(target.roll(1, 0), target, kept))


MIXTURES: dict[str, Callable[..., Mixed]] = {f.__name__: f for f in (mixup, cutmix)}


def auto_augment(x: Tensor, *, policy: str, generator: torch.Generator) -> Tensor:
    """Apply AutoAugment's policy to each image.

    Args:
        x: uint8, B x 3 x H x W.
        policy: One of POLICIES.
        generator: On the CPU.

    Source: Cubuk et al. 2019, through torchvision.
    """
    from torchvision.transforms import v2  # optional: the rest of the package runs on torch alone

    transform = v2.AutoAugment(v2.AutoAugmentPolicy(policy))
    with lend(generator, device="cpu"):
        return torch.stack([transform(image) for image in x])


def augment(
    x: Tensor,
    y: Tensor,
    how: BatchAugmentation,
    *,
    classes: int,
    generator: torch.Generator,
    channels_last: bool = False,
) -> Mixed:
    """Turn a batch as it is stored into what is trained on.

    Args:
        x: uint8, B x C x H x W.
        y: int64, B.
        how: What to do.
        classes: K.
        generator: On the CPU.
        channels_last: Memory format of the result.
    """
    if how.auto_augment:
        x = auto_augment(x, policy=how.auto_augment, generator=generator)
    x = crop_and_mirror(x, crop_px=how.crop_px, mirror=how.mirror, generator=generator)
    if how.cutout_px:
        x = cutout(x, side_px=how.cutout_px, generator=generator)
    # Bytes are moved about, not floats: black is black in either.
    x = x.contiguous(memory_format=torch.channels_last if channels_last else torch.contiguous_format)
    x = x.float().div_(255)
    target = functional.one_hot(y, classes).float()
    mixtures = [name for name in MIXTURES if getattr(how, name)]
    if mixtures and float(torch.rand((), generator=generator)) < how.mix_chance:
        name = mixtures[int(torch.randint(len(mixtures), (), generator=generator))]
        return MIXTURES[name](x, target, alpha=getattr(how, name), generator=generator)
    return Mixed(x, target)


def _numbers(generator: torch.Generator) -> np.random.Generator:
    """Return numpy's generator, which has a beta distribution, seeded by one draw."""
    return np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
