"""Throughput of asking a victim, against one request after another, in one run: the real server, and a stub of 50 ms.

Run as `python benchmarks/s_eval_throughput.py [--gguf data/models/smollm2/model.gguf] [--questions 24]`; Markdown comes
out. The questions are benign and of an evaluation's shape: base prompts, and the same in ten frames. The baseline is a
script that asks in the order of the files, each request after the one before, of one server with all threads; the
suite's way is a process a thread and an order in which prompts that begin alike follow each other.
"""

import argparse
import os
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from gauntlet.models.chat import Answer, Chat, Decode, Message, Question
from gauntlet.models.chat_client import ChatClient, Endpoint
from gauntlet.models.chat_server import served
from tests.fixtures.chat_stub import said, stub

WORDS = ("bread", "flour", "water", "salt", "oven", "yeast", "butter", "garden", "river", "paper")
FRAMES = 10


def questions(count: int, *, tokens: int) -> list[Question]:
    """Return questions in the order of the files: each frame over all base prompts."""
    draw = random.Random(0)
    frames = [""] + [" ".join(draw.choices(WORDS, k=12 * frame)) + "\n" for frame in range(1, FRAMES + 1)]
    base = [f"Tell me about {' '.join(draw.choices(WORDS, k=8))}." for _ in range(-(-count // len(frames)))]
    texts = [frame + one for one in base for frame in frames][:count]
    return [
        Question(str(place), (Message(role="user", content=text),), Decode(max_tokens=tokens))
        for place, text in enumerate(texts)
    ]


def timed(chat: Chat, asked: list[Question], *, ordered: bool) -> tuple[float, dict[str, Answer]]:
    """Return requests a second, and the answers."""
    if ordered:
        asked = sorted(asked, key=lambda question: [turn["content"] for turn in question.messages])
    begin = time.perf_counter()
    answers = {answer.id: answer for answer in chat.ask(asked)}
    return len(asked) / (time.perf_counter() - begin), answers


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gguf", type=Path, default=Path("data/models/smollm2/model.gguf"))
    parser.add_argument("--questions", type=int, default=24)
    parser.add_argument("--tokens", type=int, default=32)
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    asked = questions(options.questions, tokens=options.tokens)
    rows = []
    for name, slots, ordered in (("one after another", 1, False), ("as the suite asks", cores, True)):
        with served(options.gguf, slots=slots, threads=cores) as chat:
            rows.append((f"llama.cpp, {name}", *timed(chat, asked, ordered=ordered)))
    with stub(lambda *_: said("Knead.", wait_s=0.05)) as place:
        for name, concurrency in (("one after another", 1), ("8 in flight", 8)):
            chat = ChatClient(Endpoint(place.url, concurrency=concurrency))
            rows.append((f"stub of 50 ms, {name}", *timed(chat, asked, ordered=False)))
    print("| server | requests/s | ratio | equal answers |\n|---|---|---|---|")
    for place, (name, rate, answers) in enumerate(rows):
        _, first, expected = rows[place // 2 * 2]
        same = sum(answers[key].response == expected[key].response for key in expected)
        print(f"| {name} | {rate:.2f} | {rate / first:.2f} | {same} of {len(expected)} |")


if __name__ == "__main__":
    main()
