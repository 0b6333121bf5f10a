"""Make the records that the testing model and the judge learn from, with the embedded chat model.

The judge's labels are known by construction, split by prompt and by phrasing; `gauntlet.training.chat.known_answers`
says how, kind by kind, and where a label is weak. Held-out records are for measuring alone.
"""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import Field, NonNegativeInt

from gauntlet.errors import ArgumentError
from gauntlet.readers.taxonomy import read_taxonomy
from gauntlet.training.chat.known_answers import KINDS, known_answers
from stages import Out
from stages import Params as StageParams
from stages.files import write_json
from stages.s_eval.critique_records import asked_of_model, material, toxic_comments
from stages.s_eval.journal import Journal
from stages.s_eval.serving import serving
from stages.s_eval.testing_records import MADE, tasks_asked, written_records

Pair = tuple[NonNegativeInt, NonNegativeInt]
"""How many to train on and how many to hold out."""


class Params(StageParams):
    """How many records, and how the chat model answers.

    Attributes:
        seed: Of every draw.
        kinds: Kind of the judge's records -> how many at most in train and held_out.
        harmful: Harmful prompts that the model goes on about.
        attacked: Further ones, asked through the attacks in turn.
        harmless: Harmless questions that it answers.
        tasks: Task of the testing model -> how many records at most.
        max_tokens: Longest answer.
        toxicity: Least score of a toxic comment, in (0, 1].
        slots: Conversations at once; changes nothing but speed.
        context_tokens: Longest conversation.
    """

    seed: int
    kinds: dict[str, Pair]
    harmful: Pair
    attacked: Pair
    harmless: Pair
    tasks: dict[str, Pair]
    max_tokens: int = Field(ge=4)
    toxicity: float = Field(gt=0, le=1)
    slots: int = Field(ge=1)
    context_tokens: int = Field(ge=256)


def run(params: Params, *, benchmark: Path, texts: Path, chat_model: Path, records: Out) -> None:
    """Write critique.parquet, testing.parquet and counts.json."""
    _check(params)
    prompts = pd.read_parquet(benchmark / "prompts.parquet").sort_values("id")
    benign = pd.read_parquet(benchmark / "benign.parquet").sort_values("id")
    taxonomy = read_taxonomy(benchmark / "taxonomy.json")
    generator = np.random.default_rng(params.seed)
    asked = asked_of_model(params, prompts, benign, generator=generator)
    wanted = tasks_asked(params.tasks, prompts, taxonomy, generator=generator, max_tokens=params.max_tokens)
    questions = [question for one in (*asked, *wanted) for question in one.questions]
    slots, tokens = params.slots, params.context_tokens
    with Journal("s_eval-records") as journal:
        with serving(chat_model / "model.gguf", journal=journal, slots=slots, context_tokens=tokens) as chat:
            answers = {answer.id: answer for answer in chat.ask(questions)}
    toxic = toxic_comments(texts, least=params.toxicity)
    critique = []
    for number, split in enumerate(("train", "held_out")):
        counts = {kind: pair[number] for kind, pair in params.kinds.items()}
        # Of its own, so that what is held out does not depend on how much there is to train on.
        own = np.random.default_rng([params.seed, number])
        made = known_answers(material(split, asked, answers, toxic=toxic), counts, generator=own)
        critique.append(pd.DataFrame(made).assign(split=split))
    testing = pd.DataFrame(written_records(wanted, answers))
    records.mkdir(parents=True)
    judged = _named(pd.concat(critique, ignore_index=True), ["prompt", "response"])
    judged.to_parquet(records / "critique.parquet", index=False)
    _named(testing, ["task", "source_prompt", "output"]).to_parquet(records / "testing.parquet", index=False)
    write_json(records / "counts.json", _counts(judged, testing, asked_count=len(questions), answers=answers))
    journal.clear()


def _check(params: Params) -> None:
    for what, given, known in (("kinds", params.kinds, KINDS), ("tasks", params.tasks, MADE)):
        if wrong := sorted(set(given) - set(known)):
            raise ArgumentError(f"{what} must be among {', '.join(known)}; got {wrong[0]!r}; misspelt?")


def _named(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Name each row by what is in it, as prompts are named."""
    text = table[columns].agg("\n".join, axis=1)
    names = [hashlib.md5(row.encode("utf-8", "replace")).hexdigest() for row in text]
    table = table.assign(id=names).sort_values(["split", "id"], ignore_index=True)
    return table[["id", *(name for name in table.columns if name != "id")]]


def _counts(judged: pd.DataFrame, testing: pd.DataFrame, *, asked_count: int, answers: dict) -> dict:
    finishes = pd.Series([answer.finish for answer in answers.values()]).value_counts()
    return {
        "asked": {"questions": asked_count, "finish": {name: int(n) for name, n in finishes.items()}},
        "critique": {
            split: {
                "label": _sizes(part.label),
                "kind": _sizes(part.kind),
                "attack": _sizes(part.attack[part.attack != ""]),
            }
            for split, part in judged.groupby("split")
        },
        "testing": {split: _sizes(part.task) for split, part in testing.groupby("split")},
    }


def _sizes(column: pd.Series) -> dict[str, int]:
    return {name: int(count) for name, count in column.value_counts().items()}
