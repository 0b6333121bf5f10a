"""Train a classifier: one record an epoch; crops, colour, mixing and label smoothing as the settings ask."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from gauntlet.training.state import TrainingState, finite, lend


@dataclass(frozen=True)
class Augmentation:
    """How strongly training images are changed; zero everywhere leaves them alone but for mirroring.

    Attributes:
        crop: Side of the smallest crop as a share of the image, so 1 crops nothing; smaller ones zoom in.
        zoom_out: Greatest factor by which the image is shrunk into its own reflected border, so 1 shrinks nothing.
        turn_degrees: Greatest rotation to either side.
        colour: Strength of contrast, brightness and tint changes, in [0, 1].
        grey: Chance that the colour is taken away.
        erase: Chance that a rectangle is replaced by noise.
        object_crop: Chance that the image is cropped to its object's box first.
    """

    crop: float = 1.0
    zoom_out: float = 1.0
    turn_degrees: float = 0.0
    colour: float = 0.0
    grey: float = 0.0
    erase: float = 0.0
    object_crop: float = 0.0


def boxes_of(masks: Tensor) -> Tensor:
    """Return the box around each mask in normalised coordinates.

    Args:
        masks: bool, N x H x W, none of them empty.

    Returns:
        float32, N x 4: centre x, centre y, half width, half height, where the frame spans [-1, 1].
    """
    _, height, width = masks.shape
    columns, rows = masks.any(1), masks.any(2)
    left, right = columns.int().argmax(1), width - columns.flip(1).int().argmax(1)
    top, bottom = rows.int().argmax(1), height - rows.flip(1).int().argmax(1)
    x0, x1 = 2 * left / width - 1, 2 * right / width - 1
    y0, y1 = 2 * top / height - 1, 2 * bottom / height - 1
    return torch.stack([(x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2, (y1 - y0) / 2], 1)


def augment(x: Tensor, boxes: Tensor, how: Augmentation, *, size_px: int, generator: torch.Generator) -> Tensor:
    """Crop, turn, mirror, recolour and erase a batch.

    Args:
        x: float32, B x 3 x H x W in [0, 1].
        boxes: B x 4, the objects, as `boxes_of` gives them.
        how: Strengths.
        size_px: Side of the result.
        generator: On the CPU.

    Returns:
        float32, B x 3 x size_px x size_px in [0, 1].
    """
    batch = len(x)

    def chance(*shape: int) -> Tensor:
        return torch.rand(batch, *shape, generator=generator).to(x.device)

    scale = how.crop + (how.zoom_out - how.crop) * chance()
    scale_xy = torch.stack([scale, scale], 1)
    centre = (1 - scale).clamp_min(0)[:, None] * (2 * chance(2) - 1)
    near = chance() < how.object_crop
    margin = 1.1 + 0.9 * chance()
    side = boxes[:, 2:].max(1).values * margin
    scale_xy = torch.where(near[:, None], side[:, None].expand(-1, 2), scale_xy)
    centre = torch.where(near[:, None], boxes[:, :2] + 0.2 * side[:, None] * (2 * chance(2) - 1), centre)
    angle = torch.deg2rad(how.turn_degrees * (2 * chance() - 1))
    mirror = torch.where(chance() < 0.5, -1.0, 1.0)
    cosine, sine = angle.cos(), angle.sin()
    row_x = torch.stack([scale_xy[:, 0] * cosine * mirror, -scale_xy[:, 0] * sine, centre[:, 0]], 1)
    row_y = torch.stack([scale_xy[:, 1] * sine * mirror, scale_xy[:, 1] * cosine, centre[:, 1]], 1)
    grid = functional.affine_grid(torch.stack([row_x, row_y], 1), [batch, 3, size_px, size_px], align_corners=False)
    x = functional.grid_sample(x, grid, padding_mode="reflection", align_corners=False)
    if how.colour:
        contrast = 1 + how.colour * (2 * chance(1, 1, 1) - 1)
        tint = 1 + how.colour * (chance(3, 1, 1) - 0.5)
        brightness = 0.4 * how.colour * (2 * chance(1, 1, 1) - 1)
        x = ((x - 0.5) * contrast + 0.5 + brightness) * tint
    if how.grey:
        x = torch.where((chance() < how.grey)[:, None, None, None], x.mean(1, keepdim=True), x)
    if how.erase:
        x = _erase(x, chance, share=how.erase)
    return x.clamp(0, 1)


def _erase(x: Tensor, chance, *, share: float) -> Tensor:
    size = x.shape[-1]
    grid = torch.arange(size, device=x.device)
    begin, length = chance(2) * size, (0.15 + 0.3 * chance(2)) * size
    inside = (grid >= begin[..., None]) & (grid < (begin + length)[..., None])
    hole = inside[:, 0, :, None] & inside[:, 1, None, :] & (chance() < share)[:, None, None]
    return torch.where(hole[:, None], chance(3, 1, 1), x)


@torch.inference_mode()
def top1(model: torch.nn.Module, x: Tensor, labels: Tensor, *, batch: int, device: str) -> float:
    """Return the share of images whose greatest logit is the true class.

    Args:
        model: Pixels in [0, 1] to logits.
        x: uint8, N x 3 x H x W.
        labels: int64, N.
        batch: Images at a time.
        device: Where the model is.
    """
    model.eval()
    right = 0
    for images, truth in zip(x.split(batch), labels.split(batch), strict=True):
        right += (model(images.to(device).float() / 255).argmax(1).cpu() == truth).sum().item()
    return right / len(x)


def train_classifier(
    state: TrainingState,
    x: Tensor,
    labels: Tensor,
    *,
    boxes: Tensor,
    how: Augmentation,
    size_px: int,
    smoothing: float,
    epochs: int,
    batch: int,
    device: str,
) -> Iterator[dict]:
    """Train until `epochs` epochs are done.

    Args:
        state: A run, fresh or resumed.
        x: uint8, N x 3 x H x W.
        labels: int64, N.
        boxes: N x 4, the objects, as `boxes_of` gives them.
        how: Augmentation.
        size_px: Side of the training images.
        smoothing: Label smoothing, in [0, 1].
        epochs: Epochs in all.
        batch: Images a step.
        device: Where the model is.

    Yields:
        After each epoch {"epoch", "loss"}.

    Raises:
        ArgumentError: The loss is no longer finite.
    """
    model = state.model
    while state.epoch < epochs:
        model.train()
        losses = []
        for chosen in torch.randperm(len(x), generator=state.generator).split(batch):
            images = x[chosen].to(device).float() / 255
            images = augment(images, boxes[chosen].to(device), how, size_px=size_px, generator=state.generator)
            with lend(state.generator, device=device):
                logits = model(images)
            loss = functional.cross_entropy(logits, labels[chosen].to(device), label_smoothing=smoothing)
            state.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            state.optimizer.step()
            state.scheduler.step()
            losses.append(finite(loss, epoch=state.epoch + 1))
        state.epoch += 1
        yield {"epoch": state.epoch, "loss": sum(losses) / len(losses)}
