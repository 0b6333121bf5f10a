"""The training loop of the IAP protector."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gauntlet.errors import ArgumentError
from gauntlet.metrics.disruption import disruption
from gauntlet.models.iap_face import quantise
from gauntlet.models.manipulators import Manipulator
from gauntlet.shifts.distortions import DISTORTIONS, distort
from gauntlet.training.iap_face.curriculum import Balance, Curriculum
from gauntlet.training.iap_face.losses import Phi, feature_correlation, image_loss, message_loss, surviving
from gauntlet.training.state import TrainingState, finite


@dataclass(frozen=True)
class Setting:
    """What the loss weighs, and what the pictures meet.

    Attributes:
        image: lambda_i, of fidelity.
        message: lambda_m, of the bits; 0 is a plain disruption.
        disruption: lambda_d; 0 is a plain watermark, and no editor is run.
        region: Of the share of edits that survive, within the disruption; 0 leaves IAP's correlation alone.
        floor: Of the balance of editors, in (0, 1]; 1 weighs all alike.
        distortions: Lowest and highest strength by distortion.
        curriculum: What is asked for when.
    """

    image: float = 0.1
    message: float = 10.0
    disruption: float = 1.0
    region: float = 8.0
    floor: float = 0.2
    distortions: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    curriculum: Curriculum = field(default_factory=Curriculum)

    def __post_init__(self) -> None:
        weights = (self.image, self.message, self.disruption, self.region)
        if min(weights) < 0:
            raise ArgumentError(f"image, message, disruption and region must be at least 0; got {min(weights)}")
        if not 0 < self.floor <= 1:
            raise ArgumentError(f"floor must be a share in (0, 1]; got {self.floor}")
        if unknown := sorted(set(self.distortions) - set(DISTORTIONS)):
            raise ArgumentError(f"distortions must be among {', '.join(DISTORTIONS)}; got {unknown[0]!r}; misspelt?")


@dataclass(frozen=True)
class Turn:
    """What the editors made of a batch: edits of the clean and the protected faces, and the loss of the disruption."""

    edited: Tensor
    loss: Tensor


def train_protector(
    state: TrainingState,
    x: Tensor,
    *,
    manipulators: Mapping[str, Manipulator],
    phi: Phi | None,
    setting: Setting,
    epochs: int,
    batch: int,
    half: bool = True,
) -> Iterator[dict]:
    """Train encoder and decoder together; one record an epoch.

    Args:
        state: The run; its model is a `Protector`, its `extra["balance"]` a `Balance` over the manipulators.
        x: uint8, N x 3 x H x W, at the protector's working size.
        manipulators: The editors to disrupt; none that is held out. Needed where the disruption weighs something.
        phi: Whose features are correlated; needed where the disruption weighs something.
        setting: Of the loss.
        epochs: In all.
        batch: Faces a step, at least one a manipulator.
        half: Compute in bfloat16.

    Yields:
        {"epoch", "image", "message", "disruption", "bit_accuracy", "success": {manipulator: rate}}, means of the epoch;
        the bit accuracy is that of all views together.

    Raises:
        ArgumentError: There is no editor to disrupt, or the loss is no longer finite.

    Source: IAP, its total loss and curriculum; constants ours. Each step draws one editor and one edit a face.
    """
    if setting.disruption and (not manipulators or phi is None):
        raise ArgumentError("a disruption needs manipulators and a face network; got none; disruption = 0 meant?")
    protector, balance, generator = state.model, state.extra["balance"], state.generator
    steps = math.ceil(len(x) / batch)
    device = next(protector.parameters()).device
    while state.epoch < epochs:
        sums = torch.zeros(4)
        for step, index in enumerate(torch.randperm(len(x), generator=generator).split(batch)):
            done = (state.epoch + step / steps) / epochs
            ramp = setting.curriculum.disruption(done) * setting.disruption
            faces = x[index].to(device).float() / 255
            message = torch.randint(0, 2, (len(index), protector.bits), generator=generator).float().to(device)
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=half):
                x_p = protector.protect(faces, message)
                views = [_distorted(x_p, setting, done, generator=generator)]
                against = x_p.new_zeros(())
                if ramp:
                    turn = _turn(manipulators, phi, setting, faces=faces, x_p=x_p, balance=balance, generator=generator)
                    views.append(_distorted(quantise(turn.edited), setting, done, generator=generator))
                    against = turn.loss
                logits = protector.decode(torch.cat(views)) if setting.message else None
            image = image_loss(x_p.float(), faces, eps=protector.eps)
            told = message_loss(logits.split(len(index)), message) if setting.message else image.new_zeros(())
            loss = setting.image * image + setting.message * told + ramp * against
            state.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(protector.parameters(), 5.0)
            state.optimizer.step()
            state.scheduler.step()
            right = _right(logits, message)
            sums += torch.stack([image.detach(), told.detach(), against.detach(), right]).cpu()
        state.epoch += 1
        means = [finite(each / steps, epoch=state.epoch) for each in sums]
        names = ("image", "message", "disruption", "bit_accuracy")
        yield {"epoch": state.epoch, **dict(zip(names, means, strict=True)), "success": balance.state()}


def _right(logits: Tensor | None, message: Tensor) -> Tensor:
    if logits is None:
        return torch.tensor(0.0)
    return ((logits > 0) == (message > 0.5).repeat(len(logits) // len(message), 1)).float().mean()


def _distorted(x: Tensor, setting: Setting, done: float, *, generator: torch.Generator) -> Tensor:
    """Distort a batch in two parts, each by a distortion and a strength of its own."""
    if not setting.distortions or not setting.curriculum.distorts(done):
        return x
    names, parts = list(setting.distortions), []
    for part in x.tensor_split(2):
        name = names[int(torch.randint(len(names), (), generator=generator))]
        low, high = setting.distortions[name]
        strength = low + (high - low) * float(torch.rand((), generator=generator))
        parts.append(distort(part, name, strength, generator=generator))
    return torch.cat(parts)


def _turn(
    manipulators: Mapping[str, Manipulator],
    phi: Phi,
    setting: Setting,
    *,
    faces: Tensor,
    x_p: Tensor,
    balance: Balance,
    generator: torch.Generator,
) -> Turn:
    """Let each editor edit its share of the batch, protected and clean."""
    edited, losses = [], []
    parts = zip(
        manipulators.items(),
        faces.tensor_split(len(manipulators)),
        x_p.tensor_split(len(manipulators)),
        strict=True,
    )
    for (name, manipulator), clean, protected in parts:
        attribute = torch.randint(len(manipulator.attributes), (len(clean),), generator=generator).to(clean.device)
        with torch.no_grad():
            truth = manipulator.edit(clean, attribute).float()
        got = manipulator.edit(protected, attribute).float()
        each = feature_correlation(phi, got, truth).mean()
        if setting.region:
            each = each + setting.region * surviving(got, truth, clean)
        rows = disruption(clean, truth, got.detach())
        balance.add(name, float(rows.disrupted.sum() / rows.changed.sum().clamp_min(1)))
        losses.append(each * balance.weight(name))
        edited.append(got)
    # The loss is a mean over faces and editors, each part as long as the others but for one face.
    return Turn(torch.cat(edited), torch.stack(losses).mean())
