"""A llama.cpp server of our own (xllamacpp) in child processes, spoken to by the OpenAI protocol on loopback."""

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
    """llama.cpp over one gguf file: child processes that end with this one, on loopback, under a random key.

    Each conversation in progress has a process of its own. One server with several slots is no faster on a CPU, and
    batches them with other roundings: then a greedy answer depends on what else is being answered. Here it does not,
    nor on the order of the questions or the number of processes and threads.

    Args:
        gguf: The model.
        slots: Conversations at once; as many processes, but no more than threads.
        context_tokens: Longest prompt and answer together.
        threads: Threads of all processes together.

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
        self.gguf, self.context_tokens = Path(gguf), context_tokens
        self.processes = min(slots, threads)
        self.threads = threads // self.processes
        self._key = secrets.token_hex(16)
        self._children: list[_Child] = []
        self._seen: set[str] = set()

    def __enter__(self) -> "EmbeddedServer":
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def start(self) -> None:
        """Start the processes and wait until each has loaded the model.

        Raises:
            DataError: llama.cpp could not load the file.
        """
        self.stop()
        settings = {"gguf": str(self.gguf), "key": self._key, "context_tokens": self.context_tokens}
        for _ in range(self.processes):
            self._children.append(_Child(settings | {"threads": self.threads}))
        for child in self._children:
            if not child.ready():
                self.stop()
                raise DataError(f"{self.gguf} must be a chat model that llama.cpp can load; {child.said()}; truncated?")

    @property
    def pids(self) -> list[int]:
        """Process ids of the children that run."""
        return [child.process.pid for child in self._children if child.process.poll() is None]

    @property
    def alive(self) -> bool:
        """Whether all children run."""
        return bool(self._children) and len(self.pids) == self.processes

    def stop(self) -> None:
        """End the children; nothing happens where none runs."""
        while self._children:
            self._children.pop().end()
        self._seen.clear()

    def client(self, *, model: str = "embedded", system_prompt: str = "") -> ChatClient:
        """Return a client that keeps all processes busy; one try more, for a server that dies is started anew."""
        first, *others = [f"{child.address}/v1" for child in self._children]
        endpoint = Endpoint(
            first,
            model=model,
            key=self._key,
            concurrency=self.processes,
            timeout_s=600.0,
            retries=1,
            min_backoff_s=0.1,
            mirrors=tuple(others),
        )
        return _Client(endpoint, system_prompt=system_prompt, name=model, seen=self._seen)


class _Client(ChatClient):
    """Forbids the use of remembered prompts where it would change roundings.

    A prompt that shares its beginning with the one before it is read on from there, with the same result to the bit.
    But a single token is multiplied by other code than several, so that neither a prompt of which only the last token
    is left to read may go on from memory, nor one that contains what was written as an answer.
    """

    def __init__(self, endpoint: Endpoint, *, system_prompt: str, name: str, seen: set[str]) -> None:
        super().__init__(endpoint, system_prompt=system_prompt, name=name)
        self._seen = seen

    def request(self, question: Question, *, logprobs: int) -> dict:
        content = super().request(question, logprobs=logprobs)
        conversation = json.dumps(content["messages"])
        answered = any(turn["role"] == "assistant" for turn in content["messages"])
        fresh = conversation not in self._seen and not answered
        self._seen.add(conversation)
        return content | {"extra_body": {"cache_prompt": fresh}}


class _Child:
    """One process of the server."""

    def __init__(self, settings: dict) -> None:
        root = str(Path(__file__).resolve().parents[2])
        paths = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        self.address = ""
        self._log: collections.deque[str] = collections.deque(maxlen=LOG_LINES)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gauntlet.models.chat_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": str(settings["threads"])},
            start_new_session=True,  # Ctrl-C is for this process, which then ends the child
        )
        self._reader = threading.Thread(target=self._log.extend, args=(map(_line, self.process.stderr),), daemon=True)
        self._reader.start()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(settings).encode() + b"\n")
            self.process.stdin.flush()

    def ready(self) -> bool:
        """Wait for the address; False where the process ended instead."""
        self.address = self.process.stdout.readline().decode().strip()
        return bool(self.address)

    def said(self) -> str:
        """Return the last line that speaks of an error."""
        return next((line for line in reversed(self._log) if "rror" in line), "no reason given")[:200]

    def end(self) -> None:
        """End it; it holds nothing that it could lose."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


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
        slots: Conversations at once; no more than threads.
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
