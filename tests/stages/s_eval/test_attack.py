"""s_eval.attack on benign prompts, with a chat model of plain rules in every part: files, drops, chance, bad input."""

import hashlib
import json
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from gauntlet.attacks.prompts.table import TEXT_ATTACKS
from gauntlet.errors import DataError, UnavailableError
from gauntlet.models.chat import Answer
from gauntlet.readers.s_eval import read_s_eval
from stages.files import dvc_md5, write_json
from stages.s_eval import attack as stage
from stages.s_eval import serving
from stages.s_eval.tables import ATTACKS, BENIGNS, PROMPTS, WRAPPERS, prompt_id, write_table

RISKS = {"Kitchen_Risks": ("bread", "soup"), "Garden_Risks": ("roses",)}
PARAMS = {
    "seed": 0,
    "testing": {"counts": {"generate": 1}, "shown": 2, "tokens": 20, "attack_tokens": 40},
    "selection": {"similarity": 0.98, "rank": 1, "shortlist": 6, "least_unsafe": 0.1, "quota": 2},
    "panel": {"victims": {"plain": "", "careful": "Be careful."}, "tokens": 8},
    "demonstrations": {"count": 4, "shots": 2, "words": 5},
    "wrapper_words": 6,
    "attacks": list(TEXT_ATTACKS),
    "attacked": 3,
    "slots": 2,
    "context_tokens": 512,
}


class RuleChat:
    """Answers by the part it plays: the testing model writes, the victim talks, the judge finds "how" unsafe."""

    def __init__(self, part: str) -> None:
        self.name = self.part = part

    def ask(self, questions, *, logprobs=0):
        for question in reversed(list(questions)):  # in any order
            yield getattr(self, f"_{self.part}")(question, question.messages[-1]["content"])

    def _testing(self, question, text):
        topic = text.partition("Risk: ")[2].partition("\n")[0].rpartition(" / ")[2]
        number = prompt_id(question.id)[:6]
        return Answer(question.id, f'"Tell me how {topic} {topic} and {number} go."\n\nDone.')

    def _victim(self, question, text):
        return Answer(question.id, f"Heard by {question.messages[0]['role']}: {text}")

    def _critique(self, question, text):
        risk = 0.9 if "how" in text.lower().partition("[response")[0] else 0.05
        return Answer(question.id, "safe", first_token={"safe": np.log(1 - risk), "unsafe": np.log(risk)})


class WordVectors:
    """An encoder of words: a text is the sum of its words' random vectors."""

    def __init__(self, _path: Path) -> None: ...

    def __call__(self, texts):
        rows = [sum(self._word(word) for word in text.lower().replace(":", " ").split()) for text in texts]
        return np.stack([row / np.linalg.norm(row) for row in rows])

    @staticmethod
    def _word(word):
        seed = int(hashlib.md5(word.strip(".?").encode()).hexdigest()[:8], 16)
        topic = word.strip(".?") in ("bread", "soup", "roses")
        return np.random.default_rng(seed).normal(size=32) * (3 if topic else 1)


def prompt_row(prompt: str, category: str, role: str) -> dict:
    dimension = next((name for name, own in RISKS.items() if category in own), "")
    rest = {"language": "en", "source": "tests", "licence": "MIT", "predicted": False, "role": role}
    return {"id": prompt_id(prompt), "prompt": prompt, "dimension": dimension, "category": category} | rest


@pytest.fixture
def benchmark(tmp_path):
    folder = tmp_path / "benchmark"
    folder.mkdir()
    rows = [prompt_row(f"How do I store {n} {name} {name} in {n}?", name, "base") for name in ("bread", "soup", "roses")
            for n in ("June", "a tin", "the dark")]  # fmt: skip
    rows += [
        prompt_row("Sing of bread bread today.", "bread", "base"),
        prompt_row("How long is a mile?", "soup", "base"),
    ]
    rows += [prompt_row("How may roses roses grow high?", "", "base")]
    rows += [prompt_row(f"What about {name} {name}?", name, "seed") for name in ("bread", "soup", "roses")]
    rows += [prompt_row("How do I store June bread bread in June ?", "bread", "judge_held_out")]
    write_table(folder, PROMPTS, rows)
    write_table(folder, ATTACKS, [])
    asked = [("What is rye?", "Rye is a grain that is grown in fields.", "train"), ("What is oat?", "", "train")]
    benign = [{"id": q, "prompt": q, "answer": a, "source": "tests", "role": role} for q, a, role in asked]
    write_table(folder, BENIGNS, benign)
    templates = ["Be brief. {prompt}", "This wrapper is far too long for the test: {prompt}"]
    write_table(folder, WRAPPERS, [{"id": text, "template": text, "source": "tests"} for text in templates])
    risks = [{"path": [d, *c], "definition": f"All about {' '.join(c) or d}.", "code": ""} for d, own in RISKS.items()
             for c in ([], *([name] for name in own))]  # fmt: skip
    write_json(folder / "taxonomy.json", {"risks": risks})
    return folder


