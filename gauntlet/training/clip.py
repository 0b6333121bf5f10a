"""Contrastive pre-training of a CLIP on pictures and captions."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import OneCycleLR

from gauntlet.errors import ArgumentError
from gauntlet.models.clip import MEAN, STD, encode_tokens
from gauntlet.training.state import TrainingState, finite

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
GREATEST_SCALE = math.log(100)
"""The logit scale's logarithm stays under it, as in the paper."""


class Concept(NamedTuple):
    """One thing that is known of every picture, and how it is said: the whole vocabulary is each picture's negatives.

    Attributes:
        tokens: int64, templates x K x T: K words in each of the templates.
        of: int64, N: which of the K words is right for each picture.
    """

    tokens: Tensor
    of: Tensor


def contrastive_loss(image_features: Tensor, text_features: Tensor, *, logit_scale: Tensor, same: Tensor) -> Tensor:
    """Return the symmetric contrastive loss, in which equal captions are all right.

    Args:
        image_features: B x D, of length 1.
        text_features: B x D, of length 1; row n belongs to image n.
        logit_scale: A positive scalar.
        same: bool, B x B: whether captions i and j are equal; true on the diagonal, symmetric.

    Returns:
        The mean of both directions' cross-entropy, the target being spread evenly over the equal captions.

    Source: Radford et al., ICML 2021, figure 3, where each caption is right for one picture alone; in a small world
        captions repeat, and a repeated one is no negative.
    """
    logits = logit_scale * image_features @ text_features.T
    target = same.to(logits.dtype)
    target = target / target.sum(1, keepdim=True)
    return (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2


def vary(x: Tensor, *, side_px: int, least: float, light: float, generator: torch.Generator) -> Tensor:
    """Cut a random part of each picture, scale it back, mirror half of them and change their light.

    Args:
        x: float32, B x 3 x H x W in [0, 1].
        side_px: Of what comes out.
        least: Smallest side of the part as a share of the picture's, in (0, 1].
        light: Greatest change of brightness and of contrast, in [0, 1).
        generator: On the CPU.

    Returns:
        B x 3 x side_px x side_px, channels last.

    Raises:
        ArgumentError: A share out of range.
    """
    if not 0 < least <= 1 or not 0 <= light < 1:
        raise ArgumentError(f"least must lie in (0, 1] and light in [0, 1); got {least}, {light}")
    batch = len(x)
    chance = torch.rand(7, batch, generator=generator).to(x.device)
    sides = least + (1 - least) * chance[:2]
    centres = (1 - sides) * (2 * chance[2:4] - 1)
    mirror = torch.where(chance[4] < 0.5, -1.0, 1.0)
    theta = torch.zeros(batch, 2, 3, device=x.device)
    theta[:, 0, 0], theta[:, 1, 1] = sides[0] * mirror, sides[1]
    theta[:, 0, 2], theta[:, 1, 2] = centres
    grid = functional.affine_grid(theta, [batch, 3, side_px, side_px], align_corners=False)
    x = functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
    brightness, contrast = 1 + light * (2 * chance[5:] - 1)[..., None, None, None]
    mean = x.mean((1, 2, 3), keepdim=True)
    return ((x - mean) * contrast + mean * brightness).clamp(0, 1).contiguous(memory_format=torch.channels_last)


def start_clip(
    model: nn.Module,
    *,
    lr: float,
    attention_lr: float,
    weight_decay: float,
    batches: int,
    epochs: int,
    generator: torch.Generator,
) -> TrainingState:
    """Begin a run with AdamW and a one-cycle schedule, the pooling's queries and keys at a rate of their own.

    Args:
        model: As `open_clip.CLIP`, on its device.
        lr: Peak learning rate.
        attention_lr: Of the projections to queries and keys. At the towers' rate they settle within some hundred steps:
            each head then looks at one place, and nothing later moves it.
        weight_decay: On all weights but biases and norms.
        batches: Batches an epoch.
        epochs: Epochs in all; zero starts a run that is already over.
        generator: On the CPU; orders and augments the data.
    """
    attention = [p for name, p in model.named_parameters() if "attnpool.q_proj" in name or "attnpool.k_proj" in name]
    slow = set(attention)
    rest = [p for p in model.parameters() if p.requires_grad and p not in slow]
    groups = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
        {"params": attention, "weight_decay": weight_decay},
    ]
    rates = [lr, lr, attention_lr]
    if not attention:
        groups, rates = groups[:2], rates[:2]
    optimizer = torch.optim.AdamW(groups, lr=lr, fused=True)
    scheduler = OneCycleLR(optimizer, rates, total_steps=max(2, batches * epochs + 1), pct_start=0.15)
    return TrainingState(model, optimizer, scheduler, generator)


