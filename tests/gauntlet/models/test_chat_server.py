"""The embedded server over a tiny model: answers that depend on nothing else, death and rebirth, its end."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gauntlet.errors import ArgumentError, DataError, UnavailableError
from gauntlet.models.chat import Chat, Decode, Message, Question
from gauntlet.models.chat_server import served
from tests.fixtures.tiny_chat import write_tiny_chat


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return write_tiny_chat(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


def questions(count: int, *, temperature: float = 0.0) -> list[Question]:
    decode = Decode(temperature, max_tokens=12)
    words = ["bread", "flour", "water", "salt", "oven"]
    texts = [" ".join(words[: 1 + place % 5]) + f" {place // 5}" for place in range(count)]
    return [Question(text, (Message(role="user", content=text),), decode) for text in texts]


def answers(chat: Chat, asked: list[Question], **settings: int) -> dict:
    return {answer.id: answer for answer in chat.ask(asked, **settings)}


def test_answers_depend_on_no_order_memory_or_number_of_processes(model):
    asked = [*questions(15), *[q for q in questions(30, temperature=1.0) if q.id not in {p.id for p in questions(15)}]]
    with served(model, slots=1, context_tokens=256, threads=1) as chat:
        expected = answers(chat, asked, logprobs=3)
        again = answers(chat, asked[::-1], logprobs=3)
    shuffled = random.Random(1).sample(asked, len(asked))
    with served(model, slots=8, context_tokens=256, threads=2) as chat:
        assert len(chat.server.pids) == 2
        assert answers(chat, shuffled, logprobs=3) == expected
    assert again == expected
    assert len({answer.response for answer in expected.values()}) > 10
    assert all(1 <= len(answer.first_token) <= 3 for answer in expected.values())


def test_too_long_a_prompt_is_an_answer(model):
    with served(model, slots=1, context_tokens=256, threads=1) as chat:
        (answer,) = chat.ask([Question("long", (Message(role="user", content="bread " * 300),))])
        assert (answer.finish, answer.error) == ("error", "context")
        assert len(answers(chat, questions(3))) == 3


def test_a_server_that_dies_is_started_again_and_no_answer_comes_twice(model):
    asked = questions(60)
    with served(model, slots=2, context_tokens=256, threads=2) as chat:
        expected = answers(chat, asked)
        found = chat.ask(asked)
        seen = [next(found)]
        os.kill(chat.server.pids[0], signal.SIGKILL)
        seen += found
        assert chat.restarts == 1
    assert len(seen) == len(asked)
    assert {answer.id: answer for answer in seen} == expected


def test_a_server_that_dies_too_often_is_away(model):
    with served(model, slots=1, context_tokens=256, threads=1, most_restarts=0) as chat:
        found = chat.ask(questions(60))
        next(found)
        os.kill(chat.server.pids[0], signal.SIGKILL)
        with pytest.raises(UnavailableError):
            list(found)


def test_the_server_ends_with_its_block_and_with_a_killed_parent(model):
    with served(model, slots=1, context_tokens=256, threads=1) as chat:
        pid = chat.server.pids[0]
        assert _lives(pid)
    assert not _lives(pid)
    code = (
        "import sys, time, pathlib; from gauntlet.models.chat_server import EmbeddedServer\n"
        "server = EmbeddedServer(pathlib.Path(sys.argv[1]), slots=1, context_tokens=256, threads=1)\n"
        "server.start(); print(server.pids[0], flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(model)], stdout=subprocess.PIPE) as parent:
        pid = int(parent.stdout.readline())
        parent.kill()
    end = time.monotonic() + 10
    while _lives(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not _lives(pid)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_bad_file_and_bad_counts_are_refused(model, tmp_path):
    (tmp_path / "torn.gguf").write_bytes(model.read_bytes()[:2000])
    for file in (tmp_path / "none.gguf", tmp_path / "torn.gguf"):
        with pytest.raises(DataError, match=file.name), served(file, threads=1):
            pass
    with pytest.raises(ArgumentError), served(model, threads=0):
        pass
