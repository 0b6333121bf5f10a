"""Training a recogniser by any of the methods: Adam, a tri-stage schedule, one record an epoch."""

from collections.abc import Iterator

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from gauntlet.errors import ArgumentError
from gauntlet.training.state import TrainingState, finite, lend
from gauntlet.training.wapat.methods import METHODS, Setting
from gauntlet.training.wapat.speech import Speech


def tri_stage(
    optimizer: torch.optim.Optimizer,
    *,
    steps: int,
    shares: tuple[float, float, float] = (0.1, 0.4, 0.5),
    first: float = 0.01,
    last: float = 0.05,
) -> LambdaLR:
    """Rise in a line from `first` to the optimiser's rate, hold it, decay exponentially to `last` of it.

    Source: fairseq's tri_stage schedule, which WAPAT's recipe uses.
    """
    warm, held = shares[0] * steps, (shares[0] + shares[1]) * steps

    def factor(step: int) -> float:
        if step < warm:
            return first + (1 - first) * step / warm
        return 1.0 if step < held else last ** min(1.0, (step - held) / max(steps - held, 1e-9))

    return LambdaLR(optimizer, factor)


def start_recognizer(
    recognizer: nn.Module,
    *,
    lr: float,
    head_lr: float | None = None,
    weight_decay: float,
    steps: int,
    generator: torch.Generator,
) -> TrainingState:
    """Begin a run with Adam and the tri-stage schedule.

    Args:
        recognizer: On its device; the weights that require a gradient train.
        lr: Highest learning rate.
        head_lr: That of the last layer, whose module is named "head" or "..._head"; None takes lr. A fresh head on
            layers that know speech has more to learn than they.
        weight_decay: At least 0; the paper has none.
        steps: Updates in all.
        generator: On the CPU; orders, augments, starts the adversaries.
    """
    parts: dict[bool, list[nn.Parameter]] = {False: [], True: []}
    for name, weight in recognizer.named_parameters():
        if weight.requires_grad:
            parts[head_lr is not None and name.rpartition(".")[0].endswith("head")].append(weight)
    groups = [{"params": part, "lr": head_lr if head else lr} for head, part in parts.items() if part]
    optimizer = torch.optim.Adam(groups, lr=lr, betas=(0.9, 0.98), eps=1e-8, weight_decay=weight_decay, fused=True)
    return TrainingState(recognizer, optimizer, tri_stage(optimizer, steps=max(1, steps)), generator)


def train_recognizer(
    state: TrainingState,
    speech: Speech,
    *,
    method: str,
    setting: Setting,
    epochs: int,
    clip_norm: float | None = None,
) -> Iterator[dict]:
    """Train until all epochs are done.

    Args:
        state: From `start_recognizer`, over len(speech.slots) x epochs updates.
        speech: Utterances whose texts fit their frames.
        method: A key of METHODS.
        setting: Of the run.
        epochs: In all, those done before a resumption counted.
        clip_norm: Greatest norm of the gradient, or None (the paper's recipe).

    Yields:
        {"epoch", "loss", "changed", "passes", "unguided"} an epoch: mean loss, that of the utterances as the method
        changed them, forward and backward passes of the body over an utterance, in pairs, and utterances without
        guidance.

    Raises:
        ArgumentError: There is no such method, or the loss is no longer finite.
    """
    if method not in METHODS:
        raise ArgumentError(f"the method must be one of {', '.join(METHODS)}; got {method!r}; misspelt?")
    while state.epoch < epochs:
        state.model.train()
        total = changed = torch.zeros((), device=speech.device)
        passes, unguided = 0.0, 0
        batches = speech.epoch(state.generator)
        for batch in batches:
            # A seed an update: a method that draws more must not change what the next update sees.
            seed = int(torch.randint(2**62, (), generator=state.generator))
            state.optimizer.zero_grad(set_to_none=True)
            with lend(torch.Generator().manual_seed(seed), device=speech.device):
                loss = METHODS[method](state.model, batch, setting, generator=torch.Generator().manual_seed(seed + 1))
            loss.value.backward()
            if clip_norm is not None:
                nn.utils.clip_grad_norm_(state.model.parameters(), clip_norm)
            state.optimizer.step()
            state.scheduler.step()
            total = total + loss.value.detach() * len(batch.texts)
            changed = changed + loss.changed * len(batch.texts)
            passes, unguided = passes + loss.passes * len(batch.texts), unguided + loss.unguided
        state.epoch += 1
        yield {
            "epoch": state.epoch,
            "loss": finite(total / len(speech), epoch=state.epoch),
            "changed": float(changed) / len(speech),
            "passes": passes / len(speech),
            "unguided": unguided,
        }
