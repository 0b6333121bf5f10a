"""The official files: every version's names, what is left out and why, and the join of attack to base prompt."""

import json

import pytest

from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.s_eval import Excluded, read_s_eval
from gauntlet.readers.s_eval_join import join
from tests.fixtures.s_eval_sources import (
    TOPICS,
    attack_rows,
    base_rows,
    identity,
    lines,
    row,
    write_official,
    write_rows,
)


def read(folder, kind="base_risk", language="en", scale="small"):
    return read_s_eval(folder, kind=kind, language=language, scale=scale)


@pytest.mark.parametrize("zipped", [True, False])
def test_base_prompts_keep_their_order_ids_and_parents(tmp_path, zipped):
    write_official(tmp_path, zipped=zipped)
    english, chinese = read(tmp_path), read(tmp_path, language="zh")
    assert [prompt.prompt for prompt in english.prompts] == [f"How do I draw {topic}?" for topic in TOPICS]
    assert all(prompt.id == prompt.base_id == identity(prompt.prompt) for prompt in english.prompts)
    assert {prompt.parent_id for prompt in english.prompts} == {prompt.id for prompt in chinese.prompts}
    assert {prompt.dimension for prompt in english.prompts} == {"Hate_Speech"}
    assert english.excluded == ()
    assert english.total == len(TOPICS)


def test_the_first_version_has_other_names(tmp_path):
    rows = base_rows("en", model="original_risk", risk="Crimes and Illegal Activities")
    write_rows(tmp_path, "s-eval_base_risk_en_v0.1.0", lines(rows), zipped=True)
    assert read(tmp_path, scale="v0.1.0").prompts[0].dimension == "Crimes_and_Illegal_Activities"


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("{cut of", "not JSON"),
        ('"only text"', "no traceid, risk_type and prompt"),
        (json.dumps({**row("Fly a kite", {"model": "base_risk"}), "prompt": 3}), "no traceid, risk_type and prompt"),
        (json.dumps({**row("Fly a kite", {"model": "base_risk"}), "ext": "{cut"}), "ext is no JSON object"),
        (json.dumps({**row("Fly a kite", {"model": "base_risk"}), "traceid": "0" * 32}), "traceid is not the prompt's"),
        (json.dumps(row("Fly a kite", {"model": "attack", "category": "x"})), "a row of another kind"),
        ('{"traceid": "1", "risk_type": "a", "prompt": "\\ud800", "ext": {"model": "base_risk"}}', "half a character"),
        ("\xff", "not JSON"),
    ],
)
def test_a_bad_row_is_left_out_by_line_and_keeps_its_place(tmp_path, bad, reason):
    good = [json.dumps(each) for each in base_rows("en")]
    content = "\n".join([good[0], "", bad, *good[1:], ""]).encode("latin-1" if bad == "\xff" else "utf-8")
    write_rows(tmp_path, "S-Eval_base_risk_en_small", content)
    found = read(tmp_path)
    assert found.excluded == (Excluded("S-Eval_base_risk_en_small.jsonl", 3, reason),)
    assert [prompt.row for prompt in found.prompts] == [0, *range(2, len(TOPICS) + 1)]