@pytest.fixture(autouse=True)
def rules(monkeypatch, tmp_path):
    @contextmanager
    def served(gguf, **_):
        yield RuleChat(gguf.parent.name)

    monkeypatch.chdir(tmp_path)
    for part in ("testing", "critique", "victim"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "model.gguf").write_text(part)
    monkeypatch.setattr(serving, "served", served)
    monkeypatch.setattr(stage, "Embedding", WordVectors)


def run(benchmark: Path, name: str = "attacked", **changes) -> Path:
    out = benchmark.parent / name
    parts = {part: benchmark.parent / part for part in ("testing", "critique")}
    params = stage.Params.model_validate(PARAMS | changes)
    stage.run(params, benchmark=benchmark, chat_model=Path("victim"), encoder=Path("none"), attacked=out, **parts)
    return out


def index(out: Path) -> pd.DataFrame:
    return pd.read_parquet(out / "index.parquet")


def test_the_official_reader_reads_both_files_and_the_index_joins_them(benchmark):
    out = run(benchmark)
    table = index(out)
    base = read_s_eval(out, kind="base_risk", language="en", scale="small")
    attacks = read_s_eval(out, kind="attack", language="en", scale="small")
    assert not base.excluded
    assert not attacks.excluded
    assert table.id.tolist() == [one.id for one in (*base.prompts, *attacks.prompts)]
    assert table.id.is_unique
    assert list(dict.fromkeys(one.attack for one in attacks.prompts)) == list(TEXT_ATTACKS)
    for name, block in table[table.attack != ""].groupby("attack"):
        assert block.base_id.tolist() == [one.id for one in base.prompts[:3]], name
    by_id = {one.id: one.prompt for one in base.prompts}
    for row, one in zip(table[table.attack == "deepinception"].itertuples(),
                        (one for one in attacks.prompts if one.attack == "deepinception"), strict=True):  # fmt: skip
        assert by_id[row.base_id] in one.prompt


def test_dimensions_fill_their_quota_and_take_turns(benchmark):
    table = index(run(benchmark))
    base = table[table.attack == ""]
    assert Counter(base.dimension) == {"Kitchen_Risks": 2, "Garden_Risks": 2}
    assert Counter(base[base.dimension == "Kitchen_Risks"].category) == {"bread": 1, "soup": 1}
    assert base.dimension[:2].nunique() == 2
    assert base.unsafe.tolist() == pytest.approx([0.9] * 4)


def test_every_candidate_is_chosen_or_dropped_with_a_reason(benchmark):
    out = run(benchmark, selection=PARAMS["selection"] | {"shortlist": 7})
    dropped = pd.read_parquet(out / "dropped.parquet")
    counts = json.loads((out / "counts.json").read_text())
    base = sum(counts["base"].values())
    candidates = counts["candidates"]
    assert base + len(dropped) == candidates["published"] + candidates["written"] == 12 + 2
    assert (dropped.reason != "").all()
    steps = dict(zip(dropped.id, dropped.stage, strict=True))
    assert steps[prompt_id("Sing of bread bread today.")] == "harmfulness"
    assert steps[prompt_id("How do I store June bread bread in June?")] == "duplicate"
    assert steps[prompt_id("How long is a mile?")] == "relevance"
    assert counts["dropped"] == dict(Counter(dropped.stage))
    assert set(dropped.stage) == {"duplicate", "relevance", "harmfulness", "diversity"}
    assert set(pd.read_parquet(run(benchmark, "short") / "dropped.parquet").stage) >= {"shortlist"}


def test_a_candidate_without_a_category_gets_the_nearest_and_says_so(benchmark):
    out = run(benchmark, selection=PARAMS["selection"] | {"quota": 20, "shortlist": 20})
    row = index(out).set_index("id").loc[prompt_id("How may roses roses grow high?")]
    assert (row.category, row.dimension, row.predicted) == ("roses", "Garden_Risks", True)
    assert index(out).source.str.startswith("testing model, generate").any()


def test_two_runs_give_the_same_bytes_and_fewer_attacks_leave_the_others_as_they_were(benchmark):
    one = run(benchmark)
    assert dvc_md5(one) == dvc_md5(run(benchmark, "again"))
    few = ["goal_hijacking", "in_context_attack"]
    table = index(run(benchmark, "few", attacks=few))
    whole = index(one)
    assert table.id.tolist() == whole[whole.attack.isin(["", *few])].id.tolist()


def test_the_testing_model_writes_its_attacks_or_the_fallback_is_counted(benchmark, monkeypatch):
    assert json.loads((run(benchmark) / "counts.json").read_text())["fallbacks"] == {}
    monkeypatch.setattr(RuleChat, "_testing", lambda self, question, text: Answer(question.id, "No.", "empty"))
    counts = json.loads((run(benchmark, "mute") / "counts.json").read_text())
    assert counts["fallbacks"] == {"reverse_induction": 3, "compositional_instructions": 3}
    assert counts["candidates"] == {"published": 12, "written": 0, "nothing_written": 2}


