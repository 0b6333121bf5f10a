"""The comparison of WAPAT with plain training: its sums by hand, and a run on tones."""

import json
import math

import pytest

from benchmarks import wapat_training as script
from benchmarks.wapat_training import Run, better, difference, tables
from tests.fixtures.tones import TEST, write_corpora, write_speech_c
from tests.gauntlet.tiny_ctc import TinyCtc, sentences


def runs(plain: list[float], wapat: list[float], *, clean: float = 0.0) -> list[Run]:
    """Make runs whose rates are all alike, but that WAPAT's clean ones lie above by `clean`."""
    found = []
    for method, values, more in (("plain", plain, 0.0), ("wapat", wapat, clean)):
        for seed, value in enumerate(values):
            rates = dict.fromkeys(script.RATES, value) | {"clean": 0.1 + 0.01 * seed + more * (1 + seed)}
            found.append(Run(method, seed, 0.5, rates))
    return found


def test_differences_are_taken_seed_by_seed():
    found = difference(runs([0.5, 0.4, 0.3], [0.4, 0.35, 0.3]), ("plain", "wapat"), "beyond")
    assert found.value == pytest.approx(-0.05)
    assert found.error == pytest.approx(0.05 / math.sqrt(3))
    assert math.isnan(difference(runs([0.5], [0.4]), ("plain", "wapat"), "beyond").error)


@pytest.mark.parametrize(
    ("wapat", "clean", "won"),
    [
        ([0.4, 0.4], 0.0, True),
        ([0.4, 0.4], -0.1, True),
        ([0.6, 0.4], 0.0, False),  # no better beyond clean speech
        ([0.4, 0.4], 0.1, False),  # clean rates lie 0.1 and 0.2 above: a loss of 0.15 +- 0.05
    ],
)
def test_to_win_is_to_be_better_beyond_and_no_worse_on_clean(wapat, clean, won):
    assert better(runs([0.5, 0.5], wapat, clean=clean), ("plain", "wapat")) is won


def test_the_table_has_a_line_a_method():
    lines = tables(runs([0.5, 0.4], [0.4, 0.3]), ["plain", "wapat"]).splitlines()
    assert lines[2].startswith("| plain | 10.50 ± 0.71 | 45.00 ± 7.07")
    assert lines[-1].startswith("| wapat | +0.00 ± 0.00 | -10.00 ± 0.00")


def test_a_run_on_tones(tmp_path, monkeypatch, capsys):
    texts = {domain: sentences(count, seed=number) for number, (domain, count) in enumerate(TEST.items())}
    said = write_corpora(tmp_path / "speech", texts)
    write_speech_c(tmp_path / "speech_c", said["prompts"], noises={"hiss": [0.05, 0.3]})
    starts = []

    def read(folder, *, whisper):
        starts.append((folder, whisper))
        return TinyCtc()

    corpus = script.read_corpus
    monkeypatch.setattr(script, "read_recognizer", read)
    # The fixture's training speech has no sound: the test split stands in for it.
    monkeypatch.setattr(
        script, "read_corpus", lambda folder, *, split, limit: corpus(folder, split="test", limit=limit)
    )
    words = ["x", "--methods", "plain,pat", "--seeds", "0,1", "--epochs", "1", "--json", str(tmp_path / "record.json")]
    words += ["--speech", str(tmp_path / "speech"), "--speech-c", str(tmp_path / "speech_c"), "--start", "a"]
    monkeypatch.setattr("sys.argv", words)
    monkeypatch.setattr(script, "heard", unseen(script.heard, monkeypatch))
    assert script.main() in (0, 1)
    said = capsys.readouterr().out
    assert "| less plain |" in said
    assert "clean: 6 clips, domains: 12 clips, corruptions: 12 clips" in said
    record = json.loads((tmp_path / "record.json").read_text())
    assert [(run["method"], run["seed"]) for run in record["runs"]] == [
        ("plain", 0),
        ("plain", 1),
        ("pat", 0),
        ("pat", 1),
    ]
    rates = [run["rates"] for run in record["runs"]]
    assert rates[0] != rates[1]
    assert all(each["beyond"] == pytest.approx((each["domains"] + each["corruptions"]) / 2) for each in rates)


def unseen(heard, monkeypatch):
    """Let the test split look like training speech of the prompts alone, while it is heard."""
    corpus = script.read_corpus

    class Seen:
        domains = ("prompts",)

    def call(chosen, recognizers):
        monkeypatch.setattr(
            script,
            "read_corpus",
            lambda f, *, split, limit: Seen if split == "train" else corpus(f, split=split, limit=limit),
        )
        return heard(chosen, recognizers)

    return call
