"""Training the adapters on the answers, and reading a tag's probability off the first token."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from gauntlet.training.chat.lora import Adapted, Frozen, upper
from gauntlet.training.chat.records import Lesson, bucketed
from gauntlet.training.state import TrainingState, finite


def answer_losses(
    adapted: Adapted, frozen: Frozen, items: list[tuple[int, Lesson]], *, tags: tuple[int, ...] = ()
) -> Tensor:
    """Return the weighted cross-entropy of each answer, and with tags that of its first token among them alone as well.

    Over the whole vocabulary a model first learns that it has to answer with a tag at all; among the tags it learns
    which from the first step on.

    Args:
        adapted: The model.
        frozen: States below the adapters.
        items: Lessons with their place in `frozen`.
        tags: First tokens of the verdicts, all different, one of them each answer's first; () for answers without.

    Returns:
        [B], float32, in nats.
    """
    hidden = upper(adapted, frozen.prefix, [frozen.items[index] for index, _ in items])
    # Logits over the whole vocabulary at the answers alone: elsewhere they would cost as much as a dozen layers.
    parts = [hidden[row, item.answer - 1 : len(item.tokens) - 1] for row, (_, item) in enumerate(items)]
    logits = adapted.lm.lm_head(adapted.lm.model.norm(torch.cat(parts))).float()
    truth = torch.cat([item.tokens[item.answer :] for _, item in items]).to(logits.device)
    weights = torch.cat([item.weights for _, item in items]).to(logits.device)
    losses = nn.functional.cross_entropy(logits, truth, reduction="none") * weights
    counts = [len(part) for part in parts]
    summed = torch.stack([part.sum() for part in losses.split(counts)])
    if not tags:
        return summed
    first = torch.tensor([0, *counts[:-1]], device=logits.device).cumsum(0)
    known = torch.tensor(tags, device=logits.device)
    right = (truth[first, None] == known).long().argmax(dim=1)
    return summed + nn.functional.cross_entropy(logits[first][:, known], right, reduction="none")


def train_chat(
    state: TrainingState,
    adapted: Adapted,
    frozen: Frozen,
    *,
    items: tuple[Lesson, ...],
    batch: int,
    epochs: int,
    tags: tuple[int, ...] = (),
    clip_norm: float = 1.0,
) -> Iterator[dict]:
    """Train until all epochs are done.

    Args:
        state: Over `adapted.adapters()`.
        adapted: The model.
        frozen: States of `items` below the adapters.
        items: What is learnt.
        batch: Items a step, at least 1.
        epochs: In all, those done before a resumption counted.
        tags: Of `answer_losses`.
        clip_norm: Greatest norm of the gradient.

    Yields:
        {"epoch", "loss"} an epoch: mean loss of an answer, in nats.

    Raises:
        ArgumentError: The loss is no longer finite.
    """
    lengths = [len(item.tokens) for item in items]
    while state.epoch < epochs:
        total = torch.zeros((), device=adapted.device)
        for chosen in bucketed(lengths, batch=batch, generator=state.generator):
            state.optimizer.zero_grad(set_to_none=True)
            losses = answer_losses(adapted, frozen, [(index, items[index]) for index in chosen], tags=tags)
            losses.mean().backward()
            nn.utils.clip_grad_norm_(state.model.parameters(), clip_norm)
            state.optimizer.step()
            state.scheduler.step()
            total = total + losses.detach().sum()
        state.epoch += 1
        yield {"epoch": state.epoch, "loss": finite(total / len(items), epoch=state.epoch)}


@torch.no_grad()
def mean_loss(adapted: Adapted, frozen: Frozen, items: tuple[Lesson, ...], *, batch: int) -> float:
    """Return the mean weighted cross-entropy of an answer, in nats."""
    numbered = list(enumerate(items))
    parts = [answer_losses(adapted, frozen, numbered[n : n + batch]) for n in range(0, len(items), batch)]
    return float(torch.cat(parts).mean())


@torch.no_grad()
def first_scores(
    adapted: Adapted, frozen: Frozen, items: tuple[Lesson, ...], *, tags: tuple[int, ...], batch: int
) -> Tensor:
    """Return how likely each tag is as the first token of the answer, among the tags.

    Args:
        adapted: The model.
        frozen: States of `items` below the adapters.
        items: Lessons; their answers are not looked at.
        tags: First token of each tag, all different.
        batch: Items at once; changes nothing but speed.

    Returns:
        [N, tags], each row sums to one.
    """
    scores = []
    for begin in range(0, len(items), batch):
        chosen = items[begin : begin + batch]
        hidden = upper(adapted, frozen.prefix, frozen.items[begin : begin + batch])
        last = torch.stack([hidden[row, item.answer - 1] for row, item in enumerate(chosen)])
        logits = adapted.lm.lm_head(adapted.lm.model.norm(last)).float()
        scores.append(logits[:, list(tags)].softmax(dim=1))
    return torch.cat(scores)
