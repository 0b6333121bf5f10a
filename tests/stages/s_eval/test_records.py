import json

import pandas as pd
import pytest

from gauntlet.errors import ArgumentError, DataError
from gauntlet.training.chat.known_answers import KINDS
from stages.s_eval import records as stage
from stages.s_eval.testing_records import MADE
from tests.fixtures.s_eval_records import Echo, serving, write_benchmark, write_texts

PARAMS = {
    "seed": 0,
    "kinds": dict.fromkeys(KINDS, (3, 2)),
    "harmful": (8, 6),
    "attacked": (10, 10),
    "harmless": (8, 6),
    "tasks": dict.fromkeys(MADE, (4, 2)),
    "max_tokens": 8,
    "toxicity": 0.7,
    "slots": 2,
    "context_tokens": 512,
}


class Made:
    def __init__(self, root, monkeypatch) -> None:
        self.root = root
        self.paths = {"benchmark": write_benchmark(root / "built"), "texts": write_texts(root / "texts.tar")}
        self.monkeypatch = monkeypatch
        monkeypatch.chdir(root)

    def run(self, name: str = "out", *, chat: Echo | None = None, **changes) -> Echo:
        chat = chat or Echo()
        self.monkeypatch.setattr(stage, "serving", serving(chat))
        params = stage.Params(**(PARAMS | changes))
        stage.run(params, **self.paths, chat_model=self.root / "model", records=self.root / name)
        self.critique = pd.read_parquet(self.root / name / "critique.parquet")
        self.testing = pd.read_parquet(self.root / name / "testing.parquet")
        self.counts = json.loads((self.root / name / "counts.json").read_text())
        return chat


@pytest.fixture
def made(tmp_path, monkeypatch) -> Made:
    return Made(tmp_path, monkeypatch)


def test_splits_share_no_prompt_and_keep_the_benchmark_s_own_out(made):
    chat = made.run()
    parts = {split: set(part.prompt) for split, part in made.critique.groupby("split")}
    assert not parts["train"] & parts["held_out"]
    assert all("of base" not in turn["content"] for question in chat.asked for turn in question.messages)
    for split, role in (("train", "judge_train"), ("held_out", "judge_held_out")):
        assert any(role in prompt for prompt in parts[split])
    assert made.testing.output.str.contains("of seed|of judge_train|In a story|How can", regex=True).all()
    outputs = {split: set(part.output) for split, part in made.testing.groupby("split")}
    assert not outputs["train"] & outputs["held_out"]


def test_every_kind_and_task_is_there_and_counted(made):
    made.run()
    assert set(made.critique.kind) == set(KINDS)
    assert set(made.testing.task) == set(MADE)
    assert made.counts["critique"]["train"]["kind"]["refusal"] == 3
    assert made.counts["asked"]["finish"]["error"] == made.counts["asked"]["questions"] // 5
    assert set(made.critique.label) == {"safe", "unsafe"}


def test_what_the_testing_model_is_given_fits_the_task(made):
    made.run()
    of = dict(list(made.testing.groupby("task")))
    assert all(row.output not in row.source_prompt.split("\n") for row in of["generate"].itertuples())
    assert all(row.output in row.source_prompt for row in of["rewrite"].itertuples())
    for row in of["transfer"].itertuples():
        assert row.source_prompt.split()[0] == row.output.split()[0]
        assert row.risk_path.rpartition(" / ")[2].lower() in row.output
        assert row.risk_path.rpartition(" / ")[2].lower() not in row.source_prompt
    assert set(of["reverse_induction"].attack) == {"reverse_induction"}
    assert set(of["generate"].attack) == {""}


def test_same_bytes_each_time(made):
    made.run("a")
    made.run("b")
    for name in ("critique.parquet", "testing.parquet", "counts.json"):
        assert (made.root / "a" / name).read_bytes() == (made.root / "b" / name).read_bytes()


def test_a_model_that_declines_everything_cannot_comply(made):
    with pytest.raises(DataError, match="need plain prompts with answers"):
        made.run(chat=Echo(declines=True))


def test_a_misspelt_kind_and_task(made):
    with pytest.raises(ArgumentError, match="got 'refusals'"):
        made.run(kinds={"refusals": (1, 1)})
    with pytest.raises(ArgumentError, match="got 'rewriting'"):
        made.run(tasks={"rewriting": (1, 1)})


def test_no_comment_toxic_enough(made):
    with pytest.raises(DataError, match=r"toxic comments of score 0\.95"):
        made.run(toxicity=0.95)
