"""Conversations as token numbers: a beginning that all share, the rest of the question, and the answer to learn."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from gauntlet.errors import DataError

Encode = Callable[[str], list[int]]


class Conversation(NamedTuple):
    """A question as the chat template writes it, up to where the answer begins, and the answer with its end mark."""

    question: str
    answer: str


@dataclass(frozen=True)
class Lesson:
    """One conversation behind the shared beginning.

    Attributes:
        tokens: [T], question and answer, whole numbers.
        answer: Index in `tokens` of the answer's first token, at least 1.
        weights: [T - answer], share of each answer token in the loss.
    """

    tokens: Tensor
    answer: int
    weights: Tensor


@dataclass(frozen=True)
class Lessons:
    """What a run learns from.

    Attributes:
        prefix: [P], tokens that every conversation begins with, such as the system turn; at least one.
        items: The conversations.
    """

    prefix: Tensor
    items: tuple[Lesson, ...]


def lessons(
    conversations: Sequence[Conversation], encode: Encode, *, most_tokens: int, first_share: float | None = None
) -> Lessons:
    """Encode conversations and split off the beginning that they share.

    Args:
        conversations: At least two that differ.
        encode: Tokenizer, which adds nothing of its own.
        most_tokens: Longest conversation; of a longer one the answer's end is left out.
        first_share: Share of the answer's first token in its loss, in (0, 1]; None weighs all tokens alike.

    Raises:
        DataError: There is nothing to learn from, or a question alone is too long.
    """
    if len({one.question for one in conversations}) < 2:
        raise DataError(f"training needs at least two questions; got {len(conversations)} records; an empty table?")
    encoded = [(encode(one.question), encode(one.answer)) for one in conversations]
    if (longest := max(len(question) for question, _ in encoded)) >= most_tokens:
        raise DataError(f"a question must be shorter than {most_tokens} tokens; got {longest}; raise most_tokens")
    shared = _shared([question for question, _ in encoded])
    items = []
    for question, answer in encoded:
        answer = answer[: most_tokens - len(question)]
        tokens = torch.tensor(question[shared:] + answer)
        items.append(Lesson(tokens, len(question) - shared, _weights(len(answer), first_share)))
    return Lessons(torch.tensor(encoded[0][0][:shared]), tuple(items))


def _shared(questions: list[list[int]]) -> int:
    """Count the tokens that all begin with, leaving each at least one of its own."""
    low, high = min(questions), max(questions)  # in the order of lists the two differ first of all
    most = min(map(len, questions)) - 1
    return next((n for n in range(most) if low[n] != high[n]), most)


def _weights(count: int, first_share: float | None) -> Tensor:
    if first_share is None or count == 1:
        return torch.full((count,), 1 / max(1, count))
    return torch.tensor([first_share] + [(1 - first_share) / (count - 1)] * (count - 1))


def bucketed(lengths: Sequence[int], *, batch: int, generator: torch.Generator) -> Iterator[list[int]]:
    """Yield batches of indices, of alike lengths, in random order; each index once.

    Args:
        lengths: Of the items.
        batch: Items in a batch, at least 1.
        generator: On the CPU.
    """
    order = torch.randperm(len(lengths), generator=generator).tolist()
    pool = 8 * batch
    batches = []
    for begin in range(0, len(order), pool):
        near = sorted(order[begin : begin + pool], key=lambda index: lengths[index])
        batches += [near[start : start + batch] for start in range(0, len(near), batch)]
    for number in torch.randperm(len(batches), generator=generator).tolist():
        yield batches[number]
