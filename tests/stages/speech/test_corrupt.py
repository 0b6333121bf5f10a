"""Speech-C: the same clips each time, at every severity of every shift, all in the manifest."""

import csv
import json

import numpy as np
import pyarrow.parquet
import pytest

from gauntlet.errors import ArgumentError, DataError
from gauntlet.readers.speech import read_sounds, read_waveform
from gauntlet.shifts.waveforms import SEVERITIES
from stages.speech.corrupt import Params, run
from stages.speech.shards import Shards, encode_flac, write_table

FIELDS = {"seed": 0, "split": "test", "domains": None, "utterances": None, "shifts": None, "samples": 1}


def params(**changes) -> Params:
    return Params(**{**FIELDS, "severities": [1, 5], **changes})


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """Three test utterances of two domains and one of training."""
    folder = tmp_path_factory.mktemp("speech")
    generator = np.random.default_rng(0)
    kinds = (("prompts", "test"), ("prompts", "test"), ("scotland", "test"), ("scotland", "train"))
    with Shards(folder) as shards:
        for index, (domain, split) in enumerate(kinds):
            seconds = np.arange(6000 + 1000 * index) / 16000
            sound = 0.3 * np.sin(2 * np.pi * 220 * seconds) * (1 + np.sin(2 * np.pi * 3 * seconds)) / 2
            sound = np.float32(sound + 0.001 * generator.standard_normal(len(seconds)))
            row = {"id": f"{domain}_{index}", "domain": domain, "split": split, "speaker": "a", "text": f"word {index}"}
            shards.add(row | {"phonemes": [], "samples": len(sound)}, encode_flac(sound))
    write_table(folder / "manifest.parquet", shards.rows)
    return folder


@pytest.fixture(scope="module")
def built(corpora, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "speech_c"
    run(params(), corpora=corpora, corrupted=folder)
    return folder


def contents(folder):
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def rows(folder):
    return pyarrow.parquet.read_table(folder / "manifest.parquet").to_pylist()


def test_every_shift_and_severity_holds_every_utterance(built):
    found = {(row["shift"], row["severity"], row["id"]) for row in rows(built)}
    ids = ("prompts_0", "prompts_1", "scotland_2")
    assert found == {(shift, level, key) for shift in SEVERITIES for level in (1, 5) for key in ids}
    assert len(rows(built)) == len(found)


def test_the_archives_hold_what_the_manifest_says(built):
    table = rows(built)
    for shard in {row["shard"] for row in table}:
        inside = [row for row in table if row["shard"] == shard]
        sounds = read_sounds(built, shards=[shard], ids=[row["id"] for row in inside])
        assert {key: len(sound) for key, sound in sounds.items()} == {row["id"]: row["samples"] for row in inside}


def test_the_amounts_are_those_of_the_severity(built):
    for row in rows(built):
        amounts = json.loads(row["amounts"])
        if row["shift"] == "noise":
            assert amounts["snr_db"] == {1: 20, 5: 0}[row["severity"]]
        if row["shift"] == "speed":
            length = {"prompts_0": 6000, "prompts_1": 7000, "scotland_2": 8000}[row["id"]]
            assert row["samples"] == round(length / amounts["factor"])


def test_severities_share_what_is_drawn(built):
    drawn = {}
    for row in rows(built):
        if row["shift"] == "pitch":
            drawn.setdefault(row["id"], set()).add(np.sign(json.loads(row["amounts"])["cents"]))
    assert all(len(signs) == 1 for signs in drawn.values())


def test_an_utterance_does_not_depend_on_the_others(corpora, built, tmp_path):
    alone = tmp_path / "alone"
    run(params(domains=["scotland"], shifts=["babble"], severities=[5], samples=0), corpora=corpora, corrupted=alone)
    (row,) = rows(alone)
    there = next(one for one in rows(built) if (one["id"], one["shift"], one["severity"]) == (row["id"], "babble", 5))
    sounds = [read_sounds(folder, shards=[row["shard"]], ids=[row["id"]]) for folder in (alone, built)]
    assert np.array_equal(sounds[0][row["id"]], sounds[1][row["id"]])
    assert row["amounts"] == there["amounts"]


def test_the_same_bytes_each_time(corpora, built, tmp_path):
    run(params(), corpora=corpora, corrupted=tmp_path / "again")
    assert contents(tmp_path / "again") == contents(built)


def test_loose_samples_are_listed(built):
    with (built / "samples/transcripts.tsv").open(encoding="utf-8") as stream:
        listed = list(csv.DictReader(stream, delimiter="\t"))
    assert {row["file"] for row in listed} == {file.name for file in (built / "samples").glob("*.flac")}
    assert [row["shift"] for row in listed] == ["clean", *(name for name in SEVERITIES for _ in (1, 5))]
    assert len(read_waveform(built / "samples" / listed[0]["file"])) == 6000


def test_a_split_without_utterances_is_named(corpora, tmp_path):
    with pytest.raises(DataError, match="split held_out must hold an utterance"):
        run(params(split="held_out"), corpora=corpora, corrupted=tmp_path / "none")


@pytest.mark.parametrize(
    ("changes", "said"), [({"shifts": ["nois"]}, "got 'nois'; misspelt"), ({"severities": [0]}, "must lie in 1 to 5")]
)
def test_wrong_params_are_named(changes, said):
    with pytest.raises((ArgumentError, ValueError), match=said):
        params(**changes)
