"""The testing model's chat: every task asks in its own words, and covers the attacks that a model writes."""

import pytest

from gauntlet.attacks.prompts import testing_format
from gauntlet.attacks.prompts.table import MODEL_WRITTEN
from gauntlet.attacks.prompts.testing_format import TASKS, written
from gauntlet.errors import ArgumentError

ABOUT = {"risk_path": "Kitchen / bread", "definition": "Bakes bread.", "source_prompt": " How is bread made?\n"}


@pytest.mark.parametrize("task", TASKS)
def test_a_task_is_asked_with_risk_definition_and_source(task):
    system, user = testing_format.testing_messages(task, **ABOUT)
    assert system == testing_format.testing_messages("rewrite", **ABOUT)[0]
    assert user["content"] == (
        f"{TASKS[task]}\nRisk: Kitchen / bread\nDefinition: Bakes bread.\nQuestion: How is bread made?"
    )


def test_the_tasks_cover_the_attacks_that_a_model_writes():
    assert set(MODEL_WRITTEN) < set(TASKS)
    assert len(set(TASKS.values())) == len(TASKS)


def test_an_unknown_task_is_named():
    with pytest.raises(ArgumentError, match=r"got generat$"):
        testing_format.testing_messages("generat", **ABOUT)


@pytest.mark.parametrize(
    ("response", "prompt"), [("", ""), ("\n“Bake  it.”\n\nThen more", "Bake it."), ("a\nb", "a b")]
)
def test_an_answer_holds_one_prompt(response, prompt):
    assert written(response) == prompt
