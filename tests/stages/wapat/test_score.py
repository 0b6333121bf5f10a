"""Scores of recognisers of tones: rates counted directly, a shared front that runs once, Whisper's place, bad input."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from gauntlet.errors import ArgumentError, DataError
from gauntlet.metrics.recognition import character_errors, error_rate, word_errors
from gauntlet.readers.speech import read_corpus
from gauntlet.readers.speech_c import read_clips, read_rows
from stages.wapat import score as stage
from tests.fixtures.tones import SEEN, TEST, write_corpora, write_speech_c
from tests.gauntlet.tiny_ctc import TinyCtc, sentences, trained_tiny_ctc

NOISES = {"hiss": [0.05, 0.5], "hum": [0.1, 1.0]}
PARAMS = {
    "seed": 3,
    "variants": ["good", "raw"],
    "domains": None,
    "utterances": None,
    "corrupted": None,
    "attacked": 2,
    "feature_pgd": [{"eps": 0.0, "steps": 1}, {"eps": 0.5, "steps": 5}],
    "waveform_pgd": [{"eps": 0.05, "steps": 5}],
    "reference": 2,
    "batch_s": 3.0,
    "precision": "float32",
    "resamples": 50,
}


class Heedful(TinyCtc):
    """Counts the waveforms that its front hears."""

    heard = 0

    def features(self, waveform, lengths):
        Heedful.heard += len(waveform)
        return super().features(waveform, lengths)


def heedful(weights: dict) -> TinyCtc:
    model = Heedful()
    model.load_state_dict(weights)
    return model.eval()


@pytest.fixture(scope="module")
def models() -> dict[str, TinyCtc]:
    """Return a trained recogniser and one with the same front that knows nothing."""
    return {"good": trained_tiny_ctc(), "raw": TinyCtc().eval()}


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("speech")
    texts = {domain: sentences(count, seed=number) for number, (domain, count) in enumerate(TEST.items())}
    said = write_corpora(folder / "corpora", texts)
    write_speech_c(folder / "speech_c", dict(list(said["prompts"].items())[:4]), noises=NOISES)
    for name in ("whisper", "models/good", "models/raw"):
        (folder / name).mkdir(parents=True)
    return {
        "corpora": folder / "corpora",
        "corrupted": folder / "speech_c",
        "whisper": folder / "whisper",
        "models": folder / "models",
    }


@pytest.fixture
def scored(models, places, tmp_path, monkeypatch):
    """Return a function that scores the two and gives the scores by name."""

    def read(folder: Path, *, whisper: Path) -> TinyCtc:
        assert whisper == places["whisper"]
        if folder.name not in models:
            raise DataError(f"{folder}/model.json must exist")
        return heedful(models[folder.name].state_dict())

    monkeypatch.setattr(stage, "read_recognizer", read)
    monkeypatch.setattr(stage, "read_whisper", lambda folder: models["good"])

    def run(*, name: str = "scores", **changes) -> dict[str, dict]:
        stage.run(stage.Params(**(PARAMS | changes)), **places, scores=tmp_path / name)
        return {file.stem: json.loads(file.read_text()) for file in sorted((tmp_path / name).iterdir())}

    return run


def transcripts(model: TinyCtc, clips) -> list[str]:
    return [
        model.transcribe(torch.from_numpy(clip.waveform)[None], torch.tensor([len(clip.waveform)]))[0] for clip in clips
    ]


def interval(counted, model, clips) -> dict:
    """Count one clip at a time; the stage hears them sorted by length, so that its bootstrap meets that order."""
    clips = sorted(clips, key=lambda clip: (len(clip.waveform), clip.id))
    errors = counted([clip.text for clip in clips], transcripts(model, clips))
    found = error_rate(errors, resamples=PARAMS["resamples"], generator=np.random.default_rng(PARAMS["seed"]))
    return {"value": found.value, "low": found.low, "high": found.high, "n": found.n}


def test_rates_are_those_of_each_clip_by_itself(scored, models, places):
    found = scored()
    assert sorted(found) == ["good", "raw", "whisper"]
    for name, model in models.items():
        results = found[name]["results"]
        for domain, count in TEST.items():
            clips = read_corpus(places["corpora"], domains=[domain], split="test").utterances
            assert len(clips) == count
            assert results["domains"][domain] == interval(word_errors, model, clips)
        rows = read_rows(places["corrupted"])
        for shift, levels in NOISES.items():
            assert list(results["corruptions"][shift]) == ["1", "2"]
            for severity in range(1, 1 + len(levels)):
                clips = read_clips(places["corrupted"], [r for r in rows if (r.shift, r.severity) == (shift, severity)])
                assert results["corruptions"][shift][str(severity)] == interval(word_errors, model, clips)
        means = [rate["value"] for shift in results["corruptions"].values() for rate in shift.values()]
        assert results["mean_of_corruptions"]["value"] == pytest.approx(np.mean(means))
        assert results["mean_of_corruptions"]["n"] == 16
    assert (
        found["good"]["results"]["clean"]["wer"]["value"] < 0.1 < 0.9 < found["raw"]["results"]["clean"]["wer"]["value"]
    )
    shifts = found["good"]["results"]["corruptions"]
    assert shifts["hum"]["2"]["value"] > shifts["hiss"]["1"]["value"] + 0.2


def test_clean_is_the_seen_domains_and_the_mean_the_unseen(scored, models, places):
    found = scored()["raw"]
    results = found["results"]
    clips = read_corpus(places["corpora"], domains=["prompts", "voice_a"], split="test").utterances
    references, hypotheses = [clip.text for clip in clips], transcripts(models["raw"], clips)
    assert results["clean"]["wer"]["value"] == pytest.approx(word_errors(references, hypotheses).rate)
    assert results["clean"]["cer"]["value"] == pytest.approx(character_errors(references, hypotheses).rate)
    assert results["clean"]["wer"]["n"] == TEST["prompts"] + TEST["voice_a"]
    assert results["mean_of_domains"]["value"] == results["domains"]["voice_b"]["value"]
    assert results["per_domain_seen"] == SEEN
    assert (results["normalizer"], results["speech_c"]) == ("gauntlet-english-1", "1")
    assert found["headline"]["value"] == results["mean_of_domains"]["value"]
    assert (found["n"], found["stage"], found["subject"]) == (TEST["voice_b"], "wapat-score", "raw")


def test_where_all_domains_are_seen_the_mean_is_over_all(scored):
    results = scored(domains=["prompts", "voice_a"], variants=["good"])["good"]["results"]
    values = [rate["value"] for rate in results["domains"].values()]
    assert len(values) == 2
    assert results["mean_of_domains"]["value"] == pytest.approx(np.mean(values))


def test_attacks_harm_and_eps_0_does_not(scored, models, places):
    found = scored()["good"]["results"]
    nothing, features = found["feature_pgd"]
    clips = read_corpus(places["corpora"], domains=["prompts", "voice_a"], split="test", limit=2, seed=3).utterances
    errors = word_errors([clip.text for clip in clips], transcripts(models["good"], clips))
    assert nothing["wer"]["value"] == pytest.approx(errors.rate)
    assert (nothing["wer"]["n"], nothing["left_out"]) == (4, 0)
    assert features["wer"]["value"] > nothing["wer"]["value"] + 0.2
    assert (features["eps"], features["steps"]) == (0.5, 5)
    (waveforms,) = found["waveform_pgd"]
    assert waveforms["wer"]["value"] > nothing["wer"]["value"]
    assert 5 < waveforms["snr_db"] < 30


def test_the_front_runs_once_for_all(scored, monkeypatch):
    monkeypatch.setattr(stage, "parallel", lambda function, items, **_: [function(item) for item in items])
    quiet = {"attacked": 0, "reference": 0}
    counts = []
    for variants in (["good"], ["good", "raw"]):
        Heedful.heard = 0
        scored(name=f"scores{len(variants)}", variants=variants, **quiet)
        counts.append(Heedful.heard)
    assert counts == [sum(TEST.values()) + 16] * 2


def test_other_fronts_run_by_themselves(scored, models):
    models["other"] = TinyCtc(seed=1).eval()
    try:
        found = scored(variants=["good", "other"], reference=0)
        alone = scored(name="alone", variants=["other"], reference=0)
    finally:
        del models["other"]
    assert found["other"]["results"] == alone["other"]["results"]


def test_whisper_is_scored_on_the_domains_alone(scored):
    found = scored()["whisper"]
    results = found["results"]
    assert {domain: rate["n"] for domain, rate in results["domains"].items()} == dict.fromkeys(TEST, 2)
    assert (results["corruptions"], results["mean_of_corruptions"]) == ({}, None)
    assert "feature_pgd" not in results
    assert "model" not in found["inputs"]


def test_fewer_clips_where_the_parameters_say_so(scored):
    found = scored(utterances=3, corrupted=2, attacked=0, reference=0)
    assert sorted(found) == ["good", "raw"]
    results = found["good"]["results"]
    assert {rate["n"] for rate in results["domains"].values()} == {3}
    assert {rate["n"] for shift in results["corruptions"].values() for rate in shift.values()} == {2}
    assert (results["feature_pgd"], results["waveform_pgd"]) == ([], [])


def test_the_same_bytes_again_whatever_the_workers(scored, monkeypatch, tmp_path):
    scored(name="first")
    monkeypatch.setattr(stage, "parallel", lambda function, items, **_: [function(item) for item in items])
    scored(name="second")
    for file in (tmp_path / "first").iterdir():
        assert file.read_bytes() == (tmp_path / "second" / file.name).read_bytes()


def test_lower_precision_hears_nearly_the_same(scored):
    exact, lower = (scored(name=p, precision=p, reference=0)["good"]["results"] for p in ("float32", "bfloat16"))
    assert lower["clean"]["wer"]["value"] == pytest.approx(exact["clean"]["wer"]["value"], abs=0.05)
    assert lower["feature_pgd"][1]["wer"]["value"] > 0.2


def test_bad_input_has_its_line(scored):
    with pytest.raises(ArgumentError, match="domains must be among prompts, voice_a, voice_b; got 'voice_c'"):
        scored(domains=["voice_c"])
    with pytest.raises(DataError, match=r"lost/model\.json must exist"):
        scored(variants=["lost"])