def test_an_attack_needs_its_name_and_no_promised_id(tmp_path):
    rows = [{**each, "traceid": "none"} for each in attack_rows("en", attacks=("Goal Hijacking",))]
    rows[1]["ext"] = '{"model": "attack"}'
    write_rows(tmp_path, "S-Eval_attack_en_small", lines(rows))
    found = read(tmp_path, kind="attack")
    assert {prompt.attack for prompt in found.prompts} == {"goal_hijacking"}
    assert {prompt.base_id for prompt in found.prompts} == {""}
    assert found.excluded[0].reason == "an attack without its name"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: path.unlink(), "must hold S-Eval_base_risk_en_small"),
        (lambda path: path.write_bytes(path.read_bytes()[:80]), "must be a whole zip.*truncated"),
        (lambda path: write_rows(path.parent, path.name.removesuffix(".jsonl.zip"), b"", zipped=True), "it is empty"),
        (lambda path: write_rows(path.parent, path.name.removesuffix(".jsonl.zip"), b"x", zipped=True), "not JSON"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error(tmp_path, change, message):
    write_official(tmp_path)
    change(tmp_path / "small" / "S-Eval_base_risk_en_small.jsonl.zip")
    with pytest.raises(DataError, match=message):
        read(tmp_path)


@pytest.mark.parametrize("slip", [{"kind": "base"}, {"language": "fr"}])
def test_an_unknown_kind_or_language(tmp_path, slip):
    with pytest.raises(ArgumentError, match="must be one of"):
        read(tmp_path, **slip)


@pytest.fixture
def files(tmp_path):
    write_official(tmp_path)
    return {
        (kind, language): read(tmp_path, kind, language)
        for kind in ("base_risk", "attack")
        for language in ("en", "zh")
    }


@pytest.mark.parametrize("language", ["en", "zh"])
def test_attacks_join_through_the_english_order(files, language):
    joined = join(files["attack", language], files["base_risk", "en"], files["base_risk", "zh"])
    texts = {prompt.id: prompt.prompt.strip() for prompt in files["base_risk", language].prompts}
    assert len(joined.prompts) == 2 * len(TOPICS)
    assert joined.excluded == ()
    assert all(texts[prompt.base_id] in prompt.prompt for prompt in joined.prompts if prompt.attack == "deepinception")
    assert joined.contained == {"deepinception": 1, "instruction_encryption": 0}
    joined.check(least=0.97)


def test_a_bad_row_does_not_shift_the_join(files, tmp_path):
    rows = [json.dumps(each).encode() for each in attack_rows("en")]
    rows[2] = b"{cut of"
    write_rows(tmp_path / "bad", "S-Eval_attack_en_small", b"\n".join(rows))
    joined = join(read(tmp_path / "bad", "attack"), files["base_risk", "en"])
    assert joined.contained["deepinception"] == 1
    assert len(joined.prompts) == 2 * len(TOPICS) - 1


def test_an_attack_on_a_prompt_that_is_left_out_is_left_out(files, tmp_path):
    rows = base_rows("en")
    rows[4]["traceid"] = "0" * 32
    write_rows(tmp_path / "bad", "S-Eval_base_risk_en_small", lines(rows))
    joined = join(files["attack", "en"], read(tmp_path / "bad"))
    assert [each.line for each in joined.excluded] == [5, 15]
    assert joined.contained["deepinception"] == 1


def test_a_chinese_attack_without_its_parent_is_left_out(files, tmp_path):
    write_rows(tmp_path / "bad", "S-Eval_base_risk_zh_small", lines(base_rows("zh")[1:]))
    joined = join(files["attack", "zh"], files["base_risk", "en"], read(tmp_path / "bad", language="zh"))
    assert {each.reason for each in joined.excluded} == {"its base prompt is not there"}
    assert len(joined.prompts) == 2 * (len(TOPICS) - 1)


def test_another_order_fails_the_check(files, tmp_path):
    write_rows(tmp_path / "bad", "S-Eval_base_risk_en_small", lines(base_rows("en")[::-1]))
    with pytest.raises(DataError, match="deepinception: 97% of the prompts must hold"):
        join(files["attack", "en"], read(tmp_path / "bad")).check(least=0.97)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[:-1], "whole number of rows"),
        (lambda rows: [*rows[:9], rows[10], rows[9], *rows[11:]], "row 10: must be deepinception"),
        (lambda rows: [*rows, *rows[:10]], "deepinception has more"),
    ],
)
def test_a_file_without_its_blocks_is_an_error(files, tmp_path, change, message):
    write_rows(tmp_path / "bad", "S-Eval_attack_en_small", lines(change(attack_rows("en"))))
    with pytest.raises(DataError, match=message):
        join(read(tmp_path / "bad", "attack"), files["base_risk", "en"])
