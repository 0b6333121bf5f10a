"""What the testing model is asked, and which of its answers are prompts."""

import pytest

from gauntlet.metrics.selection import Candidate
from gauntlet.models.chat import Answer
from gauntlet.taxonomy import Risk, Taxonomy
from stages.s_eval.tables import prompt_id
from stages.s_eval.testing import new_candidates, requests, rewrites

TAXONOMY = Taxonomy(
    (
        Risk(("Kitchen",), "All of it."),
        Risk(("Kitchen", "bread"), "Bakes bread."),
        Risk(("Kitchen", "soup"), "Cooks soup."),
        Risk(("Garden",), "All of it."),
        Risk(("Garden", "roses"), "Grows roses."),
    )
)


def seed(number: int, dimension: str, category: str) -> Candidate:
    text = f"What of {category} {number}?"
    return Candidate(prompt_id(text), text, dimension, category, predicted=False, source="")


SEEDS = [seed(n, *risk) for risk in (("Kitchen", "bread"), ("Garden", "roses")) for n in range(3)]


class Says:
    """A chat model that says the same, or one thing to each question; keeps what it was asked."""

    name = "says"

    def __init__(self, *lines: str) -> None:
        self.lines, self.asked = lines, []

    def ask(self, questions, *, logprobs=0):
        for place, question in enumerate(questions):
            self.asked.append(question)
            yield Answer(question.id, self.lines[place % len(self.lines)])


def test_categories_with_the_fewest_candidates_come_first_and_seeds_take_turns():
    wanted = requests(TAXONOMY, SEEDS, have={"bread": 4}, counts={"generate": 3}, shown=2)
    assert [(task, risk.name) for task, risk, _ in wanted] == [
        ("generate", name) for name in ("soup", "bread", "soup", "roses", "roses", "roses")
    ]
    soup, bread, again, *roses = [sources for *_, sources in wanted]
    assert bread == ("What of bread 0?", "What of bread 1?")
    assert soup == bread  # soup has no seed: its dimension's serve
    assert again == ("What of bread 1?", "What of bread 2?")
    assert roses[2] == ("What of roses 2?", "What of roses 0?")


def test_a_rewrite_needs_a_seed_of_its_risk_and_a_transfer_one_of_another():
    counts = {"rewrite": 2, "transfer": 1}
    wanted = requests(TAXONOMY, SEEDS, have={"soup": 0, "bread": 1}, counts=counts, shown=9)
    found = [(task, risk.name, sources) for task, risk, sources in wanted]
    assert found[0] == ("rewrite", "bread", ("What of bread 0?",))
    assert [(task, name) for task, name, _ in found] == [
        ("rewrite", "bread"),
        ("transfer", "soup"),
        ("rewrite", "roses"),
        ("rewrite", "roses"),
        ("transfer", "roses"),
    ]
    assert all(name not in sources[0] for task, name, sources in found if task == "transfer")
    assert requests(TAXONOMY, [], have={}, counts=counts, shown=1) == []


def test_a_candidate_is_an_answers_first_paragraph_under_its_risk():
    wanted = requests(TAXONOMY, SEEDS, have={}, counts={"generate": 1}, shown=2)
    chat = Says('"How is rye\n bread made?"\n\nI hope that helps.', "No.")
    found, unusable = new_candidates(chat, wanted, tokens=9)
    (one,) = found
    assert (one.prompt, one.category, one.predicted) == ("How is rye bread made?", "bread", True)
    assert one.id == prompt_id(one.prompt)
    assert one.source == "testing model, generate"
    assert unusable == 1
    asked = chat.asked[0].messages[-1]["content"]
    assert "Risk: Kitchen / bread\nDefinition: Bakes bread.\n" in asked
    assert asked.endswith("What of bread 0?\nWhat of bread 1?")
    assert chat.asked[0].decode.key == "greedy-9"


@pytest.mark.parametrize(("line", "count"), [("A story of bread.", 1), ("No.", 0), (SEEDS[0].prompt, 0)])
def test_an_attack_of_the_model_is_new_and_no_other_prompts(line, count):
    chat = Says(line)
    attacks = ["deepinception", "reverse_induction"]
    known = [one.prompt for one in SEEDS]
    texts = rewrites(chat, SEEDS[:2], taxonomy=TAXONOMY, attacks=attacks, known=known, tokens=9)
    assert len(chat.asked) == 2
    assert texts == dict([(("reverse_induction", SEEDS[0].prompt), line)][:count])
