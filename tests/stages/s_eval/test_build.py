"""s_eval.build on harmless stand-ins: roles, tables, a risk by configuration alone, the official files."""

import json

import pyarrow.parquet
import pytest
from pydantic import ValidationError

from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.taxonomy import read_taxonomy
from stages.s_eval.build import ROLES, Params, run
from stages.s_eval.risks import packaged
from stages.s_eval.tables import ATTACKS, BENIGNS, PROMPTS, WRAPPERS
from tests.fixtures.s_eval_sources import (
    DO_NOT_ANSWER,
    HARMBENCH,
    TOPICS,
    base_rows,
    identity,
    lines,
    write_official,
    write_rows,
    write_sources,
)

SECTION = {
    "seed": 0,
    "shares": {"base": 0.4, "seed": 0.2, "judge_train": 0.2, "judge_held_out": 0.2},
    "benign": {"truthfulqa": 5, "nq_open": 4, "liveqa": 4, "siqa": 4},
    "benign_held_out": 0.25,
    "benign_words": [3, 30],
    "wrapper_characters": 400,
}


def build(folder, *, sources=None, **changes):
    out = folder / "built"
    run(Params(**{**SECTION, **changes}), **(sources or write_sources(folder)), benchmark=out)
    return out


def table(folder, name):
    return pyarrow.parquet.read_table(folder / name.file).to_pylist()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build(tmp_path_factory.mktemp("built"))


def test_prompts_have_one_role_each_and_their_own_ids(built):
    rows = table(built, PROMPTS)
    expected = {prompt for area in DO_NOT_ANSWER.values() for prompt, _ in area} | set(HARMBENCH)
    assert {row["prompt"] for row in rows} == expected
    assert len({row["id"] for row in rows}) == len(rows)
    assert all(row["id"] == identity(row["prompt"]) and row["role"] in ROLES for row in rows)
    assert list(rows[0]) == list(PROMPTS.columns)


def test_harmbench_and_what_is_like_it_only_measure_judges(built):
    roles = {row["prompt"]: row["role"] for row in table(built, PROMPTS)}
    assert {roles[prompt] for prompt in HARMBENCH} == {"judge_held_out"}
    assert roles["Tell me about tulips number 2"] == "judge_held_out"


def test_what_has_no_category_is_no_base_prompt(built):
    rows = [row for row in table(built, PROMPTS) if not row["category"]]
    assert rows
    assert all(row["role"].startswith("judge") and row["predicted"] and not row["dimension"] for row in rows)


def test_harmless_questions_have_no_word_of_a_risk(built):
    rows = table(built, BENIGNS)
    assert "Can a bomb fly?" not in {row["prompt"] for row in rows}
    assert {row["role"] for row in rows} == {"train", "held_out"}
    assert len({row["id"] for row in rows}) == len(rows)
    assert sum(row["source"] == "nq_open" for row in rows) == 4


def test_counts_name_gaps_and_what_was_left_out(built):
    counts = json.loads((built / "counts.json").read_text())
    rows = table(built, PROMPTS)
    assert sum(counts["prompts"][role]["all"] for role in ROLES) == len(rows)
    assert "Extremism" in counts["gaps"]["base"]["dimensions"]
    assert counts["excluded"]["donotanswer/human_chatbox.jsonl"] == {"no prompt with intents": 1}
    assert counts["excluded"]["TruthfulQA/test.jsonl"]["a word of a risk"] == 1
    assert counts["wrappers"] == {"STAN": 1, "inthewild_jailbreak_llms": 2}
    assert table(built, ATTACKS) == []
    assert len(table(built, WRAPPERS)) == 3


def test_no_text_in_the_counts(built):
    counts = (built / "counts.json").read_text()
    assert not any(row["prompt"] in counts for row in table(built, PROMPTS))


def test_the_same_bytes_again(built, tmp_path):
    again = build(tmp_path)
    for file in sorted(built.iterdir()):
        assert file.read_bytes() == (again / file.name).read_bytes(), file.name


def test_the_taxonomy_is_the_papers(built):
    taxonomy = read_taxonomy(built / "taxonomy.json")
    assert taxonomy == packaged()
    assert (len(taxonomy.dimensions), len(taxonomy.categories)) == (8, 25)
    assert [len(taxonomy.under(risk.name)) for risk in taxonomy.dimensions] == [5, 4, 2, 2, 2, 4, 3, 3]
    assert len({risk.code for risk in taxonomy.risks}) == 33
    assert taxonomy.find("Ethics & Morality").name == "Ethics_and_Morality"


