"""A llama.cpp server of our own (xllamacpp) in a child process, spoken to by the OpenAI protocol on loopback."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gauntlet.models.chat import Chat


@contextmanager
def served(
    gguf: Path, *, slots: int = 8, context_tokens: int = 2048, system_prompt: str = "", threads: int = 1
) -> Iterator[Chat]:
    """Serve a gguf file while the block runs and yield it as a chat model; a server that dies is started again."""
    raise NotImplementedError
    yield
