"""Ask one victim every base and attack prompt, some base prompts at several temperatures; keep each answer at once."""

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Literal

import pyarrow
import pyarrow.parquet
from pydantic import Field, NonNegativeInt, PositiveInt

from gauntlet.errors import DataError
from gauntlet.models.chat import Answer, Chat, Decode, Message, Question
from gauntlet.readers.s_eval import read_s_eval
from stages import Out
from stages import Params as StageParams
from stages.files import dvc_md5, write_json
from stages.machine import machine
from stages.s_eval.endpoint import Served
from stages.s_eval.journal import Journal, resumed
from stages.s_eval.layout import SCALE
from stages.s_eval.tables import Table, write_table

COUNTED = {"prompt_tokens": pyarrow.int64(), "response_tokens": pyarrow.int64()}
OF_PROMPT = ("id", "base_id", "attack", "dimension", "category", "language")
OF_ANSWER = ("response", "finish", "error", "prompt_tokens", "response_tokens")
ANSWERS = Table("answers.parquet", (*OF_PROMPT, "decode", *OF_ANSWER), COUNTED)
"""One row a prompt and decode. finish: stop, length, filtered, empty or error; error: what came instead, as context."""


class Embedded(StageParams):
    """The chat model of this project on llama.cpp servers that the stage starts and stops.

    Attributes:
        slots: Conversations at once, each in a process; no more than the machine's workers.
        context_tokens: Longest prompt and answer.
    """

    kind: Literal["embedded"]
    slots: PositiveInt
    context_tokens: PositiveInt

    def chat(self, chat_model: Path, system_prompt: str) -> AbstractContextManager[Chat]:
        """Serve it while the block runs."""
        from gauntlet.models.chat_server import served

        return served(
            chat_model / "model.gguf",
            slots=self.slots,
            context_tokens=self.context_tokens,
            system_prompt=system_prompt,
            threads=machine().workers,
        )


class Away(Served):
    """Any endpoint of the OpenAI chat protocol."""

    kind: Literal["endpoint"]

    def chat(self, chat_model: Path, system_prompt: str) -> AbstractContextManager[Chat]:
        """Return a client of it."""
        return nullcontext(self.client(system_prompt))


class InProcess(StageParams):
    """A transformers model in this process.

    Attributes:
        model: A folder or a name that transformers knows; "" for the chat model of this project.
    """

    kind: Literal["transformers"]
    model: str = ""

    def chat(self, chat_model: Path, system_prompt: str) -> AbstractContextManager[Chat]:
        """Load it."""
        from gauntlet.models.chat_transformers import ChatTransformers

        place = self.model or chat_model
        return nullcontext(ChatTransformers(place, device=machine().device, system_prompt=system_prompt))


class Sweep(StageParams):
    """Further decodes of the first base prompts.

    Attributes:
        temperatures: Each is one more answer a prompt.
        prompts: How many base prompts.
    """

    temperatures: tuple[Annotated[float, Field(ge=0, le=5)], ...]
    prompts: NonNegativeInt


class Params(StageParams):
    """One victim, and what it is asked.

    Attributes:
        seed: Of what it draws.
        model: Where it runs.
        system_prompt: Put before every prompt; "" for none of ours.
        temperature: Of all answers but the sweep's; 0 is greedy.
        top_p: Share of the probability that is drawn from.
        max_tokens: Longest answer.
        attacks: Names; None for all that there are.
        sweep: Temperatures.
    """

    seed: NonNegativeInt
    model: Annotated[Embedded | Away | InProcess, Field(discriminator="kind")]
    system_prompt: str
    temperature: Annotated[float, Field(ge=0, le=5)]
    top_p: Annotated[float, Field(gt=0, le=1)]
    max_tokens: PositiveInt
    attacks: tuple[str, ...] | None
    sweep: Sweep


