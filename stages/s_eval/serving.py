"""The embedded server with a memory: what a stage asks of it is on disk at once and asked once."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gauntlet.models.chat import Answer, Chat, Question
from gauntlet.models.chat_server import served
from stages.files import dvc_md5
from stages.machine import machine
from stages.s_eval.journal import Journal, resumed


class Remembered:
    """A chat model that answers from a journal what it has answered before.

    Attributes:
        name: The model's.
    """

    def __init__(self, chat: Chat, *, journal: Journal, victim: str) -> None:
        """Wrap a model; `victim` is the hash of its file."""
        self.name = chat.name
        self._chat, self._journal, self._victim = chat, journal, victim

    def ask(self, questions: Iterable[Question], *, logprobs: int = 0) -> Iterator[Answer]:
        """Yield one answer for each question, in their order."""
        yield from resumed(self._chat, list(questions), journal=self._journal, victim=self._victim, logprobs=logprobs)


@contextmanager
def serving(gguf: Path, *, journal: Journal, slots: int, context_tokens: int) -> Iterator[Chat]:
    """Serve a model on all cores while the block runs.

    Args:
        gguf: The model.
        journal: Open; keeps the answers.
        slots: Conversations at once.
        context_tokens: Longest prompt and answer together.
    """
    with served(gguf, slots=slots, context_tokens=context_tokens, threads=machine().workers) as chat:
        yield Remembered(chat, journal=journal, victim=dvc_md5(gguf))
