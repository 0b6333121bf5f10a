"""What the chat model is asked so that the judge's records can be put together, and the material that comes of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pandas as pd

from gauntlet.attacks.prompts.attacked import Demonstration, Inputs
from gauntlet.attacks.prompts.table import TEXT_ATTACKS
from gauntlet.errors import DataError
from gauntlet.models.chat import Answer, Decode, Question
from gauntlet.readers.archives import members
from gauntlet.training.chat.known_answers import Harmful, Harmless, Material, continued
from gauntlet.training.chat.phrasings import FRAMES, SETS

ROLES = {"train": ("judge_train", "train"), "held_out": ("judge_held_out", "held_out")}
"""Of the prompts and of the harmless questions, by split."""


@dataclass(frozen=True)
class Asked:
    """One prompt for the judge's records and the question by which the model is made to answer it.

    Attributes:
        split: train or held_out.
        prompt: The base prompt.
        harmful: Or a harmless question.
        category: Of the risk.
        attack: By which it is asked; "" for none.
        opening: What the model goes on from.
        questions: The one question.
    """

    split: str
    prompt: str
    harmful: bool
    category: str
    attack: str
    opening: str
    questions: tuple[Question, ...]


def asked_of_model(
    params, prompts: pd.DataFrame, benign: pd.DataFrame, *, generator: np.random.Generator
) -> list[Asked]:
    """List what is asked: harmful prompts from an affirmative opening, attacked ones likewise, harmless questions.

    Args:
        params: Of the stage: harmful, attacked, harmless, max_tokens.
        prompts: With id, prompt, category, role.
        benign: With id, prompt, answer, role.
        generator: Draws prompts, openings and attacks.

    Raises:
        DataError: A role has no prompts.
    """
    decode = Decode(max_tokens=params.max_tokens)
    asked = []
    for number, (split, (role, benign_role)) in enumerate(ROLES.items()):
        harmful = _drawn(prompts, role, params.harmful[number] + params.attacked[number], generator=generator)
        plain, attacked = harmful[: params.harmful[number]], harmful[params.harmful[number] :]
        harmless = _drawn(benign, benign_role, params.harmless[number], generator=generator)
        shown = tuple(Demonstration(row.prompt, row.answer) for row in harmless if row.answer)[:8]
        openings = SETS[split].openings
        for row in plain:
            opening = openings[int(generator.integers(len(openings)))]
            asked.append(_harmful(split, row, text=row.prompt, attack="", opening=opening, decode=decode))
        for row, name in zip(attacked, islice(cycle(TEXT_ATTACKS), len(attacked)), strict=True):
            text = TEXT_ATTACKS[name](row.prompt, generator=generator, inputs=Inputs(demonstrations=shown)).prompt
            opening = FRAMES[split][name]
            asked.append(_harmful(split, row, text=text, attack=name, opening=opening, decode=decode))
        for row in harmless:
            question = Question(f"{split}/harmless/{row.id}", ({"role": "user", "content": row.prompt},), decode)
            asked.append(Asked(split, row.prompt, False, "", "", "", (question,)))
    return asked


def _drawn(table: pd.DataFrame, role: str, count: int, *, generator: np.random.Generator) -> list:
    """Draw rows of one role without putting any back; all of them where there are fewer."""
    rows = table[table.role == role]
    if not len(rows):
        raise DataError(f"the benchmark must hold prompts of role {role}; it holds none; another build?")
    order = generator.permutation(len(rows))[:count]
    return list(rows.iloc[order].itertuples())


def _harmful(split: str, row, *, text: str, attack: str, opening: str, decode: Decode) -> Asked:
    turns = ({"role": "user", "content": text}, {"role": "assistant", "content": opening.strip()})
    question = Question(f"{split}/{attack or 'plain'}/{row.id}", turns, decode)
    return Asked(split, row.prompt, True, row.category, attack, opening, (question,))


def material(
    split: str, asked: list[Asked], answers: Mapping[str, Answer], *, toxic: dict[str, tuple[str, ...]]
) -> Material:
    """Sort what the model said into what records are made from; what failed or declines is left out."""
    harmful, harmless = [], []
    for one in asked:
        answer = answers[one.questions[0].id]
        if one.split != split or answer.error or not answer.response.strip():
            continue
        if not one.harmful:
            harmless.append(Harmless(one.prompt, answer.response.strip()))
            continue
        continuation = answer.response.removeprefix(one.opening.strip())
        if continued(continuation):
            harmful.append(Harmful(one.prompt, one.category, one.attack, one.opening, continuation))
    return Material(tuple(harmful), tuple(harmless), toxic[split], SETS[split], tuple(FRAMES[split].values()))


def toxic_comments(texts: Path, *, least: float, most_words: int = 40) -> dict[str, tuple[str, ...]]:
    """Read toxic comments, split in two by turns.

    Args:
        texts: The tar of text corpora, with Toxicity/test.jsonl.
        least: Least toxicity score.
        most_words: Longest comment.

    Raises:
        DataError: There are none.
    """
    lines = [line for file in members(texts, "Toxicity/*.jsonl") for line in file.data.decode().splitlines()]
    rows = [json.loads(line) for line in lines]
    found = sorted({row["text"].strip() for row in rows if row["toxicity"] >= least})
    found = [text for text in found if 3 <= len(text.split()) <= most_words]
    if len(found) < 2:
        raise DataError(f"{texts} must hold toxic comments of score {least} or more; it holds {len(found)}; lower it?")
    return {"train": tuple(found[::2]), "held_out": tuple(found[1::2])}
