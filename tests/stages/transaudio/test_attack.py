"""What the attack writes: clips, records, settings; the same bytes again; what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest

from gauntlet.errors import ArgumentError, DataError
from gauntlet.metrics.transaudio import MOST_DB, snr_db
from gauntlet.readers.speech import read_corpus, read_waveform
from stages.transaudio import attack as stage
from stages.transaudio.clips import noisy, read_records
from tests.stages.transaudio.conftest import ATTACK


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_setting_has_its_clips_and_records(folder, corpora):
    assert {path.name for path in folder.iterdir()} == {"splice", "both", "ensemble", "settings.json"}
    clean = {each.id: each for each in read_corpus(corpora, split="test").utterances}
    for setting in ATTACK["settings"]:
        records = read_records(folder / setting)
        assert [each.kind for each in records] == ["delete"] * 3 + ["insert"] * 3 + ["substitute"] * 3
        assert len(list((folder / setting).glob("*.flac"))) == 3 * len(records)
        for each in records:
            sounds = {made: read_waveform(folder / setting / getattr(each, made)) for made in stage_versions()}
            assert np.array_equal(sounds["clean"], clean[each.id].waveform)
            grown = each.end - each.begin if each.kind == "insert" else 0
            assert len(sounds["attacked"]) == len(sounds["clean"]) + grown
            assert each.text == clean[each.id].text
            if setting != "splice":
                assert snr_db(sounds["clean"], sounds["control"]) == pytest.approx(each.change_db, abs=0.1)
            if each.kind == "delete":
                assert each.snr_db == each.change_db
                if setting == "splice":
                    assert each.snr_db == MOST_DB
                    assert np.array_equal(sounds["attacked"], sounds["clean"])


def stage_versions() -> tuple[str, ...]:
    return ("clean", "attacked", "control")


def test_the_level_of_an_insertion_is_taken_where_the_utterance_goes_on(folder):
    for each in read_records(folder / "both"):
        if each.kind == "insert":
            clean, attacked = (read_waveform(folder / "both" / getattr(each, made)) for made in ("clean", "attacked"))
            without = np.concatenate([attacked[: each.begin], attacked[each.end :]])
            assert each.snr_db == pytest.approx(snr_db(clean, without), abs=0.1)
            assert -40 < each.clip_db < 20


def test_settings_say_what_was_done_and_left_out(folder):
    about = json.loads((folder / "settings.json").read_text())
    assert about["white_box"] == "good"
    assert about["settings"]["both"]["surrogates"] == ["good"]
    assert about["settings"]["ensemble"]["surrogates"] == ["good", "second"]
    assert about["settings"]["splice"]["global_steps"] == 0
    assert about["left_out"]["delete"]["no word to edit"] == 1


def test_the_same_bytes_for_any_number_of_workers(folder, attacked, monkeypatch):
    monkeypatch.setattr("stages.machine.machine", lambda: stage.machine().__class__("cpu", 1, 1))
    assert contents(attacked()) == contents(folder)


def test_score_matching_changes_what_is_attacked(attacked):
    settings = {
        name: {"score_match": name, "sigma": 0.1, "lam": 100.0} for name in ("none", "surrogate_ft", "objective")
    }
    found = contents(attacked(settings=settings, kinds=["delete"], utterances=1))
    clips = [value for name, value in sorted(found.items()) if name.endswith(".attacked.flac")]
    assert len(set(clips)) == len(clips) == 3


def test_long_and_crowded_utterances_are_counted(attacked):
    short = attacked(longest_s=0.9, kinds=["delete"], settings={"all": {"global_steps": 0}})
    assert json.loads((short / "settings.json").read_text())["left_out"]["delete"]["too long"] > 0
    with pytest.raises(DataError, match="'target longer than its frames': 8"):
        attacked(kinds=["substitute"], replacements=["abcdef" * 30], utterances=9)


def test_noise_is_as_loud_as_it_should_be_and_drawn_by_key():
    clean = np.sin(np.arange(8000, dtype=np.float32) / 9) * np.float32(0.1)
    assert snr_db(clean, noisy(clean, 12.0, key="a")) == pytest.approx(12, abs=0.01)
    assert np.array_equal(noisy(clean, 12.0, key="a"), noisy(clean, 12.0, key="a"))
    assert not np.array_equal(noisy(clean, 12.0, key="a"), noisy(clean, 12.0, key="b"))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"kinds": ["remove"]}, ArgumentError, "kinds must be of delete, insert, substitute; got 'remove'"),
        (
            {"settings": {"all": {"epsilon": 1}}},
            ArgumentError,
            r"settings\.all must name fields of Setting, eps, .*; got 'epsilon'",
        ),
        ({"settings": {"all": {"release": {"slow": True}}}}, ArgumentError, r"settings\.all must name fields"),
        ({"settings": {"all": {"surrogates": 3}}}, ArgumentError, "surrogates lists fewer"),
        ({"settings": {"all": {"eps": 2}}}, ArgumentError, "eps must lie in"),
        ({"surrogates": ["absent"]}, DataError, "model.json must exist"),
        ({"longest_s": 0.01}, DataError, "none is left"),
        ({"domains": ["prompts"], "settings": {"s": {"score_match": "surrogate_ft"}}}, DataError, "train split"),
    ],
)
def test_refused(attacked, changes, error, message):
    settings = {"settings": {"all": {}}} | changes
    if "surrogates" in changes:
        settings["settings"] = {"all": {}}
    with pytest.raises(error, match=message):
        attacked(**settings)
