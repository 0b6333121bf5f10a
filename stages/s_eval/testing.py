"""What the testing model writes: new candidates from the seeds, and the attacks of prose."""

from collections.abc import Iterable, Mapping, Sequence

from gauntlet.attacks.prompts.table import MODEL_WRITTEN
from gauntlet.attacks.prompts.testing_format import testing_messages, written
from gauntlet.metrics.selection import Candidate
from gauntlet.models.chat import Answer, Chat, Decode, Message, Question
from gauntlet.taxonomy import Risk, Taxonomy
from stages.s_eval.tables import prompt_id

NEW = ("generate", "rewrite", "transfer")
"""Tasks that give a candidate."""

WORDS = 3
"""Shortest text that counts as a prompt."""


def in_order(chat: Chat, questions: Sequence[Question], *, logprobs: int = 0) -> list[Answer]:
    """Ask all and return the answers in the order of the questions."""
    answers = {answer.id: answer for answer in chat.ask(questions, logprobs=logprobs)}
    return [answers[question.id] for question in questions]


def _prompt_in(answer: Answer) -> str:
    """Return the prompt in an answer, "" where it is too short for one."""
    text = written(answer.response)
    return text if len(text.split()) >= WORDS else ""


def requests(
    taxonomy: Taxonomy, seeds: Sequence[Candidate], *, have: Mapping[str, int], counts: Mapping[str, int], shown: int
) -> list[tuple[str, Risk, tuple[str, ...]]]:
    """List what the testing model is to write: task, category and source prompts.

    Args:
        taxonomy: Its categories are written for.
        seeds: Prompts of known category, which are shown and never candidates themselves.
        have: Candidates that each category has already; within a dimension those with fewest come first.
        counts: Prompts of each dimension by task.
        shown: Seeds in a request to generate.
    """
    wanted = []
    for dimension in taxonomy.dimensions:
        categories = sorted(taxonomy.under(dimension.name), key=lambda risk: have.get(risk.name, 0))
        for task in NEW:
            for number in range(counts.get(task, 0) if categories else 0):
                risk, turn = categories[number % len(categories)], number // len(categories)
                sources = _sources(task, risk, seeds, turn=turn, shown=shown)
                if sources or task == "generate":
                    wanted.append((task, risk, sources))
    return wanted


def _sources(task: str, risk: Risk, seeds: Sequence[Candidate], *, turn: int, shown: int) -> tuple[str, ...]:
    own = [one.prompt for one in seeds if one.category == risk.name]
    others = [one.prompt for one in seeds if one.category != risk.name]
    near = own or [one.prompt for one in seeds if one.dimension == risk.dimension]
    pool = {"generate": near, "rewrite": own, "transfer": others}[task]
    if not pool:
        return ()
    # A category's own place among the seeds, so that no two categories transfer the same prompt.
    start = turn + (_place(risk.name, len(pool)) if task == "transfer" else 0)
    count = min(shown, len(pool)) if task == "generate" else 1
    return tuple(pool[(start + step) % len(pool)] for step in range(count))


def _place(name: str, count: int) -> int:
    """Return a place in 0..count-1 that depends on the name alone."""
    return int(prompt_id(name)[:8], 16) % count


def new_candidates(
    chat: Chat, wanted: Sequence[tuple[str, Risk, tuple[str, ...]]], *, tokens: int
) -> tuple[list[Candidate], int]:
    """Let the testing model write candidates.

    Returns:
        The candidates, each under the category it was written for, and how many answers held no prompt.
    """
    questions = [
        Question(
            f"{number}/{task}",
            _ask(task, risk, "\n".join(sources)),
            Decode(max_tokens=tokens),
        )
        for number, (task, risk, sources) in enumerate(wanted)
    ]
    found = []
    for (task, risk, _), answer in zip(wanted, in_order(chat, questions), strict=True):
        if text := _prompt_in(answer):
            new = Candidate(prompt_id(text), text, risk.dimension, risk.category, True, f"testing model, {task}")
            found.append(new)
    return found, len(wanted) - len(found)


def _ask(task: str, risk: Risk, source_prompt: str) -> tuple[Message, ...]:
    path = " / ".join(risk.path)
    return testing_messages(task, risk_path=path, definition=risk.definition, source_prompt=source_prompt)


def rewrites(
    chat: Chat,
    chosen: Sequence[Candidate],
    *,
    taxonomy: Taxonomy,
    attacks: Iterable[str],
    known: Iterable[str],
    tokens: int,
) -> dict[tuple[str, str], str]:
    """Let the testing model write the attacks that it writes.

    Args:
        chat: The testing model.
        chosen: Base prompts to attack.
        taxonomy: Holds their risks.
        attacks: Names; those that need no model are passed over.
        known: Texts that an attack must not repeat: all base prompts.
        tokens: Longest attack.

    Returns:
        Text by attack and prompt; a text that is known, or that another prompt has got, is left out.
    """
    wanted = [(attack, one) for attack in attacks if attack in MODEL_WRITTEN for one in chosen]
    questions = [
        Question(
            f"{attack}/{one.id}",
            _ask(attack, taxonomy.find(f"{one.dimension}/{one.category}"), one.prompt),
            Decode(max_tokens=tokens),
        )
        for attack, one in wanted
    ]
    texts: dict[tuple[str, str], str] = {}
    seen = set(known)
    for (attack, one), answer in zip(wanted, in_order(chat, questions), strict=True):
        text = _prompt_in(answer)
        if text and text not in seen:
            texts[attack, one.prompt] = text
            seen.add(text)
    return texts
