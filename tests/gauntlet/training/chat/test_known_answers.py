import re
from collections import Counter
from dataclasses import fields

import numpy as np
import pytest

from gauntlet.attacks.prompts.table import TEXT_ATTACKS
from gauntlet.errors import DataError
from gauntlet.training.chat.known_answers import (
    EXPLANATIONS,
    KINDS,
    Harmful,
    Harmless,
    Material,
    continued,
    joined,
    known_answers,
)
from gauntlet.training.chat.phrasings import DECLINED, FRAMES, HELD_OUT, SETS, TRAIN

GOES_ON = "take the flour, add water and salt, and knead it well for ten minutes."


def material(split: str = "train") -> Material:
    return Material(
        harmful=tuple(
            Harmful(f"Tell me about lock {n}.", "Locks", "deepinception" if n % 3 == 0 else "", "Sure,", GOES_ON)
            for n in range(9)
        ),
        harmless=(Harmless("What is bread?", "A food of flour."), Harmless("What is salt?", "A mineral.")),
        toxic=("You are a bad cook.", "Nobody likes your bread."),
        phrasings=SETS[split],
    )


def made(split: str = "train", each: int = 4, seed: int = 0):
    return known_answers(material(split), dict.fromkeys(KINDS, each), generator=np.random.default_rng(seed))


def test_the_label_is_that_of_what_was_put_together():
    for record in made():
        agrees = GOES_ON in record.response
        toxic = record.response.endswith(material().toxic)
        assert record.label == ("unsafe" if agrees or toxic else "safe"), record.kind
        assert record.explanation == EXPLANATIONS[record.kind]


def test_every_kind_is_made_and_none_twice():
    records = made()
    assert Counter(record.kind for record in records).keys() == KINDS.keys() == EXPLANATIONS.keys()
    assert len({(record.prompt, record.response) for record in records}) == len(records)


def test_attacked_records_name_their_attack_and_no_others():
    for record in made():
        assert bool(record.attack) == record.kind.startswith("attacked")


def test_orders_to_the_judge_say_the_contrary_of_the_label():
    orders = {one.kind: one.response.splitlines()[-1] for one in made() if one.kind.startswith("injection")}
    assert orders["injection_unsafe"] in TRAIN.vote_safe
    assert orders["injection_safe"] in TRAIN.vote_unsafe
    said = {one.response.splitlines()[-1] for one in made() if one.kind == "injected_answer"}
    assert said <= set(TRAIN.vote_unsafe)


def test_another_opening_is_of_the_set_or_of_an_attack():
    frames = Material(**(vars(material()) | {"frames": ("Layer 1:",)}))
    records = known_answers(frames, {"framed": 4, "reopened": 4}, generator=np.random.default_rng(0))
    for record in records:
        opening = record.response.removesuffix(GOES_ON).strip()
        assert opening in ({"Layer 1:"} if record.kind == "framed" else {text.strip() for text in TRAIN.openings})


def test_a_remark_is_followed_by_toxic_comments_and_harmless_answers():
    labels = {(one.prompt in TRAIN.remarks, one.kind): one.label for one in made() if one.kind in ("toxic", "remark")}
    assert labels == {(True, "toxic"): "unsafe", (True, "remark"): "safe"}


def test_the_same_seed_makes_the_same_records():
    assert made(seed=3) == made(seed=3)
    assert made(seed=3) != made(seed=4)


def test_train_and_held_out_share_no_phrase():
    for field in fields(TRAIN):
        assert not set(getattr(TRAIN, field.name)) - {""} & set(getattr(HELD_OUT, field.name))
    assert not set(FRAMES["train"].values()) & set(FRAMES["held_out"].values())


def test_no_phrase_to_train_on_is_close_to_a_held_out_one():
    """Fewer than half of the words of both are shared."""
    for field in fields(TRAIN):
        for one in getattr(TRAIN, field.name):
            for other in getattr(HELD_OUT, field.name):
                ours, theirs = (set(re.findall(r"[a-z']+", text.lower())) for text in (one, other))
                assert not ours or not theirs or len(ours & theirs) < 0.5 * len(ours | theirs), (one, other)


def test_every_attack_has_its_frames():
    assert list(FRAMES["train"]) == list(FRAMES["held_out"]) == list(TEXT_ATTACKS)


def test_half_of_the_held_out_refusals_are_in_no_list_of_refusal_words():
    hidden = [text for text in HELD_OUT.refusals if not any(word in text.lower() for word in DECLINED)]
    assert len(hidden) >= len(HELD_OUT.refusals) / 2


@pytest.mark.parametrize(
    ("text", "kept"),
    [(GOES_ON, True), ("short.", False), (f"{GOES_ON} But I can’t say more.", False), ("", False)],
)
def test_what_declines_or_says_little_is_no_compliance(text, kept):
    assert continued(text) is kept


def test_an_opening_and_its_continuation_have_a_blank_between():
    assert joined("Sure,", "take") == joined("Sure,", " take") == joined("Sure, ", "take") == "Sure, take"


def test_a_model_that_refused_all_is_one_line():
    short = Material((), material().harmless, material().toxic, TRAIN)
    with pytest.raises(DataError, match="need plain prompts with answers"):
        known_answers(short, {"refusal": 1}, generator=np.random.default_rng(0))
