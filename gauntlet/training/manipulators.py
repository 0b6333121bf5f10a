"""Training face editors, by the truth of their edits where it is known and against a critic, and the network phi."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from gauntlet.errors import ArgumentError
from gauntlet.models.critics import StarGanCritic
from gauntlet.models.manipulators import HAIR, edited_labels
from gauntlet.training.state import TrainingState, finite


@dataclass(frozen=True)
class Weights:
    """Weights of the losses; zero leaves one out.

    Attributes:
        paired: Of the L1 distance to the true edit.
        region: Of the same over the pixels that the true edit changes, a mean over each face's: else hair, which is
            large, drowns glasses. A face that the edit leaves alone counts as 0.
        reconstruction: Of the L1 distance to the picture under the empty code (AttGAN's), and after the edit and its
            undoing where an edit can be undone (StarGAN's cycle).
        adversarial: Of the critic's score.
        labels: Of the edited labels, by the critic's second head.
        penalty: Of the critic's gradient (WGAN-GP).
    """

    paired: float
    region: float
    reconstruction: float
    adversarial: float
    labels: float
    penalty: float = 10.0


@dataclass(frozen=True)
class FaceRows:
    """Faces to train on.

    Attributes:
        x: uint8, N x 3 x H x W.
        labels: bool, N x A.
        names: Of the attributes.
        edits: uint8, A x N x 3 x H x W, the truth of each edit; None where it is not known.
    """

    x: Tensor
    labels: Tensor
    names: tuple[str, ...]
    edits: Tensor | None

    def __len__(self) -> int:
        return len(self.x)


def face_rows(x: Tensor, labels: Tensor, names: tuple[str, ...], *, edits: Mapping[str, Tensor] | None) -> FaceRows:
    """Return what `gauntlet.readers.faces.Faces` holds, in the form that training takes."""
    return FaceRows(x, labels, names, None if edits is None else torch.stack([edits[name] for name in names]))


class CriticTurns:
    """A critic with its optimiser; a part of the state that a resumed run needs.

    Attributes:
        critic: Trained on each batch.
        optimizer: Adam, betas 0.5 and 0.999.
        turns: Steps of the critic for one of the generator.
    """

    def __init__(self, critic: StarGanCritic, *, lr: float, turns: int) -> None:
        self.critic, self.turns, self.done = critic, turns, 0
        self.optimizer = torch.optim.Adam(critic.parameters(), lr=lr, betas=(0.5, 0.999))

    def state(self) -> dict:
        """Return weights, momenta and the count of turns."""
        return {"critic": self.critic.state_dict(), "optimizer": self.optimizer.state_dict(), "done": self.done}

    def load(self, state: dict) -> None:
        """Take up where `state` left off."""
        self.critic.load_state_dict(state["critic"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.done = state["done"]

    def turn(self, part: "Part", fake: Tensor, *, weights: Weights, generator: torch.Generator) -> bool:
        """Train the critic on a batch and say whether the generator is due."""
        score, logits = self.critic(part.x)
        against, _ = self.critic(fake.detach())
        loss = against.mean() - score.mean()
        loss = loss + weights.labels * functional.binary_cross_entropy_with_logits(logits, part.labels.float())
        loss = loss + weights.penalty * gradient_penalty(self.critic, part.x, fake.detach(), generator=generator)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.done += 1
        return (self.done - 1) % self.turns == 0


def gradient_penalty(critic: nn.Module, real: Tensor, fake: Tensor, *, generator: torch.Generator) -> Tensor:
    """Return the mean square distance of the critic's slope from 1, halfway between real and fake pictures.

    Source: WGAN-GP, NeurIPS 2017, equation 3.
    """
    share = torch.rand(len(real), 1, 1, 1, generator=generator).to(real)
    between = (share * real + (1 - share) * fake).requires_grad_()
    (slope,) = torch.autograd.grad(critic(between)[0].sum(), between, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).square().mean()


@dataclass(frozen=True)
class Part:
    """A batch: x and truth on [-1, 1], labels before, edits as indices; truth is None where it is not known."""

    x: Tensor
    truth: Tensor | None
    labels: Tensor
    attribute: Tensor


def batches(rows: FaceRows, batch: int, *, generator: torch.Generator, device: str) -> Iterator[Part]:
    """Yield every face once in random order, each with a random edit, half of them mirrored."""
    for index in torch.randperm(len(rows), generator=generator).split(batch):
        attribute = torch.randint(len(rows.names), (len(index),), generator=generator)
        mirrored = torch.rand(len(index), 1, 1, 1, generator=generator) < 0.5
        x = _pixels(rows.x[index], mirrored).to(device)
        truth = None if rows.edits is None else _pixels(rows.edits[attribute, index], mirrored).to(device)
        yield Part(x, truth, rows.labels[index].to(device), attribute.to(device))


def _pixels(x: Tensor, mirrored: Tensor) -> Tensor:
    x = x.float() / 127.5 - 1
    return torch.where(mirrored, x.flip(3), x)


def editor_loss(network: nn.Module, part: Part, fake: Tensor, *, weights: Weights, names: tuple[str, ...]) -> Tensor:
    """Return the losses of a generator that need no critic."""
    code = functional.one_hot(part.attribute, len(names)).to(part.x.dtype)
    loss = fake.new_zeros(())
    if part.truth is not None:
        apart = (fake - part.truth).abs()
        region = ((part.truth - part.x).abs().sum(1, keepdim=True) > 0.1).to(apart.dtype)
        inside = (apart * region).flatten(1).sum(1) / (3 * region.flatten(1).sum(1)).clamp_min(1)
        loss = loss + weights.paired * apart.mean() + weights.region * inside.mean()
    if weights.reconstruction:
        same = (network(part.x, torch.zeros_like(code)).float() - part.x).abs().mean()
        loss = loss + weights.reconstruction * same
        if part.truth is None:
            loss = loss + weights.reconstruction * _cycle(network, part, fake, names=names)
    return loss


def _cycle(network: nn.Module, part: Part, fake: Tensor, *, names: tuple[str, ...]) -> Tensor:
    """Undo each edit: the earlier colour of hair, or the same turn again; a colour with no name is not undone."""
    after = edited_labels(part.labels, part.attribute, names)
    gone = part.labels & ~after
    back = torch.where(gone.any(1), gone.int().argmax(1), part.attribute)
    turns = torch.tensor([name.lower() not in HAIR for name in names], device=fake.device)[part.attribute]
    undone = gone.any(1) | turns
    code = functional.one_hot(back, len(names)).to(fake.dtype)
    apart = (network(fake, code).float() - part.x).abs().flatten(1).mean(1)
    return (apart * undone).sum() / undone.sum().clamp_min(1)


def train_editor(
    state: TrainingState, rows: FaceRows, *, weights: Weights, epochs: int, batch: int, half: bool = True
) -> Iterator[dict]:
    """Train a generator (x on [-1, 1], code B x A) to pixels on [-1, 1]; one record an epoch.

    Args:
        state: The run; `state.extra["critic"]` is a `CriticTurns` where there is an adversarial loss.
        rows: To train on; without the truth of edits an adversarial loss is needed.
        weights: Of the losses.
        epochs: In all; each takes every face once, with one edit.
        batch: Faces a step.
        half: Compute the generator in bfloat16.

    Yields:
        {"epoch", "loss"}, the mean of the generator's loss.

    Raises:
        ArgumentError: Nothing says what an edit is, or the loss is no longer finite.

    Source: StarGAN (CVPR 2018) and AttGAN (TIP 2019). Here the code names the edit, not all labels of the edited face,
    as STGAN (CVPR 2019) has it: nobody has to know the labels of the face. The paired losses are ours.
    """
    turns = state.extra.get("critic")
    if turns is None and (weights.adversarial or weights.labels or rows.edits is None):
        raise ArgumentError("an editor needs the truth of its edits, or adversarial and labels above 0 with a critic")
    device = next(state.model.parameters()).device.type
    while state.epoch < epochs:
        state.model.train()
        total = torch.zeros(())
        count = 0
        for part in batches(rows, batch, generator=state.generator, device=device):
            code = functional.one_hot(part.attribute, len(rows.names)).to(part.x.dtype)
            with torch.autocast(device, dtype=torch.bfloat16, enabled=half):
                fake = state.model(part.x, code).float()
                loss = editor_loss(state.model, part, fake, weights=weights, names=rows.names)
            if turns is not None:
                if not turns.turn(part, fake, weights=weights, generator=state.generator):
                    state.scheduler.step()
                    continue
                loss = loss + _critic_loss(turns.critic, part, fake, weights=weights, names=rows.names)
            state.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            state.optimizer.step()
            state.scheduler.step()
            total += loss.detach().cpu()
            count += 1
        state.epoch += 1
        yield {"epoch": state.epoch, "loss": finite(total / max(1, count), epoch=state.epoch)}


def _critic_loss(
    critic: StarGanCritic, part: Part, fake: Tensor, *, weights: Weights, names: tuple[str, ...]
) -> Tensor:
    score, logits = critic(fake)
    wanted = edited_labels(part.labels, part.attribute, names).float()
    told = functional.binary_cross_entropy_with_logits(logits, wanted)
    return weights.labels * told - weights.adversarial * score.mean()


def train_features(state: TrainingState, rows: FaceRows, *, epochs: int, batch: int) -> Iterator[dict]:
    """Train an attribute network (`gauntlet.models.face_features.FaceFeatures`) on faces and their true edits."""
    device = next(state.model.parameters()).device.type
    while state.epoch < epochs:
        state.model.train()
        total, count = torch.zeros(()), 0
        for part in batches(rows, batch, generator=state.generator, device=device):
            x, labels = part.x, part.labels
            if part.truth is not None:
                x = torch.cat([x, part.truth])
                labels = torch.cat([labels, edited_labels(labels, part.attribute, rows.names)])
            loss = functional.binary_cross_entropy_with_logits(state.model((x + 1) / 2), labels.float())
            state.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            state.optimizer.step()
            state.scheduler.step()
            total, count = total + loss.detach().cpu(), count + 1
        state.epoch += 1
        yield {"epoch": state.epoch, "loss": finite(total / max(1, count), epoch=state.epoch)}
