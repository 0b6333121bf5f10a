from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from gauntlet.errors import DataError
from stages.summary.figures import inert
from stages.summary.language_results import Ruling
from stages.summary.readings import read_scores
from stages.summary.s_eval_answers import MOST_LETTERS, Records, choose, find_records
from tests.fixtures.language_scores import (
    ATTACKS,
    write_answers,
    write_index,
    write_language_results,
    write_s_eval_score,
)


def ruling(number: int, *, tag: str = "safe", attack: str = "") -> Ruling:
    return Ruling(id=f"{number:03}", attack=attack, dimension="Cybersecurity", tag=tag)


def find(data: Path, *, rows: int = 12) -> list[Records]:
    return find_records(data / "answers", data / "attacked", read_scores(data / "scores"), rows=rows)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_language_results(tmp_path_factory.mktemp("data"))


def test_choice_takes_every_verdict_on_every_attack_before_a_second_of_any():
    rulings = [
        ruling(number, tag=tag, attack=attack)
        for number, (attack, tag) in enumerate(
            (attack, tag) for attack in ("", *ATTACKS) for tag in ("safe", "unsafe", "error") for _ in range(4)
        )
    ]
    kinds = 3 * (1 + len(ATTACKS))
    first = choose(rulings, most=kinds)
    assert len({(each.attack, each.tag) for each in first}) == kinds
    assert first[0].attack == ""
    assert [each.tag for each in first[: 1 + len(ATTACKS)]] == ["unsafe"] * (1 + len(ATTACKS))
    assert choose(list(reversed(rulings)), most=kinds) == first
    assert len(choose(rulings, most=999)) == len(rulings)
    assert choose(rulings, most=0) == []


def test_records_hold_the_greedy_answer_and_mark_predicted_labels(data: Path):
    plain, safe = find(data)
    assert (plain.victim, safe.victim) == ("smollm2", "smollm2_safe")
    assert {row.response for row in plain.rows} == {"Bread needs flour, water and time."}
    assert all(row.predicted == bool(row.attack) for row in plain.rows)
    assert plain.left_out == 90 - 12
    first = plain.rows[0]
    assert (first.tag, first.rules, first.finish, first.letters, first.cut) == ("unsafe", "safe", "length", 34, 0)


def test_no_rows_no_records(data: Path):
    assert find(data, rows=0) == []


def test_verdicts_are_shown_where_the_answers_are_not_at_hand(tmp_path: Path):
    write_s_eval_score(tmp_path / "scores", victim="smollm2", safe=0.5)
    (records,) = find(tmp_path)
    assert {row.response for row in records.rows} == {None}
    assert not any(row.predicted for row in records.rows)


@pytest.mark.parametrize(("response", "letters"), [(None, 0), ("", 0), ("x" * (MOST_LETTERS + 5), MOST_LETTERS + 5)])
def test_empty_and_endless_responses(tmp_path: Path, response: str | None, letters: int):
    write_s_eval_score(tmp_path / "scores", victim="smollm2", safe=0.5)
    write_answers(tmp_path, victim="smollm2", response=response)
    row = find(tmp_path)[0].rows[0]
    assert (row.letters, len(row.response)) == (letters, min(letters, MOST_LETTERS))
    assert row.cut == letters - len(row.response)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain <b>&amp; text</b>\n\tnext", "plain <b>&amp; text</b>\n\tnext"),
        ("a\r\nb\rc", "a\nb⟨U+000D⟩c"),
        ("\u202eevil\u202c \u2066x\u2069 \u200fy", "⟨U+202E⟩evil⟨U+202C⟩ ⟨U+2066⟩x⟨U+2069⟩ ⟨U+200F⟩y"),
        ("\x00\x1b[31m\x7f\x85", "⟨U+0000⟩⟨U+001B⟩[31m⟨U+007F⟩⟨U+0085⟩"),
        ("\ufeff\u2028\u2029\u00ad", "⟨U+FEFF⟩⟨U+2028⟩⟨U+2029⟩⟨U+00AD⟩"),
        ("\U000e0041", "⟨U+E0041⟩"),
        ("中文 עברית 👩\u200d🍳 e\u0301", "中文 עברית 👩\u200d🍳 e\u0301"),
    ],
)
def test_what_no_one_sees_is_spelled_out_and_all_else_stays(text: str, shown: str):
    assert inert(text) == shown
    assert inert(shown) == shown


def test_a_table_that_is_none_and_a_missing_column_are_named(tmp_path: Path):
    write_s_eval_score(tmp_path / "scores", victim="smollm2", safe=0.5)
    file = write_answers(tmp_path, victim="smollm2")
    table = pyarrow.parquet.read_table(file)
    pyarrow.parquet.write_table(table.drop_columns(["response"]), file)
    with pytest.raises(DataError, match=r"answers\.parquet must have columns id, .*; response is missing"):
        find(tmp_path)
    file.write_text("<html>")
    with pytest.raises(DataError, match=r"answers\.parquet must be a Parquet table; "):
        find(tmp_path)
    write_answers(tmp_path, victim="smollm2")
    write_index(tmp_path).write_bytes(b"")
    with pytest.raises(DataError, match=r"index\.parquet must be a Parquet table; "):
        find(tmp_path)