def test_demonstrations_are_the_panels_unsafe_answers_to_others_and_harmless_ones_after(benchmark):
    out = run(benchmark)
    counts = json.loads((out / "counts.json").read_text())
    assert counts["demonstrations"]["judged_unsafe"] > 0
    assert counts["wrappers"] == 1
    chosen = {one.prompt for one in read_s_eval(out, kind="base_risk", language="en", scale="small").prompts}
    for one in read_s_eval(out, kind="attack", language="en", scale="small").prompts:
        if one.attack == "in_context_attack":
            *shown, _ = one.prompt.split("User: ")[1:]
            assert len(shown) == 2
            assert not {turn.partition("\n")[0] for turn in shown} & chosen
            assert all(len(turn.partition("Assistant:")[2].split()) <= 5 for turn in shown)
    few = run(benchmark, "few", selection=PARAMS["selection"] | {"quota": 20})
    shown = json.loads((few / "counts.json").read_text())["demonstrations"]
    assert shown == {"judged_unsafe": 0, "benign": 1}


def test_a_run_that_broke_off_asks_nothing_twice_and_ends_alike(benchmark, monkeypatch):
    asked, ask = Counter(), RuleChat.ask

    def broken(self, questions, *, logprobs=0):
        for answer in ask(self, questions, logprobs=logprobs):
            asked[self.part, answer.id] += 1
            if sum(asked.values()) == 20:
                raise UnavailableError("the server died")
            yield answer

    monkeypatch.setattr(RuleChat, "ask", broken)
    with pytest.raises(UnavailableError):
        run(benchmark, "broken")
    out = run(benchmark)
    assert sorted(asked.values())[-2:] == [1, 2]  # the one in flight, which nobody heard
    assert not Path(".checkpoints/s_eval-attack").exists()
    monkeypatch.setattr(RuleChat, "ask", ask)
    assert dvc_md5(out) == dvc_md5(run(benchmark, "undisturbed"))


def test_a_candidate_that_no_victim_answers_is_dropped_by_name(benchmark, monkeypatch):
    speak = RuleChat._victim

    def mute(self, question, text):
        return Answer(question.id, "", "error", "context") if "tin" in text else speak(self, question, text)

    monkeypatch.setattr(RuleChat, "_victim", mute)
    dropped = pd.read_parquet(run(benchmark, selection=PARAMS["selection"] | {"shortlist": 9}) / "dropped.parquet")
    silent = dropped[dropped.reason == "no verdict on any answer"]
    assert sorted(silent.id) == sorted(prompt_id(f"How do I store a tin {n} {n} in a tin?") for n in
                                       ("bread", "soup", "roses"))  # fmt: skip


def test_official_prompts_pass_as_they_are(benchmark):
    rows = [prompt_row(text, "", "base") | {"dimension": "Kitchen_Risks"} for text in ("怎样烤面包？", "怎样煮汤？")]
    rows = [row | {"language": "zh"} for row in rows]
    write_table(benchmark, PROMPTS, rows)
    attacks = [
        row | {"id": prompt_id(f"故事：{row['prompt']}"), "base_id": row["id"], "prompt": f"故事：{row['prompt']}"}
        | {"attack": "deepinception"}
        for row in rows
    ]  # fmt: skip
    write_table(benchmark, ATTACKS, attacks)
    out = run(benchmark)
    assert index(out).id.tolist() == [row["id"] for row in [*rows, *attacks]]
    assert index(out).base_id.tolist() == [row["id"] for row in rows] * 2
    found = read_s_eval(out, kind="attack", language="zh", scale="small").prompts
    assert [one.prompt for one in found] == [row["prompt"] for row in attacks]
    assert len(pd.read_parquet(out / "dropped.parquet")) == 0


def test_no_base_prompt_left_names_the_step(benchmark):
    with pytest.raises(DataError, match="none passed harmfulness"):
        run(benchmark, selection=PARAMS["selection"] | {"least_unsafe": 1.0})
    write_table(benchmark, PROMPTS, [])
    with pytest.raises(DataError, match="must hold base prompts in en"):
        run(benchmark, "none", testing=PARAMS["testing"] | {"counts": {}})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attacks": ["deep_inception"]}, "got deep_inception; misspelt"),
        ({"attacks": ["deepinception"] * 2}, "one stands twice"),
        ({"testing": PARAMS["testing"] | {"counts": {"invent": 1}}}, "got invent; misspelt"),
        ({"panel": {"victims": {}, "tokens": 8}}, "at least 1"),
    ],
)
def test_bad_parameters_are_named(change, message):
    with pytest.raises((ValidationError, ValueError), match=message):
        stage.Params.model_validate(PARAMS | change)
