"""A llama.cpp server of our own (xllamacpp) in a child process, spoken to by the OpenAI protocol on loopback."""

import collections
import contextlib
import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gauntlet.errors import ArgumentError, DataError, UnavailableError
from gauntlet.models.chat import Answer, Chat, Question
from gauntlet.models.chat_client import ChatClient, Endpoint

LOG_LINES = 20
"""How many of the server's last lines are kept for the message of its failure."""


class EmbeddedServer:
    """A llama.cpp server over one gguf file: a child process that ends with this one, on loopback, under a random key.

    Greedy answers depend neither on the number of slots and threads nor on the order of the questions, if the weights
    are Q8_0, Q4_1 or of 16 bits: flash attention, which breaks this, is off.

    Args:
        gguf: The model.
        slots: Conversations at once.
        context_tokens: Longest prompt and answer together, of each slot.
        threads: Threads of the server.

    Raises:
        ArgumentError: A count is below 1.
        DataError: There is no such file.
    """

    def __init__(self, gguf: Path, *, slots: int, context_tokens: int, threads: int) -> None:
        if min(slots, context_tokens, threads) < 1:
            raise ArgumentError(
                f"slots, context_tokens and threads must be at least 1; got {slots}, {context_tokens}, {threads}"
            )
        if not Path(gguf).is_file():
            raise DataError(f"{gguf} must be a gguf file; it is missing; was s_eval.convert run?")
        self.gguf, self.slots, self.context_tokens, self.threads = Path(gguf), slots, context_tokens, threads
        self.address = ""
        self._key = secrets.token_hex(16)
        self._child: subprocess.Popen | None = None
        self._log: collections.deque[str] = collections.deque(maxlen=LOG_LINES)
        self._reader: threading.Thread | None = None

    def __enter__(self) -> "EmbeddedServer":
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def start(self) -> None:
        """Start the child and wait until the model is loaded.

        Raises:
            DataError: llama.cpp could not load the file.
        """
        self.stop()
        root = str(Path(__file__).resolve().parents[2])
        paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        self._child = subprocess.Popen(
            [sys.executable, "-m", "gauntlet.models.chat_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": str(self.threads)},
            start_new_session=True,  # Ctrl-C is for this process, which then ends the child
        )
        self._reader = threading.Thread(target=self._log.extend, args=(map(_line, self._child.stderr),), daemon=True)
        self._reader.start()
        self._child.stdin.write(json.dumps(self._settings()).encode() + b"\n")
        self._child.stdin.flush()
        self.address = self._child.stdout.readline().decode().strip()
        if not self.address:
            self.stop()
            said = next((line for line in reversed(self._log) if "rror" in line), "no reason given")
            raise DataError(f"{self.gguf} must be a chat model that llama.cpp can load; {said[:200]}; truncated?")

    def _settings(self) -> dict:
        counts = {"slots": self.slots, "context_tokens": self.context_tokens, "threads": self.threads}
        return {"gguf": str(self.gguf), "key": self._key} | counts

    @property
    def pid(self) -> int:
        """The child's process id; 0 where none runs."""
        return self._child.pid if self.alive else 0

    @property
    def alive(self) -> bool:
        """Whether the child runs."""
        return self._child is not None and self._child.poll() is None

    def stop(self) -> None:
        """End the child; nothing happens where none runs."""
        if self._child is None:
            return
        child, self._child = self._child, None
        child.kill()  # it holds nothing that it could lose
        child.wait()
        self._reader.join()
        for pipe in (child.stdin, child.stdout, child.stderr):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def client(self, *, model: str = "embedded", system_prompt: str = "") -> ChatClient:
        """Return a client that keeps all slots busy; one try more, for a server that dies is started anew instead."""
        endpoint = Endpoint(
            f"{self.address}/v1",
            model=model,
            key=self._key,
            concurrency=self.slots,
            timeout_s=600.0,
            retries=1,
            min_backoff_s=0.1,
        )
        return ChatClient(endpoint, system_prompt=system_prompt, name=model)


def _line(raw: bytes) -> str:
    return raw.decode(errors="replace").strip()


class ServedChat:
    """A chat model on an embedded server that is started again when it dies.

    Attributes:
        name: The file's name without its ending.
        server: The server.
        restarts: How often it has been started again so far.
    """

    def __init__(self, server: EmbeddedServer, *, system_prompt: str = "", most_restarts: int = 3) -> None:
        self.name = server.gguf.stem
        self.server = server
        self.restarts = 0
        self._system_prompt, self._most_restarts = system_prompt, most_restarts

    def ask(self, questions: Iterable[Question], *, logprobs: int = 0) -> Iterator[Answer]:
        """Yield one answer for each question as they finish; what a dead server left is asked of the next one.

        Raises:
            UnavailableError: The server died more often than it may.
        """
        left = {question.id: question for question in questions}
        while left:
            client = self.server.client(model=self.name, system_prompt=self._system_prompt)
            try:
                for answer in client.ask(list(left.values()), logprobs=logprobs):
                    del left[answer.id]
                    yield answer
            except UnavailableError:
                if self.server.alive or self.restarts == self._most_restarts:
                    raise
                self.restarts += 1
                self.server.start()


@contextmanager
def served(
    gguf: Path,
    *,
    slots: int = 8,
    context_tokens: int = 2048,
    system_prompt: str = "",
    threads: int,
    most_restarts: int = 3,
) -> Iterator[Chat]:
    """Serve a gguf file while the block runs and yield it as a chat model; a server that dies is started again.

    Args:
        gguf: The model; its folder or file name says nothing to the server.
        slots: Conversations at once.
        context_tokens: Longest prompt and answer together.
        system_prompt: Put before every conversation; the chat template's own stands where it is "".
        threads: Threads of the server: the machine's cores.
        most_restarts: How often it may be started again.

    Raises:
        ArgumentError: A count is below 1.
        DataError: The file is missing or llama.cpp cannot load it.
    """
    with EmbeddedServer(gguf, slots=slots, context_tokens=context_tokens, threads=threads) as server:
        yield ServedChat(server, system_prompt=system_prompt, most_restarts=most_restarts)
