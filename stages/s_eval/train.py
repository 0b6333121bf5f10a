"""Train the testing model or the judge: adapters on the chat model's upper layers, merged and written in eight bits."""

import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from pydantic import Field

from gauntlet.errors import ArgumentError, DataError
from gauntlet.judges.critique_format import TAGS
from gauntlet.readers.chat_models import ChatModel, read_chat_model
from gauntlet.training.chat.loop import first_scores, mean_loss, train_chat
from gauntlet.training.chat.lora import Adapted, Frozen, adapt, freeze
from gauntlet.training.chat.records import Lesson, lessons
from stages import Out
from stages.checkpoint import Checkpoint
from stages.machine import machine
from stages.s_eval.merged import write_merged
from stages.s_eval.parts import PARTS, Part
from stages.training import Schedule, begin, fit


class Params(Schedule):
    """How a part is trained.

    Attributes:
        lora_layers: Upper layers that get adapters; the lower ones are computed once.
        rank: Of the adapters.
        alpha: Their scale is alpha / rank.
        most_tokens: Longest conversation.
        validation: Share of the training records that is kept for watching, in (0, 1).
        precision: bfloat16 or float32, of the weights that stay.
    """

    lora_layers: int = Field(ge=1)
    rank: int = Field(ge=1)
    alpha: float = Field(gt=0)
    most_tokens: int = Field(ge=64)
    validation: float = Field(gt=0, lt=1)
    precision: str = "bfloat16"


PRECISIONS = {"bfloat16": torch.bfloat16, "float32": torch.float32}


def run(params: Params, *, part: str, records: Path, chat_model: Path, model: Out) -> None:
    """Train on the records' train split and write the model folder; the held-out split is not looked at."""
    checkpoint = Checkpoint(
        f"s_eval-train@{part}", params=params, inputs={"records": records, "chat_model": chat_model}
    )
    chosen, precision = _choice(part, PARTS, "part"), _choice(params.precision, PRECISIONS, "precision")
    chat = read_chat_model(chat_model, dtype=precision, device=machine().device)
    table = pd.read_parquet(records / f"{part}.parquet")
    taught = lessons(
        [chosen.conversation(row, chat) for row in table[table.split == "train"].itertuples()],
        chat.encode,
        most_tokens=params.most_tokens,
        first_share=chosen.first_share,
    )
    generator = torch.Generator().manual_seed(params.seed)
    order = torch.randperm(len(taught.items), generator=generator).tolist()
    kept = max(1, round(params.validation * len(order)))
    watched, learnt = (tuple(taught.items[n] for n in part) for part in (order[:kept], order[kept:]))
    adapted = adapt(chat.model, layers=params.lora_layers, rank=params.rank, alpha=params.alpha, generator=generator)
    print(f"{len(learnt)} records, {sum(len(item.tokens) for item in learnt)} tokens", file=sys.stderr, flush=True)
    frozen, below = (freeze(adapted, taught.prefix, items, batch=params.batch) for items in (learnt, watched))
    state = begin(adapted.adapters(), params, items=len(learnt))
    history = fit(
        state,
        lambda: train_chat(state, adapted, frozen, learnt, batch=params.batch, epochs=params.epochs),
        checkpoint=checkpoint,
        measure=_watch(chosen, chat, adapted, below, watched, batch=params.batch),
        items=len(learnt),
    )
    write_merged(model, adapted, chat_model, history=history)
    checkpoint.clear()


def _choice(name: str, known: dict, what: str):
    if name not in known:
        raise ArgumentError(f"{what} must be one of {', '.join(known)}; got {name!r}; misspelt?")
    return known[name]


def _watch(
    part: Part, chat: ChatModel, adapted: Adapted, below: Frozen, watched: tuple[Lesson, ...], *, batch: int
) -> Callable[[], dict[str, float]]:
    """Return what measures an epoch on the records kept for watching."""
    tags = tuple(chat.encode(tag)[0] for tag in TAGS)
    if len(set(tags)) < len(TAGS):
        raise DataError(f"the tokenizer must begin {' and '.join(TAGS)} with different tokens; another chat model?")
    first = torch.tensor([int(one.tokens[one.answer]) for one in watched])

    def measure() -> dict[str, float]:
        measured = {"validation_loss": mean_loss(adapted, below, watched, batch=batch)}
        if part.tagged:
            guess = first_scores(adapted, below, watched, tags=tags, batch=batch).argmax(dim=1).cpu()
            for index, tag in enumerate(TAGS):
                hits = guess[first == tags[index]] == index
                measured[f"recall_{tag}"] = float(hits.float().mean().nan_to_num())
        return measured

    return measure
