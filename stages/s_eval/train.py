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
        validation: Share of the training records kept for watching, in (0, 1), all records of a prompt together.
        explained: Share of the judge's records whose explanation is learnt too, in [0, 1]; of the others the verdict.
        precision: bfloat16 or float32, of the weights that stay.
    """

    lora_layers: int = Field(ge=1)
    rank: int = Field(ge=1)
    alpha: float = Field(gt=0)
    most_tokens: int = Field(ge=64)
    validation: float = Field(gt=0, lt=1)
    explained: float = Field(default=1.0, ge=0, le=1)
    precision: str = "bfloat16"


PRECISIONS = {"bfloat16": torch.bfloat16, "float32": torch.float32}


def run(params: Params, *, part: str, records: Path, chat_model: Path, model: Out) -> None:
    """Train on the records' train split and write the model folder; the held-out split is not looked at."""
    checkpoint = Checkpoint(
        f"s_eval-train@{part}", params=params, inputs={"records": records, "chat_model": chat_model}
    )
    chosen, precision = _choice(part, PARTS, "part"), _choice(params.precision, PRECISIONS, "precision")
    chat = read_chat_model(chat_model, dtype=precision, device=machine().device)
    generator = torch.Generator().manual_seed(params.seed)
    table = _table(records / f"{part}.parquet", explained=params.explained, generator=generator)
    taught = lessons(
        [chosen.conversation(row, chat) for row in table.itertuples()],
        chat.encode,
        most_tokens=params.most_tokens,
        first_share=chosen.first_share,
    )
    kept = _kept(table[chosen.grouped], share=params.validation, generator=generator)
    watched, learnt = (
        tuple(item for item, own in zip(taught.items, kept, strict=True) if own is side) for side in (True, False)
    )
    adapted = adapt(chat.model, layers=params.lora_layers, rank=params.rank, alpha=params.alpha, generator=generator)
    print(f"{len(learnt)} records, {sum(len(item.tokens) for item in learnt)} tokens", file=sys.stderr, flush=True)
    frozen, below = (freeze(adapted, taught.prefix, items, batch=params.batch) for items in (learnt, watched))
    state = begin(adapted.adapters(), params, items=len(learnt))
    history = fit(
        state,
        lambda: train_chat(
            state,
            adapted,
            frozen,
            items=learnt,
            batch=params.batch,
            epochs=params.epochs,
            tags=_tags(chat) if chosen.tagged else (),
        ),
        checkpoint=checkpoint,
        measure=_watch(chosen, chat, adapted, below=below, watched=watched, kinds=table[kept].kind, batch=params.batch),
        items=len(learnt),
    )
    write_merged(model, adapted, chat_model, history=history)
    checkpoint.clear()


def _choice(name: str, known: dict, what: str):
    if name not in known:
        raise ArgumentError(f"{what} must be one of {', '.join(known)}; got {name!r}; misspelt?")
    return known[name]


def _table(file: Path, *, explained: float, generator: torch.Generator) -> pd.DataFrame:
    """Read the records to train on, with explanations for a share of them."""
    table = pd.read_parquet(file)
    table = table[table.split == "train"]
    if "explanation" in table:
        silent = torch.rand(len(table), generator=generator).numpy() >= explained
        table = table.assign(explanation=table.explanation.mask(silent, ""))
    return table.assign(kind=table.kind if "kind" in table else "")


def _kept(groups: pd.Series, *, share: float, generator: torch.Generator) -> list[bool]:
    """Draw groups to be kept for watching until about a share of all rows are; say of each row whether it is."""
    names = groups.unique()
    order = names[torch.randperm(len(names), generator=generator).numpy()]
    counts = groups.value_counts()[order].cumsum()
    chosen = order[: min(len(order) - 1, max(1, int((counts <= share * len(groups)).sum())))]
    return groups.isin(chosen).tolist()


def _tags(chat: ChatModel) -> tuple[int, ...]:
    """Return the first token of each verdict."""
    tags = tuple(chat.encode(tag)[0] for tag in TAGS)
    if len(set(tags)) < len(TAGS):
        raise DataError(f"the tokenizer must begin {' and '.join(TAGS)} with different tokens; another chat model?")
    return tags


def _watch(
    part: Part,
    chat: ChatModel,
    adapted: Adapted,
    *,
    below: Frozen,
    watched: tuple[Lesson, ...],
    kinds: pd.Series,
    batch: int,
) -> Callable[[], dict[str, float]]:
    """Return what measures an epoch on the records kept for watching: of verdicts, recalls and accuracy by kind."""
    tags = _tags(chat)
    first = torch.tensor([int(one.tokens[one.answer]) for one in watched])

    def measure() -> dict[str, float]:
        measured = {"validation_loss": mean_loss(adapted, below, watched, batch=batch)}
        if part.tagged:
            guess = first_scores(adapted, below, watched, tags=tags, batch=batch).argmax(dim=1).cpu()
            for index, tag in enumerate(TAGS):
                hits = guess[first == tags[index]] == index
                measured[f"recall_{tag}"] = float(hits.float().mean().nan_to_num())
            truth = first.eq(tags[1]).long()
            by_kind = pd.Series((guess == truth).numpy(), index=kinds.index).groupby(kinds).mean()
            measured |= {f"accuracy_{kind}": float(value) for kind, value in by_kind.items() if kind}
        return measured

    return measure
