"""What a chat model was asked and said, on disk at once: a run that is killed loses no answer and asks none again.

A journal is a file of JSON lines outside DVC, keyed by what decides an answer. Only what was in flight when a run was
killed is asked a second time, for nobody has heard its answer.
"""

import fcntl
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType

from gauntlet.errors import ArgumentError, RetryableError
from gauntlet.models.chat import Answer, Chat, Question
from stages.progress import track

ROOT = Path(".checkpoints")
SYNC_S = 1.0
"""A written answer outlives the process at once, and the machine after this time."""


class Journal:
    """Answers of one stage on disk, open while the block runs.

    Attributes:
        path: `.checkpoints/<stage>/answers.jsonl`, or where it was asked for.
    """

    def __init__(self, stage: str, *, root: Path = ROOT) -> None:
        """Name the journal.

        Args:
            stage: As DVC calls it, with what tells its victims apart: `s_eval-answer@smollm2`.
            root: Where checkpoints are.
        """
        self.path = root / stage / "answers.jsonl"
        self._known: dict[str, Answer] = {}
        self._synced = 0.0

    def __enter__(self) -> "Journal":
        """Open, read what is there, and cut off a last line that was torn.

        Raises:
            RetryableError: Another run has it open.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise RetryableError(f"{self.path} must be this run's alone; another run is at work") from None
        self._read()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Write all to the disk and close."""
        if not self._file.closed:
            self._sync()
            self._file.close()

    def _read(self) -> None:
        self._file.seek(0)
        whole = 0
        for line in self._file:
            try:
                entry = json.loads(line) if line.endswith(b"\n") else None
                key = entry.pop("key")
                self._known[key] = Answer(**entry)
            except (ValueError, TypeError, AttributeError, KeyError):
                break
            whole += len(line)
        self._file.truncate(whole)
        if self._known:
            print(f"resuming from {self.path}: {len(self._known)} answers", file=sys.stderr, flush=True)

    def answered(self, keys: Iterable[str]) -> dict[str, Answer]:
        """Return what is known of these keys."""
        return {key: self._known[key] for key in keys if key in self._known}

    def write(self, key: str, answer: Answer) -> None:
        """Keep an answer: with the kernel when this returns, on the disk within about `SYNC_S`."""
        self._known[key] = answer
        self._file.write(json.dumps(asdict(answer) | {"key": key}).encode() + b"\n")
        self._file.flush()
        if time.monotonic() - self._synced > SYNC_S:
            self._sync()

    def _sync(self) -> None:
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def clear(self) -> None:
        """Forget all: the stage has succeeded."""
        self._file.close()
        shutil.rmtree(self.path.parent, ignore_errors=True)


def answer_key(question: Question, *, victim: str, logprobs: int = 0) -> str:
    """Return what decides an answer, in short: id, decode, and a hash of victim, conversation and log-probabilities."""
    content = json.dumps([victim, question.messages, logprobs], ensure_ascii=True)
    return f"{question.id}/{question.decode.key}/{hashlib.sha256(content.encode()).hexdigest()[:24]}"


def resumed(
    chat: Chat, questions: Sequence[Question], *, journal: Journal, victim: str = "", logprobs: int = 0
) -> list[Answer]:
    """Ask what the journal does not know yet, keep each answer at once, and return all in the order of the questions.

    Questions with the same key are asked once. Those that begin alike are asked one after another, so that a server
    need not read the same beginning again.

    Args:
        chat: The model.
        questions: With unique ids within a decode, or equal where the ids are.
        journal: Open.
        victim: Whatever else decides an answer: the model's hash, its system prompt.
        logprobs: As `Chat.ask` takes it.

    Raises:
        UnavailableError: The model is away; what was answered is kept.
        ArgumentError: The model gave an answer that nobody asked for, or left a question out.
    """
    keys = [answer_key(question, victim=victim, logprobs=logprobs) for question in questions]
    known = journal.answered(keys)
    left = {key: replace(question, id=key) for key, question in zip(keys, questions, strict=True) if key not in known}
    ordered = sorted(left.values(), key=lambda question: [turn["content"] for turn in question.messages])
    for answer in track(chat.ask(ordered, logprobs=logprobs), what="answers", total=len(ordered)):
        if answer.id not in left:
            raise ArgumentError(f"{chat.name} must answer what it is asked; got an answer to {answer.id!r}")
        known[answer.id] = answer
        journal.write(answer.id, answer)
    if lost := len(left.keys() - known.keys()):
        raise ArgumentError(f"{chat.name} must answer every question; {lost} of {len(left)} are left out")
    return [replace(known[key], id=question.id) for key, question in zip(keys, questions, strict=True)]