def run(params: Params, *, victim: str, attacked: Path, chat_model: Path, answers: Out) -> None:
    """Write the table of answers and its counts."""
    rows = read_prompts(attacked, attacks=params.attacks)
    asked = [(row, question) for row in rows for question in questions_of(params, row)]
    with Journal(f"s_eval-answer@{victim}") as journal:
        with params.model.chat(chat_model, params.system_prompt) as chat:
            identity = identity_of(params, chat_model)
            given = resumed(chat, [question for _, question in asked], journal=journal, victim=identity)
        about = {"kind": params.model.kind, "name": chat.name, "system_prompt": bool(params.system_prompt)}
        _write(answers, asked, given, about=about)
        journal.clear()


def identity_of(params: Params, chat_model: Path) -> str:
    """Return what decides a victim's answers beside question and decode, not how hard it is pressed."""
    pressing = {"slots", "concurrency", "timeout_s", "retries", "min_backoff_s", "key"}
    about = params.model.model_dump(mode="json", exclude=pressing) | {"system_prompt": params.system_prompt}
    if params.model.kind == "embedded" or not about["model"]:
        about["weights"] = dvc_md5(chat_model)
    return json.dumps(about, sort_keys=True)


def read_prompts(attacked: Path, *, attacks: tuple[str, ...] | None) -> list[dict]:
    """Read the index, with each row's prompt and, for base prompts, its `place` among them.

    Raises:
        DataError: A row has no prompt in the official files, or a wanted attack no row.
    """
    rows = pyarrow.parquet.read_table(attacked / "index.parquet").to_pylist()
    texts: dict[str, str] = {}
    for language in sorted({row["language"] for row in rows}):
        for kind in sorted({"attack" if row["attack"] else "base_risk" for row in rows if row["language"] == language}):
            found = read_s_eval(attacked, kind=kind, language=language, scale=SCALE)
            texts |= {prompt.id: prompt.prompt for prompt in found.prompts}
    if lost := [row["id"] for row in rows if row["id"] not in texts]:
        raise DataError(f"{attacked}: every row of the index must have its prompt; {lost[0]} has none; files mixed?")
    if missing := sorted(set(attacks or ()) - {row["attack"] for row in rows}):
        raise DataError(f"{attacked} must hold the attack {missing[0]}; it does not; misspelt, or not asked for?")
    kept = [row for row in rows if not row["attack"] or attacks is None or row["attack"] in attacks]
    places = iter(range(len(kept)))
    return [row | {"prompt": texts[row["id"]], "place": None if row["attack"] else next(places)} for row in kept]


def questions_of(params: Params, row: dict) -> list[Question]:
    """Return what is asked of one row: once, and at every temperature of the sweep that is not yet among them."""
    wanted = [params.temperature]
    if row["place"] is not None and row["place"] < params.sweep.prompts:
        wanted += [temperature for temperature in params.sweep.temperatures if temperature not in wanted]
    decodes = [Decode(one, params.top_p, params.max_tokens, params.seed) for one in wanted]
    return [Question(row["id"], (Message(role="user", content=row["prompt"]),), decode) for decode in decodes]


def _write(folder: Path, asked: Sequence[tuple[dict, Question]], given: Sequence[Answer], *, about: dict) -> None:
    rows = []
    for (row, question), answer in zip(asked, given, strict=True):
        said = {name: getattr(answer, name) for name in OF_ANSWER}
        rows.append({name: row[name] for name in OF_PROMPT} | {"decode": question.decode.key} | said)
    rows.sort(key=lambda row: (row["attack"], row["base_id"], row["id"], row["decode"]))
    folder.mkdir(parents=True)
    write_table(folder, ANSWERS, rows)
    counts = {
        "victim": about,
        "answers": len(rows),
        "questions": len({(row["id"], row["decode"]) for row in rows}),
        "finish": dict(Counter(row["finish"] for row in rows)),
        "errors": dict(Counter(row["error"] for row in rows if row["error"])),
        "decodes": dict(Counter(row["decode"] for row in rows)),
        "tokens": {name: sum(row[name] for row in rows) for name in COUNTED},
    }
    write_json(folder / "counts.json", counts)
