"""Train a torchvision-style detector: one record an epoch, augmentation on boxes by mirroring, colour and scale."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gauntlet.training.state import TrainingState, finite, lend


@dataclass(frozen=True)
class Target:
    """The truth of one image.

    Attributes:
        boxes_xyxy: float32, n x 4, pixels.
        labels: int64, n, from 1.
    """

    boxes_xyxy: Tensor
    labels: Tensor


def augment(image: Tensor, target: Target, *, generator: torch.Generator) -> tuple[Tensor, Target]:
    """Mirror half of the images and change their contrast, brightness and colour balance.

    Args:
        image: float32, 3 x H x W in [0, 1].
        target: Its boxes.
        generator: Source of randomness.
    """
    chance = torch.rand(8, generator=generator)
    boxes = target.boxes_xyxy
    if chance[0] < 0.5:
        image = image.flip(-1)
        boxes = torch.stack([image.shape[-1] - boxes[:, 2], boxes[:, 1], image.shape[-1] - boxes[:, 0], boxes[:, 3]], 1)
    contrast, brightness = 0.7 + 0.6 * chance[1], 0.3 * (chance[2] - 0.5)
    tint = 1 + 0.3 * (chance[3:6] - 0.5)
    mean = image.mean()
    image = ((image - mean) * contrast + mean + brightness) * tint[:, None, None]
    if chance[6] < 0.2:
        image = image.mean(0, keepdim=True).expand(3, -1, -1)
    return image.clamp(0, 1), Target(boxes, target.labels)


def train_detector(
    state: TrainingState, images: Sequence[Tensor], targets: Sequence[Target], *, epochs: int, batch: int, device: str
) -> Iterator[dict]:
    """Train until `epochs` epochs are done.

    Args:
        state: A run, fresh or resumed.
        images: N images, uint8, 3 x H x W, of any sizes.
        targets: N truths.
        epochs: Epochs in all.
        batch: Images a step.
        device: Where the model is.

    Yields:
        After each epoch {"epoch", "loss"} with the mean loss of its batches.

    Raises:
        ArgumentError: The loss is no longer finite.
    """
    model = state.model
    while state.epoch < epochs:
        model.train()
        order = torch.randperm(len(images), generator=state.generator)
        losses = []
        for chosen in order.split(batch):
            pairs = [augment(images[n].float() / 255, targets[n], generator=state.generator) for n in chosen.tolist()]
            truth = [{"boxes": target.boxes_xyxy.to(device), "labels": target.labels.to(device)} for _, target in pairs]
            with lend(state.generator, device=device):
                loss = sum(model([image.to(device) for image, _ in pairs], truth).values())
            state.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            state.optimizer.step()
            state.scheduler.step()
            losses.append(finite(loss, epoch=state.epoch + 1))
        state.epoch += 1
        yield {"epoch": state.epoch, "loss": sum(losses) / len(losses)}
