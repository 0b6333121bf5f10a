"""Training a sentence classifier by any of the methods; one record an epoch."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from gauntlet.errors import ArgumentError
from gauntlet.models.sentence_encoder import SentenceClassifier, predictions
from gauntlet.training.fairberts.methods import METHODS, TURNS, Adversaries, Known, Setting
from gauntlet.training.fairberts.rows import Rows
from gauntlet.training.state import finite, lend


class Memory:
    """The newest detached states with what is known of them, for the discriminators' steps."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.held: tuple[Tensor, ...] = ()

    def add(self, state: Tensor, told: Known) -> None:
        """Add a batch; the oldest fall out."""
        fresh = (state, *told)
        whole = tuple(torch.cat(pair) for pair in zip(fresh, self.held, strict=True)) if self.held else fresh
        self.held = tuple(part[: self.size] for part in whole)

    def draw(self, rows: int, *, generator: torch.Generator) -> tuple[Tensor, Known]:
        """Return random rows."""
        index = torch.randint(len(self.held[0]), (rows,), generator=generator)
        state, *told = (part[index] for part in self.held)
        return state, Known(*told)


def parameter_groups(model: SentenceClassifier, *, lr: float, head_lr: float, setting: Setting) -> list[dict]:
    """Return what trains, each part at its rate: upper layers, classifier, generator; a frozen part is left out."""
    rates = {"upper": lr, "head": head_lr, "generator": setting.lr_generator}
    parts: dict[str, list[nn.Parameter]] = {part: [] for part in rates}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            parts[name.partition(".")[0]].append(weight)
    return [{"params": weights, "lr": rates[part]} for part, weights in parts.items() if weights]


def train_classifier(
    model: SentenceClassifier,
    rows: Rows,
    *,
    method: str,
    setting: Setting,
    epochs: int,
    batch: int,
    lr: float,
    head_lr: float,
    weight_decay: float,
    generator: torch.Generator,
) -> Iterator[dict]:
    """Train until all epochs are done; the rate falls in a line to zero.

    Args:
        model: On the CPU; the weights that require a gradient train.
        rows: To train on.
        method: A key of METHODS.
        setting: Of the run.
        epochs: In all.
        batch: Rows a step.
        lr: Of the upper layers.
        head_lr: Of the classifier.
        weight_decay: AdamW's.
        generator: On the CPU: order, dropout, the discriminators' first weights and rows.

    Yields:
        {"epoch", "loss", "adversary_loss"} an epoch; the last is the mean of the discriminators' own steps, 0 without.

    Raises:
        ArgumentError: There is no such method, or the loss is no longer finite.
    """
    if method not in METHODS:
        raise ArgumentError(f"the method must be one of {', '.join(METHODS)}; got {method!r}; misspelt?")
    with lend(generator, device="cpu"):
        adversaries = Adversaries(model.head.in_features, setting)
    turning = method in TURNS and setting.weight > 0
    if model.generator is not None and method == "fairberts" and not setting.weight:
        # With nothing to erase the method is the baseline, to the bit; the label would train the generator too.
        model.generator.requires_grad_(False)
    if turning and setting.whitened:
        begin = predictions(model, rows.states).states
        for each in adversaries:
            each.whiten(begin)
    groups = parameter_groups(model, lr=lr, head_lr=head_lr, setting=setting)
    optimizer = torch.optim.AdamW(groups, weight_decay=weight_decay, fused=True)
    against = torch.optim.AdamW(
        adversaries.parameters(), lr=setting.adversary_lr, weight_decay=setting.adversary_decay, fused=True
    )
    steps = max(1, epochs * -(-len(rows.y) // batch))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0.0, 1 - step / steps))
    memory = Memory(setting.memory)
    for epoch in range(1, epochs + 1):
        model.train()
        adversaries.eval()
        total, guessed, turns = 0.0, 0.0, 0
        for part in rows.batches(batch, generator=generator):
            with lend(generator, device="cpu"):
                step = METHODS[method](model, part, setting, adversaries=adversaries)
                optimizer.zero_grad(set_to_none=True)
                adversaries.zero_grad(set_to_none=True)
                step.loss.backward()
                nn.utils.clip_grad_norm_((weight for group in groups for weight in group["params"]), 1.0)
                optimizer.step()
                schedule.step()
            total += float(step.loss.detach()) * len(part.y)
            if not turning:
                continue
            memory.add(step.state, step.told)
            adversaries.train()
            for _ in range(setting.adversary_steps):
                state, told = memory.draw(batch, generator=generator)
                with lend(generator, device="cpu"):
                    loss = adversaries.loss(state, told)
                against.zero_grad(set_to_none=True)
                loss.backward()
                against.step()
                guessed, turns = guessed + float(loss.detach()) / len(adversaries), turns + 1
            adversaries.eval()
        yield {
            "epoch": epoch,
            "loss": finite(torch.tensor(total / len(rows.y)), epoch=epoch),
            "adversary_loss": guessed / max(1, turns),
        }