def train_clip(
    state: TrainingState,
    x: Tensor,
    tokens: Tensor,
    *,
    epochs: int,
    batch: int,
    side_px: int,
    small_px: int = 0,
    small_epochs: int = 0,
    least: float = 0.6,
    light: float = 0.3,
    precision: str = "float32",
    concepts: Sequence[Concept] = (),
    device: str = "cpu",
) -> Iterator[dict]:
    """Train both towers until `epochs` epochs are done.

    To the loss over captions comes, for each concept, the cross-entropy of the picture against all its words, in a
    template that is drawn anew each step.

    Args:
        state: A run, fresh or resumed, whose model is an `open_clip.CLIP` or like one.
        x: N pictures, uint8, 3 x H x W.
        tokens: int64, N x T: their captions.
        epochs: Epochs in all.
        batch: Pairs a step, at least 2; the rest of an epoch that fills no batch is left out.
        side_px: Side of the pictures that the model takes.
        small_px: Side in the first epochs, which are the cheaper for it.
        small_epochs: How many those are.
        least: As for `vary`.
        light: As for `vary`.
        precision: A key of PRECISIONS, of the image tower's passes; weights and all else stay float32.
        concepts: What else is known of the pictures.
        device: Where the model is.

    Yields:
        After each epoch {"epoch", "loss", "matched"}: means over batches; matched is the share of pictures whose
        likeliest caption in the batch is theirs.

    Raises:
        ArgumentError: Too few pairs for a batch, an unknown precision, a bad side, a concept of other pictures, or a
            loss that is no longer finite.

    Source: Radford et al., ICML 2021, section 2, whose batch of 32,768 holds every name; `concepts` stand in for it.
    """
    if precision not in PRECISIONS:
        raise ArgumentError(f"precision must be one of {', '.join(PRECISIONS)}; got {precision!r}")
    if not 2 <= batch <= len(x) or len(x) != len(tokens):
        raise ArgumentError(
            f"batch must lie in 2..pairs and each picture have a caption; got {batch}, {len(x)} pictures"
        )
    if wrong := [len(concept.of) for concept in concepts if len(concept.of) != len(x)]:
        raise ArgumentError(f"a concept must tell of each of the {len(x)} pictures; got one of {wrong[0]}")
    if small_epochs and not 1 <= small_px <= side_px:
        raise ArgumentError(f"small_px must lie in 1..{side_px} for the small epochs; got {small_px}")
    model = state.model
    mean, std = (torch.tensor(values, device=device)[:, None, None] for values in (MEAN, STD))
    while state.epoch < epochs:
        model.train()
        side = small_px if state.epoch < small_epochs else side_px
        order = torch.randperm(len(x), generator=state.generator)
        records = []
        for chosen in order.split(batch)[: len(x) // batch]:
            pictures = x[chosen].to(device).float() / 255
            pictures = vary(pictures, side_px=side, least=least, light=light, generator=state.generator)
            captions, of = tokens[chosen].to(device).unique(dim=0, return_inverse=True)
            vocabularies = [_drawn(concept, state.generator).to(device) for concept in concepts]
            with torch.autocast(torch.device(device).type, PRECISIONS[precision], enabled=precision != "float32"):
                image_features = model.visual((pictures - mean) / std)
            image_features = functional.normalize(image_features.float(), dim=-1)
            said = functional.normalize(encode_tokens(model, torch.cat([captions, *vocabularies])), dim=-1)
            said, *words = said.split([len(captions), *map(len, vocabularies)])
            text_features, same, scale = said[of], of[:, None] == of, model.logit_scale.exp()
            loss = contrastive_loss(image_features, text_features, logit_scale=scale, same=same)
            for concept, features in zip(concepts, words, strict=True):
                right = concept.of[chosen].to(device)
                loss = loss + functional.cross_entropy(scale * image_features @ features.T, right)
            state.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            state.optimizer.step()
            state.scheduler.step()
            with torch.no_grad():
                model.logit_scale.clamp_(0, GREATEST_SCALE)
                best = (image_features @ text_features.T).argmax(1, keepdim=True)
                records.append((finite(loss, epoch=state.epoch + 1), same.gather(1, best).float().mean().item()))
        state.epoch += 1
        loss, matched = (sum(values) / len(records) for values in zip(*records, strict=True))
        yield {"epoch": state.epoch, "loss": loss, "matched": matched}


def _drawn(concept: Concept, generator: torch.Generator) -> Tensor:
    return concept.tokens[int(torch.randint(len(concept.tokens), (), generator=generator))]
