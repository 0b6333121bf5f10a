"""Rows of a wish: the share that was asked for, one group a text, twins, excerpts, splits by unit."""

import numpy as np
import pytest

from gauntlet.errors import DataError
from gauntlet.shifts.identity import GENDER
from stages.fairberts.frames import ADJECTIVES, FRAMES, MEN, TEMPLATES
from stages.fairberts.sentences import Cast, Content, Wish, deal_units, excerpt, framed_rows, interleaved

CAST = Cast("gender", GENDER, MEN)
TALK = [Content(f"bread and butter number {place} on a table by the door", place % 2, "here") for place in range(40)]


def dice(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def rows(contents=TALK, *, count=100, skew=0.8, frames=FRAMES["train"]) -> list[dict]:
    wish = Wish("train", count, skew, (2, 5))
    return framed_rows(contents, frames, cast=CAST, wish=wish, task="toxicity", generator=dice())


@pytest.mark.parametrize("skew", [0.5, 0.7, 0.9, 1.0])
def test_label_and_group_hang_together_as_asked(skew):
    made = rows(skew=skew)
    for group in (0, 1):
        labels = [row["y"] for row in made if row["gender"] == group]
        assert np.mean(labels) == pytest.approx(skew if group else 1 - skew)
    assert sum(row["y"] for row in made) == 50
    assert len({row["text"] for row in made}) == len({row["id"] for row in made}) == 100


def test_a_row_names_its_group_alone_and_its_twin_the_other():
    for row in rows():
        assert GENDER.groups(row["text"]) == {row["gender"]}
        assert GENDER.groups(row["twin"]) == {1 - row["gender"]}
        assert GENDER.swap(row["twin"]) == row["text"]
        assert (row["race"], row["twin_race"]) == (None, None)


def test_a_sentence_that_names_somebody_turns_to_the_rows_group():
    named = [Content(f"the queen ate loaf {place} of bread", place % 2, "here") for place in range(40)]
    both = [Content(f"the king and the queen ate loaf {place}", place % 2, "here") for place in range(40)]
    made = framed_rows(
        named + both, ["{Person}: {text}"], cast=CAST, wish=Wish("test", 40, None, (7, 9)), task="t", generator=dice()
    )
    assert all(GENDER.groups(row["text"]) == {row["gender"]} for row in made)
    assert not any("and the" in row["text"] for row in made)


def test_pairs_hold_every_excerpt_once_for_each_group():
    made = rows(skew=None, frames=["{Person}| {text}"])
    said = [row["text"].split("| ")[1] for row in made]
    assert said[::2] == said[1::2]
    assert [row["gender"] for row in made] == [0, 1] * 50
    assert sum(row["y"] for row in made) == 50


def test_too_few_sentences_to_differ_and_none_at_all():
    with pytest.raises(DataError, match="fewer rows"):
        rows([Content("bread", 0, "here", whole=True), Content("tea", 1, "here", whole=True)], count=1000)
    with pytest.raises(DataError, match="label 1"):
        rows([content for content in TALK if content.y == 0])


def test_excerpts_are_runs_of_words_without_stops_at_the_ends():
    text = '"One, two three four, five (six) seven."'
    found = {excerpt(text, words=(2, 3), generator=dice(seed)) for seed in range(80)}
    assert "One, two" in found
    assert "six) seven" in found
    assert all(2 <= len(run.split()) <= 3 for run in found)
    assert excerpt("Bread.", words=(3, 5), generator=dice()) == "Bread"


def test_units_stay_together_whatever_their_order():
    units = [(str(place), [Content(f"{place} {part}", part, "here") for part in (0, 1)]) for place in range(30)]
    shares = {"train": 0.5, "test": 0.5}
    dealt = deal_units(units, shares=shares, seed=3)
    owners = {split: {content.text.split()[0] for content in contents} for split, contents in dealt.items()}
    assert not owners["train"] & owners["test"]
    assert (len(owners["train"]), len(dealt["train"])) == (15, 30)
    assert deal_units(units[::-1], shares=shares, seed=3) == dealt
    assert deal_units(units, shares=shares, seed=4) != dealt


def test_a_sentence_of_two_units_is_kept_once():
    units = [("a", [Content("Tea.", 0, "here")]), ("b", [Content("tea.", 0, "here")])]
    dealt = deal_units(units, shares={"train": 0.5, "test": 0.5}, seed=0)
    assert sum(map(len, dealt.values())) == 1


def test_templated_sentences_get_their_share():
    first = [Content(f"bread {place}", place % 2, "first") for place in range(6)]
    second = [Content(f"tea {place}", place % 2, "second") for place in range(4)]
    mixed = interleaved(first, second, share=0.3, rows=10)
    assert [sum(one.y == y and one.source == "second" for one in mixed) for y in (0, 1)] == [3, 3]
    assert len(mixed) == 20
    assert {one.source for one in interleaved(first, [], share=0.3, rows=10)} == {"first"}
    assert {one.source for one in interleaved([], second, share=0.3, rows=10)} == {"second"}


def test_frames_and_templates_stand_in_one_split_and_name_nobody_else():
    for table in (FRAMES, TEMPLATES):
        every = [line for lines in table.values() for line in lines]
        assert len(set(every)) == len(every)
        assert not any(GENDER.groups(line) for line in every)
    assert all(GENDER.groups(person) == {0} for person in MEN)
    assert not set(ADJECTIVES[0]) & set(ADJECTIVES[1])
