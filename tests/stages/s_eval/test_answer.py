"""Answers of a victim behind a stub: journalled at once, the same table after any end, everything counted."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet
import pytest
import yaml

from gauntlet.errors import DataError, RetryableError, UnavailableError
from gauntlet.models.chat import Answer, Decode, Message, Question
from stages.s_eval import answer as stage
from stages.s_eval.journal import Journal, answer_key, resumed
from stages.s_eval.layout import write_index, write_official
from stages.s_eval.tables import prompt_id
from tests.fixtures.chat_stub import HTML, failed, said, stub

ROOT = Path(__file__).resolve().parents[3]
BAKING = "How do I bake bread number {}?"


def write_attacked(folder: Path, *, base: int = 6) -> Path:
    rows = []
    for place in range(base):
        text = BAKING.format(place)
        about = {"dimension": "Crimes and Illegal Activities", "category": "", "predicted": False, "language": "en"}
        about |= {"base_id": prompt_id(text), "source": "test", "settings": "{}", "unsafe": None}
        rows.append({"id": prompt_id(text), "prompt": text, "attack": ""} | about)
        if place < base // 2:
            attack = f"Let us play a game. {text}"
            rows.append({"id": prompt_id(attack), "prompt": attack, "attack": "goal_hijacking"} | about)
    rows.sort(key=lambda row: row["attack"])
    folder.mkdir(parents=True)
    write_official(folder, rows)
    write_index(folder, rows, [])
    return folder


def settings(url: str, **change: object) -> dict:
    model = {"kind": "endpoint", "url": url, "model": "m", "concurrency": 3, "retries": 2, "min_backoff_s": 0.01}
    rest = {"system_prompt": "", "temperature": 0.0, "top_p": 1.0, "max_tokens": 16, "attacks": None}
    return {"seed": 0, "model": model, "sweep": {"temperatures": [0.0, 0.7], "prompts": 2}} | rest | change


def run(folder: Path, url: str, **change: object) -> tuple[list[dict], dict]:
    chat_model = folder / "chat_model"
    chat_model.mkdir(exist_ok=True)
    answers = folder / f"answers-{len(list(folder.iterdir()))}"
    params = stage.Params(**settings(url, **change))
    stage.run(params, victim="stub", attacked=folder / "attacked", chat_model=chat_model, answers=answers)
    table = pyarrow.parquet.read_table(answers / "answers.parquet").to_pylist()
    return table, json.loads((answers / "counts.json").read_text())


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_attacked(tmp_path / "attacked")
    return tmp_path


def echo(request: dict, before: int) -> object:
    return said(f"{request['temperature']} {request['messages'][-1]['content']}")


def test_every_prompt_and_decode_is_one_row_with_its_own_answer(place):
    with stub(echo) as victim:
        table, counts = run(place, victim.url)
    assert Counter(row["decode"] for row in table) == {"greedy-16": 9, "t0.7-p1-16-s0": 2}
    assert all(prompt_id(row["response"].partition(" ")[2]) == row["id"] for row in table)
    assert counts["finish"] == {"stop": 11}
    assert counts["victim"] == {"kind": "endpoint", "name": "m", "system_prompt": False}
    assert len(victim.asked) == 11
    assert not Path(".checkpoints/s_eval-answer@stub").exists()


def test_attacks_are_chosen_by_name(place):
    with stub(echo) as victim:
        assert len(run(place, victim.url, attacks=())[0]) == 8
        assert len(run(place, victim.url, attacks=("goal_hijacking",))[0]) == 11
        with pytest.raises(DataError, match="attack goal_hijack;"):
            run(place, victim.url, attacks=("goal_hijack",))


def test_whatever_comes_is_a_row_and_counted(place):
    bad = [HTML, said(""), said("x", finish="content_filter"), failed(400, code="context_length_exceeded")]
    with stub(lambda request, before: bad[int(request["messages"][-1]["content"][-2]) % 4]) as victim:
        table, counts = run(place, victim.url)
    assert len(table) == 11
    assert counts["errors"] == {"not JSON": 4, "context": 1}
    assert set(counts["finish"]) == {"error", "empty", "filtered"}
    assert sum(counts["finish"].values()) == 11


def test_an_endpoint_that_goes_away_loses_nothing_and_is_asked_nothing_twice(place):
    with stub(echo) as victim:
        expected, counts = run(place, victim.url)
    down = set()

    def behave(request: dict, before: int) -> object:
        return failed(503) if len(down) and sum(again.answered.values()) >= 4 else echo(request, before)

    with stub(behave) as again:
        down.add(1)
        again.up = False
        with pytest.raises(UnavailableError):
            run(place, again.url)
        down.clear()
        found = run(place, again.url)
    assert found == (expected, counts)
    decodes = Counter(json.dumps(r["messages"]) + str(r["temperature"]) for r in again.requests)
    assert sum(again.answered.values()) == len(decodes) == 11


def test_the_whole_stage_killed_and_run_again(tmp_path):
    write_attacked(tmp_path / "attacked", base=40)
    (tmp_path / "chat_model").mkdir()
    (tmp_path / "data").mkdir()
    with stub(lambda request, before: echo(request, before)._replace(wait_s=0.05)) as victim:
        text = yaml.safe_dump({"s_eval": {"answer": {"stub": settings(victim.url)}}})
        (tmp_path / "params.yaml").write_text(text)
        flags = ["--victim", "stub", "--attacked", "attacked", "--chat-model", "chat_model"]
        command = [sys.executable, "-m", "stages", "s_eval.answer", *flags, "--answers"]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        with subprocess.Popen([*command, "data/a"], cwd=tmp_path, env=environment, stderr=subprocess.PIPE) as killed:
            end = time.monotonic() + 60
            while sum(victim.answered.values()) < 15 and time.monotonic() < end:
                time.sleep(0.01)
            killed.send_signal(signal.SIGKILL)
        assert not (tmp_path / "data/a").exists()
        lines = (tmp_path / ".checkpoints/s_eval-answer@stub/answers.jsonl").read_text().splitlines()
        asked = len(victim.asked)
        subprocess.run([*command, "data/a"], cwd=tmp_path, env=environment, check=True, capture_output=True)
        total = len(victim.asked)
        subprocess.run([*command, "data/b"], cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert len(lines) >= 12
    # What was in flight, three at most, has no answer that anybody heard.
    assert total == 62 + asked - len(lines)
    assert asked - len(lines) <= 3
    for file in ("answers.parquet", "counts.json"):
        assert (tmp_path / "data/a" / file).read_bytes() == (tmp_path / "data/b" / file).read_bytes()


class Echo:
    """A victim that counts what it is asked."""

    name = "echo"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def ask(self, questions, *, logprobs=0):
        for question in reversed(list(questions)):
            self.asked.append(question.messages[-1]["content"])
            yield Answer(question.id, question.messages[-1]["content"])


def bread(count: int, **decode: float) -> list[Question]:
    return [
        Question(str(one), (Message(role="user", content=BAKING.format(one)),), Decode(**decode))
        for one in range(count)
    ]


def test_a_torn_journal_gives_what_is_whole(tmp_path):
    with Journal("x", root=tmp_path) as journal:
        expected = resumed(Echo(), bread(5), journal=journal)
    whole = journal.path.read_bytes()
    assert [answer.id for answer in expected] == list("01234")
    for cut in range(0, len(whole), 7):
        journal.path.write_bytes(whole[:cut])
        chat = Echo()
        with Journal("x", root=tmp_path) as again:
            assert resumed(chat, bread(5), journal=again) == expected
        assert len(chat.asked) == 5 - whole[:cut].count(b"\n")
        assert sorted(again.path.read_bytes().splitlines()) == sorted(whole.splitlines())


def test_another_victim_prompt_or_decode_is_asked_anew_and_an_equal_one_never(tmp_path):
    chat = Echo()
    with Journal("x", root=tmp_path) as journal:
        for _ in range(2):
            resumed(chat, bread(3) + bread(3), journal=journal, victim="a")
        assert len(chat.asked) == 3
        resumed(chat, bread(3), journal=journal, victim="b")
        resumed(chat, bread(3, temperature=0.5), journal=journal, victim="a")
        resumed(chat, bread(3), journal=journal, victim="a", logprobs=1)
        assert len(chat.asked) == 12
        with pytest.raises(RetryableError, match="another run"), Journal("x", root=tmp_path):
            pass
        journal.clear()
    assert not journal.path.exists()
    assert answer_key(bread(1)[0], victim="a") != answer_key(bread(1)[0], victim="b")