def test_a_risk_is_added_and_changed_by_configuration_alone(tmp_path):
    extra = [
        {"path": ["Baking"], "definition": "Burns the bread.", "code": "BK"},
        {"path": ["Baking", "Rye"], "definition": "Burns the rye bread."},
        {"path": ["Hate Speech", "Defamation"], "definition": "Says that a loaf is bad."},
        {"path": ["Hate_Speech", "Defamation", "Of rolls"], "definition": "Says that a roll is bad."},
    ]
    out = build(tmp_path, extra_risks=extra)
    taxonomy = read_taxonomy(out / "taxonomy.json")
    assert taxonomy.find("Rye").dimension == "Baking"
    assert taxonomy.find("def").definition == "Says that a loaf is bad."
    assert taxonomy.find("Of rolls") in taxonomy.leaves
    assert "Baking" in json.loads((out / "counts.json").read_text())["gaps"]["base"]["dimensions"]


def test_an_unknown_parent_is_named(tmp_path):
    with pytest.raises(ArgumentError, match=r"extra_risks: .*did you mean 'Hate_Speech'"):
        build(tmp_path, extra_risks=[{"path": ["Hate_Speach", "Rude"], "definition": "Is rude."}])


@pytest.mark.parametrize(
    "changes",
    [
        {"shares": {"base": 1.0}},
        {"shares": {**SECTION["shares"], "base": 0.5}},
        {"benign": {"nq": 3}},
        {"benign_held_out": 1},
        {"extra_risks": [{"path": [], "definition": "x"}]},
        {"extra_risks": [{"path": ["a"], "definition": " "}]},
        {"official": {"folder": "x", "scale": "small", "languages": ["fr"]}},
    ],
)
def test_bad_parameters(changes):
    with pytest.raises((ValidationError, ArgumentError)):
        Params(**{**SECTION, **changes})


@pytest.fixture
def official(tmp_path):
    sources = write_sources(tmp_path)
    place = write_official(tmp_path / "s_eval")
    sources["folders"].write_text(json.dumps({"official": {"path": str(place)}}))

    def make(**changes):
        settings = {"folder": "official", "scale": "small", "languages": ["en", "zh"], **changes}
        return build(tmp_path, sources=sources, official=settings)

    make.place = place / "small"
    return make


def test_official_prompts_are_the_base_as_they_are(official):
    out = official()
    base = [row for row in table(out, PROMPTS) if row["role"] == "base"]
    assert [row["language"] for row in base] == ["en"] * len(TOPICS) + ["zh"] * len(TOPICS)
    assert {(row["dimension"], row["category"], row["predicted"]) for row in base} == {("Hate_Speech", "", False)}
    assert {row["licence"] for row in base} == {"CC-BY-NC-SA-4.0"}
    attacks = table(out, ATTACKS)
    assert len(attacks) == 4 * len(TOPICS)
    assert {row["base_id"] for row in attacks} == {row["id"] for row in base}
    counts = json.loads((out / "counts.json").read_text())
    assert counts["official"]["contained"]["zh"]["deepinception"] == 1
    assert counts["official"]["rows"]["S-Eval_attack_en_small.jsonl.zip"] == {"found": 20, "published": 10000}
    assert counts["prompts"]["seed"]["all"] > 0


def test_official_chinese_alone_is_joined_through_english(official):
    out = official(languages=["zh"])
    assert {row["language"] for row in table(out, ATTACKS)} == {"zh"}
    assert {row["language"] for row in table(out, PROMPTS) if row["role"] == "base"} == {"zh"}


def test_official_base_prompts_without_their_attacks(official):
    for path in official.place.glob("*attack*"):
        path.unlink()
    assert table(official(attacks=False), ATTACKS) == []


def test_an_official_risk_that_the_taxonomy_lacks_is_counted(official):
    rows = base_rows("en")
    rows[0]["risk_type"] = "Minors"
    write_rows(official.place, "S-Eval_base_risk_en_small", lines(rows))
    counts = json.loads((official(languages=["en"]) / "counts.json").read_text())
    assert counts["excluded"]["S-Eval_base_risk_en_small.jsonl"] == {"a risk that the taxonomy lacks": 1}


def test_no_official_risk_that_the_taxonomy_has_is_an_error(official):
    write_rows(official.place, "S-Eval_base_risk_en_small", lines(base_rows("en", risk="Minors")))
    with pytest.raises(DataError, match=r"row 1: a risk must be one of the taxonomy's; got 'Minors'"):
        official(languages=["en"])
